/**
 * Copies of one packet that start together (P5): on sockets of their own, by the single and by the bulk route, some with
 * other content, some cut in two by `kill -9` and a restart. One is the first; nothing is ever stored twice or replaced.
 */
import { join } from 'node:path'
import type { Service } from '../support/service.js'
import { AttemptLog, contentHash, type History, readHistory } from './attempts.js'
import { HeldRequest, Lane } from './barrier.js'
import { groupBy } from './group.js'
import { linesOf } from './kill-runs.js'
import { describe, judge, type ReadBackCall } from './oracle.js'
import { bulkOutcomes, outcomeOf } from './outcomes.js'
import { isAcknowledged, judgeRace, type Look, type RaceViolation } from './race-oracle.js'
import { type Random, randomOf } from './random.js'
import { readEverything, readStored } from './read-back.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface RacePlan {
  readonly seed: number
  readonly races: number
  /** Each cuts one race a lane in two. */
  readonly kills: number
}

const lanes = 8
const copiesMin = 2
const copiesMax = 8
/** The first race of a call races for the call as well. */
const racesPerCall = 20
const conflictShare = 0.3
const bulkShare = 0.3
const killAfterMsMax = 3

interface Copy {
  readonly data: string
  /** How often the packet stands in the request; null: by the single route. */
  readonly bulkLines: number | null
  readonly isWhole: boolean
}

interface Race {
  readonly call: string
  readonly sequence: number
  readonly timestamp: number
  readonly copies: readonly Copy[]
}

interface HeldCopies {
  /** Starts them. */
  release(): void
  firstAnswer(): Promise<unknown>
  /** Resolves when each has its end in the account. */
  ended(): Promise<void>
}

class Races {
  readonly #random: Random
  readonly #log: AttemptLog
  readonly looks = new Map<string, Look>()
  readonly counts = { races: 0, copies: 0, conflicting: 0, bulkAgainstSingle: 0 }

  constructor(folder: string, random: Random) {
    this.#random = random
    this.#log = new AttemptLog(join(folder, 'attempts.ndjson'))
  }

