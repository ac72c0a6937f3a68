/**
 * `kill -9` under load, again and again on one data folder: nothing that was acknowledged is lost, nothing is stored
 * twice, and what was unknown can be sent again.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mainPath, quickSettings } from '../support/service.js'
import { type DriverOptions, LoadDriver, ordinaryLoad } from './driver.js'
import { describe, judge, type ReadBackCall } from './oracle.js'
import { type Random, randomOf } from './random.js'
import { readEverything } from './read-back.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface KillPlan {
  readonly seed: number
  readonly kills: number
  readonly load: Partial<DriverOptions>
  readonly settings?: Readonly<Record<string, string | number>>
  /** After every second kill the next start is killed as well, while it recovers. */
  readonly killsRecovery: boolean
  /** The last kill waits for so many acknowledged packets: a plan that means folded runs must make some. */
  readonly acknowledgedMin?: number
  /** And so many packets the longest call must have at the end. */
  readonly longestCallMin?: number
}

const killAfterMs = { first: 50, last: 800 }
/** After its first line, when it opens the store; before that it has not touched anything. */
const recoveryKillAfterMs = { first: 0, last: 60 }
const recoveryKillTriesMax = 5

export async function runKills(stage: Stage, plan: KillPlan): Promise<Verdict> {
  const random = randomOf(plan.seed)
  const dataDir = stage.folder()
  const settings = { LOG_LEVEL: 'warn', ...plan.settings }
  const driver = new LoadDriver(stage.folder(), { ...ordinaryLoad, ...plan.load }, random)
  let underLoad = 0
  let inRecovery = 0
  for (let kill = 0; kill < plan.kills; kill++) {
    const service = await stage.service({ dataDir, settings: { ...settings, LOG_LEVEL: 'info' } })
    const before = driver.acknowledged
    driver.start(service.port)
    await sleep(random.integer(killAfterMs.first, killAfterMs.last))
    if (kill === plan.kills - 1) await untilAcknowledged(driver, plan.acknowledgedMin ?? 0)
    const wasBusy = driver.inFlight > 0 && driver.acknowledged > before
    await killHard(service)
    await driver.halt()
    if (wasBusy) underLoad++
    if (plan.killsRecovery && kill % 2 === 1 && (await killInRecovery(dataDir, random))) inRecovery++
  }
  const findings = await verify(stage, dataDir, driver, plan)
  return {
    counts: { ...findings.counts, ...(plan.killsRecovery && plan.kills > 1 ? { inRecovery } : {}) },
    faults: underLoad,
    findings: [
      ...findings.lines,
      // A kill that finds nothing in flight shows nothing; most must.
      ...(underLoad * 2 >= plan.kills
        ? []
        : [`only ${underLoad} of ${plan.kills} kills met requests in flight`]),
    ],
  }
}

async function untilAcknowledged(driver: LoadDriver, count: number): Promise<void> {
  const until = epochMs() + 15_000
  while (driver.acknowledged < count && epochMs() < until) await sleep(20)
}

async function verify(
  stage: Stage,
  dataDir: string,
  driver: LoadDriver,
  plan: KillPlan,
): Promise<{ counts: Record<string, number>; lines: readonly string[] }> {
  const service = await stage.service({ dataDir, settings: plan.settings ?? {} })
  const history = driver.history()
  const called = new Set(history.packets.map(({ call }) => call))
  const stored = await readEverything(service.port, called)
  const lines = [...linesOf('after the kills', describe(judge(history, stored)))]

  await driver.settleUnknown(service.port)
  const settled = driver.history()
  lines.push(
    ...linesOf('after sending again', describe(judge(settled, await readEverything(service.port, called)))),
  )
  driver.close()
  await killHard(service)

  const longest = longestOf(stored)
  if (longest < (plan.longestCallMin ?? 0)) lines.push(`the longest call has only ${longest} packets`)
  return {
    lines,
    counts: {
      attempts: history.packets.length,
      acknowledged: history.packets.filter(({ outcome }) => outcome === 'accepted').length,
      unknown: history.packets.filter(({ outcome }) => outcome === 'unknown').length,
      stored: stored.reduce((sum, { packets }) => sum + packets.length, 0),
      calls: stored.length,
    },
  }
}

export function linesOf(when: string, text: string): readonly string[] {
  return text === '' ? [] : text.split('\n').map((line) => `${when}: ${line}`)
}

function longestOf(stored: readonly ReadBackCall[]): number {
  return stored.reduce((longest, { packets }) => Math.max(longest, packets.length), 0)
}

/** False when every try came too late: the service listened before it was killed. */
async function killInRecovery(dataDir: string, random: Random): Promise<boolean> {
  for (let i = 0; i < recoveryKillTriesMax; i++) if (await killOneStart(dataDir, random)) return true
  return false
}

async function killOneStart(dataDir: string, random: Random): Promise<boolean> {
  const variables = Object.entries({ ...quickSettings, PORT: 0, DATA_DIR: dataDir })
  const environment = variables.map(([key, value]) => [`VOICESTREAM_${key}`, String(value)])
  const child = spawn(process.execPath, [mainPath()], {
    env: { ...process.env, ...Object.fromEntries(environment) },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = once(child, 'exit')
  let output = ''
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      output += chunk
      if (output.includes('"starting"')) resolve()
    })
    child.once('exit', () => resolve())
  })
  await sleep(random.integer(recoveryKillAfterMs.first, recoveryKillAfterMs.last))
  child.kill('SIGKILL')
  await exited
  return child.signalCode === 'SIGKILL' && !output.includes('"listening"')
}

/** The shapes of load that stress different parts of the store. */
export const killVariants = {
  /** Many calls side by side. */
  interleaved: { load: {}, killsRecovery: false },
  /** Every third packet makes a call. */
  'small calls': { load: { calls: 20, packetsPerCall: 3, connections: 4 }, killsRecovery: true },
  /** Long calls: their packets are folded into runs while new ones come. */
  folding: {
    load: { calls: 2, connections: 16, skipShare: 0.05 },
    killsRecovery: true,
    acknowledgedMin: 250,
    longestCallMin: 80,
  },
  /** Whole trunks: one answer for many packets of many calls. */
  bulk: { load: { connections: 4, bulkPackets: 50, calls: 20 }, killsRecovery: false },
} as const satisfies Record<string, Omit<KillPlan, 'seed' | 'kills'>>
