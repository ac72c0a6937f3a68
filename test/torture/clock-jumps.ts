/**
 * Somebody sets the wall clock while calls wait (P20): no deadline comes early or late, and what supervisors are told
 * stays in order. Packets carry timestamps from all over: those belong to the PBX and set no deadline. All times are
 * measured from outside, by a clock that nobody moves.
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Service } from '../support/service.js'
import type { State } from './lifecycle-oracle.js'
import { compile } from './native/compile.js'
import { readViews } from './read-back.js'
import { Connection } from './requests.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import { Supervisor, type ToldEvent } from './supervisor.js'
import type { Verdict } from './verdict.js'

const daySeconds = 86_400
export const jumps = {
  'a day back': -daySeconds,
  'a day ahead': daySeconds,
  'a year ahead': 365 * daySeconds,
} as const
export type Jump = keyof typeof jumps

/** Every analysis fails twice, so that its backoff can be seen: in analysis until the second attempt has failed. */
const settings = {
  GRACE_PERIOD_MS: 3000,
  CALL_IDLE_TIMEOUT_MS: 4000,
  AI_SIMULATED_FAILURE_RATE: 1,
  AI_MAX_ATTEMPTS: 2,
  AI_BACKOFF_BASE_MS: 2500,
  AI_BUDGET_MS: 6000,
  // The analyses must fail, and not wait for the provider.
  AI_BREAKER_FAILURES: 0,
}
const toleranceMs = 1000
const callsOfAKind = 5
/** Within what a packet may carry; one of them is the PBX that thinks it is 1970. */
const timestamps = [1, 1_700_000_000, 4_000_000_000]
const kinds = ['backoff', 'grace', 'idle'] as const
type Kind = (typeof kinds)[number]

/** Each jump on a database of its own, then once more with a kill and a start behind it. */
export async function runClockJumps(stage: Stage, chosen: readonly Jump[]): Promise<Verdict> {
  const library = compile(stage, 'clock-jump')
  const findings: string[] = []
  const latest: Record<string, number> = {}
  let faults = 0
  let timers = 0
  let events = 0
  for (const jump of chosen) {
    const report = (text: string) => findings.push(`${jump}: ${text}`)
    const clock = new WallClock(stage, library)
    const dataDir = stage.folder()
    const service = await stage.service({ dataDir, settings, wrapper: clock.wrapper })
    const supervisor = new Supervisor(stage)
    await supervisor.connect(service.port)
    const begunAt = await letCallsWait(service.port, 'first')
    clock.set(jumps[jump])
    timers += await judgeTimers(supervisor, begunAt, 'first', report)
    events += judgeOrder(supervisor.events, report)

    await letCallsWait(service.port, 'second')
    if (await hasMoved(service, jumps[jump])) faults++
    else report('the service did not see the clock jump')
    const restarted = await stage.service({ dataDir, settings, wrapper: clock.wrapper })
    const waits = await waitsAfterStart(restarted.port, report)
    for (const [kind, ms] of Object.entries(waits)) latest[`${jump}, ${kind} after a restart, ms`] = ms
    await killHard(restarted)
  }
  return { counts: { timers, events }, notes: latest, faults, findings }
}

class WallClock {
  readonly wrapper: readonly string[]
  readonly #path: string

