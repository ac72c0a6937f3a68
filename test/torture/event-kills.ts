/**
 * What supervisors were told before a `kill -9` is stored after it (V3): an event is published by the commit that it
 * tells of, never before. While a socket is open its positions follow each other without a hole.
 */
import { LoadDriver, ordinaryLoad } from './driver.js'
import { groupBy } from './group.js'
import { linesOf } from './kill-runs.js'
import { describe, judge } from './oracle.js'
import { randomOf } from './random.js'
import { readEverything } from './read-back.js'
import { killHard, type Stage, sleep } from './stage.js'
import { Supervisor, type ToldEvent } from './supervisor.js'
import type { Verdict } from './verdict.js'

const killAfterMs = { first: 100, last: 600 }

export async function runEventKills(
  stage: Stage,
  { seed, kills }: { readonly seed: number; readonly kills: number },
): Promise<Verdict> {
  const random = randomOf(seed)
  const dataDir = stage.folder()
  // Nothing is sent again: what a kill took away may not come back before it is looked for.
  const load = { ...ordinaryLoad, resendShare: 0, conflictShare: 0 }
  const driver = new LoadDriver(stage.folder(), load, random)
  const supervisor = new Supervisor(stage)
  let underLoad = 0
  for (let kill = 0; kill < kills; kill++) {
    const service = await stage.service({ dataDir })
    await supervisor.connect(service.port)
    const before = driver.acknowledged
    driver.start(service.port)
    await sleep(random.integer(killAfterMs.first, killAfterMs.last))
    if (driver.inFlight > 0 && driver.acknowledged > before) underLoad++
    await killHard(service)
    await driver.halt()
    // What is still in the socket's buffer was told, too.
    await supervisor.closed()
  }
  const service = await stage.service({ dataDir })
  const history = driver.history()
  const stored = await readEverything(service.port, new Set(history.packets.map(({ call }) => call)))
  await killHard(service)
  driver.close()

  const kept = new Set(
    stored.flatMap(({ call, packets }) => packets.map(({ sequence }) => `${call}/${sequence}`)),
  )
  const received = supervisor.events.filter(({ event }) => event === 'packet_received')
  const untrue = received.filter(({ call_id, sequence }) => !kept.has(`${call_id}/${sequence}`))
  const [example] = untrue
  return {
    counts: { kills, events: received.length, stored: kept.size },
    faults: underLoad,
    findings: [
      ...(example === undefined
        ? []
        : [
            `${untrue.length} packets were told of and are not stored, ${example.call_id}/${example.sequence} for one`,
          ]),
      ...findingsOfPositions(supervisor.events),
      ...linesOf('after the kills', describe(judge(history, stored))),
    ],
  }
}

/** Each run of the service is an epoch of its own; within one, offsets rise by one. */
export function findingsOfPositions(events: readonly ToldEvent[]): readonly string[] {
  const places = events.map(({ position }) => {
    const [epoch = '', offset = ''] = position.split('.')
    return { epoch, offset: Number.parseInt(offset, 36) }
  })
  const findings: string[] = []
  for (const [epoch, ofEpoch] of groupBy(places, (place) => place.epoch)) {
    const holes = ofEpoch.filter(({ offset }, i) => i > 0 && offset !== (ofEpoch[i - 1]?.offset ?? 0) + 1)
    if (holes.length > 0)
      findings.push(
        `the positions of epoch ${epoch} have ${holes.length} holes, the first before ${holes[0]?.offset}`,
      )
  }
  return findings
}
