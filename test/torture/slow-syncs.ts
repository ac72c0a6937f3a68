/**
 * Fsyncs that take long, all of them or one in twenty: no 202 comes before an fsync that can hold its packet has
 * returned (P4, V3, V4), every request has its answer in time, what does not fit is refused, and memory stays bounded.
 */
import assert from 'node:assert/strict'
import { limits } from '../../src/limits.js'
import type { Service } from '../support/service.js'
import type { PacketAttempt } from './attempts.js'
import { Lane } from './barrier.js'
import { holdPacket, judgeBurst, releaseTogether, storedSequences, undisturbedMs } from './burst.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { groupBy } from './group.js'
import { forgetPeak, mebibytes, residentOf } from './memory.js'
import { isAcknowledged } from './race-oracle.js'
import { randomOf } from './random.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import { Strace, syncCalls, type TracedCall } from './strace.js'
import type { Verdict } from './verdict.js'

export interface SlowSyncPlan {
  readonly seed: number
  readonly delayMs: number
  readonly loadMs: number
  readonly delayed: 'all' | 'one in twenty'
  /** Large packets at once while a commit waits: more than the journal's queue takes. 0: none. */
  readonly floodPackets: number
}

/** Many copies, few calls: duplicates overtake their originals, some with other content. */
const copies = { ...ordinaryLoad, connections: 16, calls: 3, resendShare: 0.3, conflictShare: 0.1 }
/** What a process takes for its first requests is not the slow disk's doing. */
const warmUpMs = 1000
/** An answer is late beyond the service's own deadline and what the machine takes for the rest, of which this is the least. */
const deadlineMs = limits.answerMsMax + limits.overdueLookMs
const restMs = 250
/** The rest, as busy as the machine is: so many times what the same takes without the fault. */
const restTimes = 2
const answerMsMax = (undisturbed: number) => deadlineMs + Math.max(restMs, restTimes * undisturbed)
const growthBytesMax = 64 * 1024 * 1024
/** Times of two processes, in whole microseconds. */
const clockMs = 1
/** A machine that others fill may take none of a flood in time: then it is sent again. */
const floodsMax = 3
const floodDataBytes = 32 * 1024

export async function runSlowSyncs(stage: Stage, plan: SlowSyncPlan): Promise<Verdict> {
  const { seed, delayMs, loadMs, delayed } = plan
  const service = await stage.service({ dataDir: stage.folder() })
  const pid = service.child.pid as number
  const driver = new LoadDriver(stage.folder(), copies, randomOf(seed))
  driver.start(service.port)
  await sleep(warmUpMs)
  await driver.halt()
  const { bytes: before } = residentOf(pid)
  forgetPeak(pid)

  const startedAt = epochMs()
  const delay = `delay_enter=${delayMs * 1000}`
  const fault = delayed === 'all' ? delay : `${delay}:when=20+20`
  const strace = await Strace.attach(stage, pid, { calls: syncCalls, fault })
  driver.start(service.port)
  await sleep(loadMs)
  await driver.halt()
  await strace.detach()
  const { packets } = driver.history()
  const found = judgeTimes(packets, startedAt, strace.calls())
  driver.close()
  const growth = residentOf(pid).peakBytes - before
  const flood = await floodWhileSlow(stage, service, plan)
  const growthInFlood = residentOf(pid).peakBytes - before
  await killHard(service)
  return {
    counts: { ...found.counts, ...flood.counts },
    notes: {
      growthMebibytes: mebibytes(growth),
      growthInFloodMebibytes: mebibytes(growthInFlood),
      fsyncs: strace.calls().length,
    },
    faults: strace.injected().length,
    findings: [
      ...found.findings,
      ...flood.findings,
      ...(growth > growthBytesMax ? [`it grew by ${mebibytes(growth)} MiB`] : []),
    ],
  }
}

type Found = Pick<Verdict, 'counts' | 'findings'>