  constructor(stage: Stage, library: string) {
    this.#path = join(stage.folder(), 'shift')
    writeFileSync(this.#path, Buffer.alloc(8))
    this.wrapper = ['env', `LD_PRELOAD=${library}`, `VSTEST_CLOCK_SHIFT=${this.#path}`]
  }

  /** In place: the service has the file mapped. */
  set(seconds: number): void {
    const shift = Buffer.alloc(8)
    shift.writeBigInt64LE(BigInt(seconds))
    const file = openSync(this.#path, 'r+')
    writeSync(file, shift, 0, shift.length, 0)
    closeSync(file)
  }
}

type Round = 'first' | 'second'

/** Begins calls so that at the end some wait for a further attempt, some for late packets, some for any packet. */
async function letCallsWait(port: number, round: Round): Promise<ReadonlyMap<string, number>> {
  const connection = new Connection(port)
  const begunAt = new Map<string, number>()
  const begin = async (kind: Kind) => {
    for (const [i, call] of callsOf(round, kind).entries()) {
      const packet = { sequence: 0, data: call, timestamp: timestamps[i % timestamps.length] }
      await answered(connection, `/v1/call/stream/${call}`, packet)
      if (kind !== 'idle') await answered(connection, `/v1/call/complete/${call}`, { total_packets: 1 })
      begunAt.set(call, epochMs())
    }
  }
  await begin('backoff')
  await sleep(settings.GRACE_PERIOD_MS)
  await begin('grace')
  await begin('idle')
  await sleep(700)
  connection.close()
  return begunAt
}

function callsOf(round: Round, kind: Kind): readonly string[] {
  return Array.from({ length: callsOfAKind }, (_, i) => `${round}-${kind}-${i}`)
}

async function answered(connection: Connection, path: string, body: unknown): Promise<void> {
  const answer = await connection.post(path, JSON.stringify(body))
  if (answer.kind !== 'answered' || answer.status !== 202)
    throw new Error(`${path} was answered ${JSON.stringify(answer)}`)
}

/** When each kind of call goes on, and from when on it is counted. */
async function judgeTimers(
  supervisor: Supervisor,
  begunAt: ReadonlyMap<string, number>,
  round: Round,
  report: (text: string) => void,
): Promise<number> {
  const toldAt = (call: string, state: State) =>
    supervisor.events.find(({ call_id, to_state }) => call_id === call && to_state === state)?.toldAt
  const waits: Record<Kind, (call: string) => { ms: number | undefined; promisedMs: number }> = {
    backoff: (call) => ({
      ms: elapsed(toldAt(call, 'PROCESSING_AI'), toldAt(call, 'FAILED')),
      promisedMs: settings.AI_BACKOFF_BASE_MS,
    }),
    grace: (call) => ({
      ms: elapsed(begunAt.get(call), toldAt(call, 'PROCESSING_AI')),
      promisedMs: settings.GRACE_PERIOD_MS,
    }),
    idle: (call) => ({
      ms: elapsed(begunAt.get(call), toldAt(call, 'COMPLETED')),
      promisedMs: settings.CALL_IDLE_TIMEOUT_MS,
    }),
  }
  const all = kinds.flatMap((kind) =>
    callsOf(round, kind).map((call) => () => ({ call, ...waits[kind](call) })),
  )
  const until = epochMs() + settings.CALL_IDLE_TIMEOUT_MS + 2 * toleranceMs
  while (epochMs() < until && all.some((wait) => wait().ms === undefined)) await sleep(20)
  for (const wait of all) {
    const { call, ms, promisedMs } = wait()
    if (ms === undefined) report(`${call} did not go on`)
    else if (Math.abs(ms - promisedMs) > toleranceMs)
      report(`${call} went on after ${Math.round(ms)} ms instead of ${promisedMs}`)
  }
  return all.length
}

function elapsed(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from
}

/** Positions count up by one, and no event is dated before the one that it follows. */
function judgeOrder(events: readonly ToldEvent[], report: (text: string) => void): number {
  for (const [i, event] of events.entries()) {
    const before = events[i - 1]
    if (before === undefined) continue
    if (offsetOf(event) !== offsetOf(before) + 1) report(`${event.position} follows ${before.position}`)
    if (Date.parse(event.at) < Date.parse(before.at)) report(`${event.at} follows ${before.at}`)
  }
  return events.length
}

function offsetOf({ position }: ToldEvent): number {
  return Number.parseInt(position.split('.')[1] ?? '', 36)
}

/** Kills the service, but not before it has dated a line of its log. */
async function hasMoved(service: Service, seconds: number): Promise<boolean> {
  service.kill('SIGTERM')
  const line = () => service.log.find(({ msg }) => msg === 'draining')
  while (line() === undefined) await sleep(1)
  const shiftMs = Date.parse(String(line()?.['time'])) - epochMs()
  await killHard(service)
  return Math.abs(shiftMs - seconds * 1000) < toleranceMs
}

/**
 * How long each kind of call still waited. What the clock did while nothing ran cannot be known: a deadline may come at
 * once, but never later than if its whole wait began anew.
 */
async function waitsAfterStart(
  port: number,
  report: (text: string) => void,
): Promise<Readonly<Record<Kind, number>>> {
  const startedAt = epochMs()
  const waiting = { backoff: 'PROCESSING_AI', grace: 'COMPLETED', idle: 'IN_PROGRESS' } as const
  const longestMs = {
    backoff: settings.AI_BUDGET_MS,
    grace: settings.GRACE_PERIOD_MS,
    idle: settings.CALL_IDLE_TIMEOUT_MS,
  }
  const waited = { backoff: 0, grace: 0, idle: 0 }
  const left = new Set<Kind>(kinds)
  while (left.size > 0 && epochMs() - startedAt < 3 * Math.max(...Object.values(longestMs))) {
    const views = await readViews(port)
    for (const kind of left) {
      const calls = callsOf('second', kind)
      const waits = views.some(({ call_id, state }) => calls.includes(call_id) && state === waiting[kind])
      if (waits) waited[kind] = Math.round(epochMs() - startedAt)
      else left.delete(kind)
    }
    await sleep(20)
  }
  for (const kind of kinds)
    if (waited[kind] > longestMs[kind] + toleranceMs)
      report(`after a restart ${kind} took ${waited[kind]} ms instead of ${longestMs[kind]} at most`)
  return waited
}
