/** The soak itself: load, onlookers and samples; then the calls end, leave memory, and everything is accounted for. */
import type { Check } from '../../bench/scenario.js'
import type { Service } from '../support/service.js'
import { LoadDriver, ordinaryLoad } from '../torture/driver.js'
import { describe, judge } from '../torture/oracle.js'
import { randomOf } from '../torture/random.js'
import { readEverything } from '../torture/read-back.js'
import { epochMs, type Stage } from '../torture/stage.js'
import { Onlookers } from './churn.js'
import { look, lookUntil } from './samples.js'
import { heldMaps, judgeSamples, loadMinutes, type Series, warmUpMinutes } from './verdict.js'

export interface SoakPlan {
  readonly minutes: number
  readonly packetsPerSecond: number
  readonly seed: number
}

export interface Soak {
  readonly series: Series
  readonly checks: readonly Check[]
  readonly notes: readonly string[]
}

const samplePeriodMs = 5000
/** A minute of silence, and what the sweep and the last analyses take. */
const emptyMsMax = 180_000

/** As it runs in production, but for the port and the folder. */
const settings = {
  GRACE_PERIOD_MS: 3000,
  AI_SIMULATED_FAILURE_RATE: 0.25,
  AI_SIMULATED_LATENCY_MIN_MS: 1000,
  AI_SIMULATED_LATENCY_MAX_MS: 3000,
}

export async function runSoak(stage: Stage, plan: SoakPlan, tell: (line: string) => void): Promise<Soak> {
  const random = randomOf(plan.seed)
  const service = await stage.service({ dataDir: stage.folder(), settings })
  const load = { ...ordinaryLoad, packetsPerSecond: plan.packetsPerSecond, packetsPerCall: 200 }
  const driver = new LoadDriver(stage.folder(), { ...load, completes: true, connections: 16 }, random)
  const onlookers = new Onlookers(service.port, random)
  const startedAt = epochMs()
  const before = await look(service, startedAt)
  const where = { service, startedAt, periodMs: samplePeriodMs }

  driver.start(service.port)
  onlookers.start()
  let toldMinutes = 0
  const loaded = await lookUntil((sample) => {
    if (sample.minutes >= toldMinutes) {
      const { minutes, residentMib, heapMib, openFiles, maps } = sample
      tell(
        `${minutes.toFixed(1)} min: ${driver.acknowledged} packets acknowledged, ${residentMib.toFixed(0)} MiB resident, heap ${heapMib.toFixed(0)} MiB, ${openFiles} files, ${maps.activeCalls} calls in memory`,
      )
      toldMinutes += Math.max(0.5, plan.minutes / 30)
    }
    return sample.minutes >= loadMinutes(plan.minutes)
  }, where)
  const acknowledged = driver.acknowledged
  await driver.halt()
  await onlookers.halt()
  await driver.completeOpen(service.port)
  tell('the load is over: waiting until every call has ended and left memory')
  const giveUpAt = epochMs() + emptyMsMax
  const after = await lookUntil(
    (sample) => (sample.openCalls === 0 && heldMaps(sample) === '') || epochMs() > giveUpAt,
    where,
  )

  const series = { judgedFromMinutes: warmUpMinutes(plan.minutes), before, loaded, after }
  const accounts = await judgeAccounts(service, driver)
  const rate = acknowledged / ((loaded.at(-1)?.minutes ?? Number.NaN) * 60)
  service.kill('SIGTERM')
  const exitCode = await service.exited
  driver.close()
  const faults = service.log.filter(({ level }) => Number(level) >= 50).length
  const checks = [
    ...judgeSamples(series),
    isNone('packets and completions without a clear answer', driver.counts.unknown),
    ...accounts.checks,
    isNone('answers that no onlooker should get', onlookers.odd.length, onlookers.odd[0]),
    isNone('log lines of level error', faults),
    {
      name: 'acknowledged packets a second',
      wanted: `≥ ${0.9 * plan.packetsPerSecond}`,
      found: rate.toFixed(0),
      isMet: rate >= 0.9 * plan.packetsPerSecond,
    },
    { name: 'exit code after SIGTERM', wanted: '0', found: String(exitCode), isMet: exitCode === 0 },
  ]
  return {
    series,
    checks,
    notes: [
      `${driver.counts.accepted} packets and completions accepted, ${driver.counts.duplicate} duplicates, ${driver.counts.refused} refused as too late; ${accounts.calls} calls.`,
      `${onlookers.connects} supervisors came and went and received ${onlookers.events} events; ${onlookers.reads} reads.`,
    ],
  }
}

const isNone = (name: string, count: number, first?: string): Check => ({
  name,
  wanted: '0',
  found: first === undefined ? String(count) : `${count}, first: ${first}`,
  isMet: count === 0,
})

/** Every packet that was acknowledged is there, once, with its bytes, and nothing else is. */
async function judgeAccounts(
  { port }: Service,
  driver: LoadDriver,
): Promise<{ checks: readonly Check[]; calls: number }> {
  const history = driver.history()
  const known = new Set(history.packets.map(({ call }) => call))
  const stored = await readEverything(port, known)
  const violations = judge(history, stored)
  return {
    checks: [
      isNone(
        'broken rules of the account, packet by packet',
        violations.length,
        violations.length === 0 ? undefined : describe(violations),
      ),
      {
        name: 'calls that ended',
        wanted: 'all',
        found: `${stored.filter(({ view }) => isTerminal(view)).length} of ${known.size}`,
        isMet: known.size > 0 && known.size === stored.filter(({ view }) => isTerminal(view)).length,
      },
    ],
    calls: known.size,
  }
}

function isTerminal(view: object | null): boolean {
  const state = view !== null && 'state' in view ? view.state : null
  return state === 'ARCHIVED' || state === 'FAILED'
}