/** An attempt's packet was on disk when an fsync that began after the packet was first sent has returned. */
function judgeTimes(
  packets: readonly PacketAttempt[],
  startedAt: number,
  syncs: readonly TracedCall[],
): Found {
  const delayed = syncs.filter(({ isInjected }) => isInjected)
  const early: PacketAttempt[] = []
  const late: PacketAttempt[] = []
  const lateMs = answerMsMax(slowestBefore(packets, startedAt))
  const counts = { accepted: 0, overlapping: 0, waited: 0, slowestMs: 0 }
  for (const attempts of groupBy(packets, ({ call, sequence }) => `${call} ${sequence}`).values()) {
    const first = attempts[0] as PacketAttempt
    // Its original was on disk before anything was slow.
    if (first.sentAt < startedAt) continue
    const earliest = syncs
      .filter(({ at }) => at >= first.sentAt - clockMs)
      .reduce((soonest, { returnedAt }) => Math.min(soonest, returnedAt), Number.POSITIVE_INFINITY)
    for (const attempt of attempts) {
      const { outcome, sentAt } = attempt
      const doneAt = attempt.doneAt ?? Number.POSITIVE_INFINITY
      if (outcome === 'accepted') counts.accepted++
      // Sent while its original was under way.
      if (outcome === 'duplicate' && sentAt < earliest) counts.overlapping++
      if (isAcknowledged(attempt) && doneAt + clockMs < earliest) early.push(attempt)
      if (doneAt - sentAt > lateMs) late.push(attempt)
      if (delayed.some((sync) => sentAt < sync.returnedAt && doneAt > sync.at)) counts.waited++
      counts.slowestMs = Math.max(counts.slowestMs, Math.round(doneAt - sentAt))
    }
  }
  const examples = early.slice(0, 3).map(({ call, sequence, outcome }) => `${call}/${sequence} ${outcome}`)
  return {
    counts,
    findings: [
      ...(early.length > 0
        ? [`${early.length} answers came before their fsync: ${examples.join(', ')}`]
        : []),
      ...(late.length > 0 ? [`${late.length} requests had no answer within ${lateMs} ms`] : []),
    ],
  }
}

function slowestBefore(packets: readonly PacketAttempt[], startedAt: number): number {
  const undisturbed = packets.filter(({ doneAt }) => doneAt !== null && doneAt < startedAt)
  assert(undisturbed.length > 0, 'the load ran before the fault')
  return Math.max(...undisturbed.map(({ sentAt, doneAt }) => Number(doneAt) - sentAt))
}

/** More than the queue takes, in one turn of the loop, while a commit waits for its fsync. */
async function floodWhileSlow(
  stage: Stage,
  service: Service,
  { delayMs, floodPackets }: SlowSyncPlan,
): Promise<Found> {
  if (floodPackets === 0) return { counts: {}, findings: [] }
  for (let number = 1; ; number++) {
    const found = await flood(stage, service, { delayMs, floodPackets, call: `flood-${number}` })
    if (number === floodsMax || found.findings.length > 0 || Number(found.counts['floodAccepted']) > 0)
      return found
  }
}

interface Flood extends Pick<SlowSyncPlan, 'delayMs' | 'floodPackets'> {
  readonly call: string
}

async function flood(stage: Stage, service: Service, { delayMs, floodPackets, call }: Flood): Promise<Found> {
  const lane = new Lane(service.port)
  const [opener, ...connections] = await lane.connections(floodPackets + 1)
  const yardstickMs = await undisturbedMs(connections, call, 'x'.repeat(floodDataBytes))
  const fault = { calls: syncCalls, fault: `delay_enter=${delayMs * 1000}` }
  const strace = await Strace.attach(stage, service.child.pid as number, fault)
  const hold = (connection: NonNullable<typeof opener>, sequence: number) =>
    holdPacket(connection, call, { sequence, data: `${sequence}:`.padEnd(floodDataBytes, 'x') })
  const held = connections.map(hold)
  const occupant = hold(opener as NonNullable<typeof opener>, floodPackets)
  // The bodies but for their last bytes are with the service before the commit that they wait behind begins.
  await sleep(500)
  occupant.release()
  await sleep(delayMs / 6)
  const answers = await releaseTogether(held)
  await strace.detach()
  lane.close()

  const stored = await storedSequences(service.port, call)
  const { accepted, refused, findings } = judgeBurst(answers, stored, answerMsMax(yardstickMs))
  return { counts: { floodAccepted: accepted.length, floodRefused: refused.length }, findings }
}