  history(): History {
    return readHistory(this.#log.path)
  }

  close(): void {
    this.#log.close()
  }

  next(): Race {
    const number = this.counts.races++
    const random = this.#random
    const call = `race-${Math.floor(number / racesPerCall)}`
    const sequence = number % racesPerCall
    const bytes = random.pick([40, 216, 5000])
    const variants = random.chance(conflictShare) ? 3 : 1
    const copies = Array.from({ length: random.integer(copiesMin, copiesMax) }, (): Copy => {
      const variant = random.integer(0, variants - 1)
      return {
        data: `${call}/${sequence}/${variant}:`.padEnd(bytes, String(variant)),
        bulkLines: random.chance(bulkShare) ? random.integer(1, 2) : null,
        isWhole: random.chance(0.5),
      }
    })
    this.counts.copies += copies.length
    if (new Set(copies.map(({ data }) => data)).size > 1) this.counts.conflicting++
    if (new Set(copies.map(({ bulkLines }) => bulkLines === null)).size > 1) this.counts.bulkAgainstSingle++
    return { call, sequence, timestamp: 1_700_000_000 + number / 50, copies }
  }

  async hold(lane: Lane, { call, sequence, timestamp }: Race, copies: readonly Copy[]): Promise<HeldCopies> {
    const connections = await lane.connections(copies.length)
    const held = copies.map(({ data, bulkLines, isWhole }, i) => {
      const packet = { sequence, data, timestamp }
      const hash = contentHash(data, timestamp)
      const ids = Array.from({ length: bulkLines ?? 1 }, () => this.#log.packet(call, sequence, hash))
      const line = JSON.stringify({ call_id: call, ...packet })
      const request =
        bulkLines === null
          ? {
              path: `/v1/call/stream/${call}`,
              contentType: 'application/json',
              body: JSON.stringify(packet),
            }
          : {
              path: '/v1/packets',
              contentType: 'application/x-ndjson',
              body: ids.map(() => line).join('\n'),
            }
      // `connections` has one for each copy.
      const connection = connections[i] as (typeof connections)[number]
      return { ids, bulkLines, request: new HeldRequest(connection, request, { isWhole }) }
    })
    return {
      release: () => {
        for (const { request } of held) request.release()
      },
      firstAnswer: () => Promise.race(held.map(({ request }) => request.answer())),
      ended: async () => {
        await Promise.all(
          held.map(async ({ ids, bulkLines, request }) => {
            const answer = await request.answer()
            const endings = bulkLines === null ? [outcomeOf(answer)] : bulkOutcomes(answer, ids.length)
            for (const [i, id] of ids.entries())
              this.#log.end(id, endings[i]?.outcome ?? 'unknown', endings[i]?.detail ?? 'not in the answer')
          }),
        )
      },
    }
  }

  async run(lane: Lane): Promise<void> {
    const race = this.next()
    const { release, ended } = await this.hold(lane, race, race.copies)
    release()
    await ended()
  }
}

export async function runRaces(stage: Stage, { seed, races: count, kills }: RacePlan): Promise<Verdict> {
  const random = randomOf(seed)
  const dataDir = stage.folder()
  const races = new Races(stage.folder(), random)
  let service = await stage.service({ dataDir })
  const racesPerLife = Math.ceil(count / kills)
  for (let kill = 0; kill < kills; kill++) {
    const group = Array.from({ length: lanes }, () => new Lane(service.port))
    const last = races.counts.races + racesPerLife - lanes
    await Promise.all(
      group.map(async (lane) => {
        while (races.counts.races < last) await races.run(lane)
      }),
    )
    service = await cutByKill(stage, races, { service, group, random })
  }
  const history = races.history()
  const stored = await readEverything(service.port, new Set(history.packets.map(({ call }) => call)))
  await killHard(service)
  races.close()
  return verdictOf(races, history, stored)
}

/** One race a lane: some copies before the kill, the others after the restart; a look at what is stored between them. */
async function cutByKill(
  stage: Stage,
  races: Races,
  { service, group, random }: { service: Service; group: readonly Lane[]; random: Random },
): Promise<Service> {
  const cut = group.map((lane) => {
    const race = races.next()
    return { lane, race, before: random.integer(1, race.copies.length - 1) }
  })
  const held = await Promise.all(
    cut.map(({ lane, race, before }) => races.hold(lane, race, race.copies.slice(0, before))),
  )
  for (const { release } of held) release()
  const ended = held.map((copies) => copies.ended())
  // At the first answer, when it is worst to forget, or at any moment before or after it.
  if (random.chance(0.5)) await Promise.race(held.map((copies) => copies.firstAnswer()))
  else await sleep(random.integer(0, killAfterMsMax))
  await killHard(service)
  await Promise.all(ended)
  for (const lane of group) lane.close()

  const next = await stage.service({ dataDir: service.dataDir })
  const found = await readStored(
    next.port,
    cut.map(({ race }) => race),
  )
  for (const [i, { race }] of cut.entries())
    races.looks.set(keyOf(race), { at: epochMs(), contentHash: found[i] ?? null })
  const later = cut.map(async ({ race, before }) => {
    const lane = new Lane(next.port)
    const { release, ended } = await races.hold(lane, race, race.copies.slice(before))
    release()
    await ended()
    lane.close()
  })
  await Promise.all(later)
  return next
}

function keyOf({ call, sequence }: { readonly call: string; readonly sequence: number }): string {
  return `${call} ${sequence}`
}

function verdictOf(races: Races, history: History, stored: readonly ReadBackCall[]): Verdict {
  const hashes = groupBy(
    stored.flatMap(({ call, packets }) => packets.map((packet) => ({ call, ...packet }))),
    keyOf,
  )
  const run = [...groupBy(history.packets, keyOf)].map(([key, attempts]) => {
    const { call, sequence } = attempts[0] as (typeof attempts)[number]
    const kept = (hashes.get(key) ?? []).map(({ contentHash: hash }) => hash)
    return { call, sequence, attempts, look: races.looks.get(key) ?? null, stored: kept }
  })
  const cut = run.filter(({ look }) => look !== null)
  const isBefore = (at: number) => (attempt: (typeof history.packets)[number]) => attempt.sentAt < at
  const acknowledgedBefore = cut.filter(({ look, attempts }) =>
    attempts.filter(isBefore(look?.at ?? 0)).some(isAcknowledged),
  ).length
  const unknownBefore = cut.filter(({ attempts }) =>
    attempts.some(({ outcome }) => outcome === 'unknown'),
  ).length
  return {
    counts: { ...races.counts, cutInTwo: cut.length },
    notes: { acknowledgedBefore, unknownBefore },
    faults: acknowledgedBefore + unknownBefore,
    findings: [
      ...linesOf('in the end', describe(judge(history, stored))),
      ...describeRaces(run.flatMap(judgeRace)),
    ],
  }
}

function describeRaces(violations: readonly RaceViolation[]): readonly string[] {
  return [...groupBy(violations, ({ kind }) => kind)].map(
    ([kind, ofKind]) =>
      `${kind} × ${ofKind.length} (${ofKind
        .slice(0, 3)
        .map(({ call, detail }) => `${call}/${detail}`)
        .join('; ')})`,
  )
}
