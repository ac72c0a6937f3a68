/** Load on a disk that fails: what was acknowledged must be there, whatever the disk answered. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Service } from '../support/service.js'
import type { PacketAttempt } from './attempts.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { linesOf } from './kill-runs.js'
import { describe, judge } from './oracle.js'
import { type Random, randomOf } from './random.js'
import { readEverything } from './read-back.js'
import { reasonsOf } from './readiness.js'
import { Connection } from './requests.js'
import { endMsMax, epochMs, killHard, type Stage, sleep, within } from './stage.js'
import { type Fault, Strace, syncCalls } from './strace.js'
import type { Verdict } from './verdict.js'

export interface DiskFaultPlan {
  readonly seed: number
  readonly rounds: number
}

/** The error is held back this long, so that every answer to an earlier commit is out before it. */
const holdMs = 200
const exitMsMax = 2000

/**
 * An fsync fails: what the file holds is unknown (V6). Nothing more is acknowledged, the process ends by itself and
 * says so, and the next one finds all that was acknowledged.
 */
export async function runFailingSyncs(stage: Stage, { seed, rounds }: DiskFaultPlan): Promise<Verdict> {
  const random = randomOf(seed)
  const dataDir = stage.folder()
  const driver = new LoadDriver(stage.folder(), ordinaryLoad, random)
  const findings: string[] = []
  let faults = 0
  for (let round = 0; round < rounds; round++) {
    const beganAt = epochMs()
    const service = await stage.service({ dataDir })
    const startedMs = epochMs() - beganAt
    const fault = `error=EIO:delay_enter=${holdMs * 1000}:when=${random.integer(3, 25)}`
    const strace = await Strace.attach(stage, service.child.pid as number, { calls: syncCalls, fault })
    driver.start(service.port)
    const end = await within(60_000, service.exited)
    const exitedAt = epochMs()
    if (end === null) await killHard(service)
    await driver.halt()
    await strace.detach()

    const failedAt = strace.injected()[0]?.at
    if (failedAt === undefined) continue
    faults++
    const errorAt = failedAt + holdMs
    if (end === null) findings.push(`round ${round}: it went on after an fsync error`)
    else if (end.value === 0 || end.value === null)
      findings.push(`round ${round}: after an fsync error the exit code is ${end.value}`)
    if (exitedAt > errorAt + endMsMax(exitMsMax, startedMs))
      findings.push(`round ${round}: it ended ${Math.round(exitedAt - errorAt)} ms after the error`)
    const afterwards = driver.history().packets.filter((attempt) => isAcknowledgedAfter(attempt, errorAt))
    if (afterwards.length > 0)
      findings.push(`round ${round}: ${afterwards.length} packets were acknowledged after the fsync error`)
    if (!service.log.some(({ level }) => level === 60))
      findings.push(`round ${round}: no fatal line was logged`)
  }
  return { faults, ...(await verify(stage, dataDir, driver, findings)) }
}

function isAcknowledgedAfter({ outcome, doneAt }: PacketAttempt, at: number): boolean {
  return (outcome === 'accepted' || outcome === 'duplicate') && (doneAt ?? 0) > at
}

async function verify(
  stage: Stage,
  dataDir: string,
  driver: LoadDriver,
  findings: readonly string[],
): Promise<Omit<Verdict, 'faults'>> {
  const service = await stage.service({ dataDir })
  const found = await judgeAndSettle(service, driver)
  await killHard(service)
  driver.close()
  return { ...found, findings: [...findings, ...found.findings] }
}

/**
 * Judges what is stored; sends what is unknown again; judges once more. `isOurs` leaves out calls that somebody else
 * made.
 */
export async function judgeAndSettle(
  service: Service,
  driver: LoadDriver,
  isOurs: (call: string) => boolean = () => true,
): Promise<Required<Omit<Verdict, 'faults'>>> {
  const history = driver.history()
  const calls = new Set(history.packets.map(({ call }) => call))
  const stored = async () => (await readEverything(service.port, calls)).filter(({ call }) => isOurs(call))
  const before = judge(history, await stored())
  const sentAgain = await driver.settleUnknown(service.port)
  const after = judge(driver.history(), await stored())
  return {
    counts: {
      attempts: history.packets.length,
      acknowledged: history.packets.filter(({ outcome }) => outcome === 'accepted').length,
    },
    notes: { sentAgain },
    findings: [
      ...linesOf('after the fault', describe(before)),
      ...linesOf('after sending again', describe(after)),
    ],
  }
}

/** A write fails once, in the middle of a commit. Which one is chosen by the seed. */
function writeFaults(random: Random): Fault {
  const error = random.pick(['ENOSPC', 'EDQUOT', 'EIO'])
  const first = random.integer(10, 60)
  return { calls: 'pwrite64', fault: `error=${error}:when=${first}+${random.integer(40, 120)}` }
}

/**
 * Writes fail now and then: those commits are answered 503, the process stays up and serves, and what was refused is
 * stored and acknowledged once when it is sent again; it is never called a duplicate of what is not stored (P6, V6).
 */
export async function runFailingWrites(stage: Stage, { seed, rounds }: DiskFaultPlan): Promise<Verdict> {
  const random = randomOf(seed)
  const driver = new LoadDriver(stage.folder(), { ...ordinaryLoad, resendShare: 0.2 }, random)
  const service = await stage.service({ dataDir: stage.folder() })
  const connection = new Connection(service.port)
  const findings: string[] = []
  let faults = 0
  for (let round = 0; round < rounds; round++) {
    const strace = await Strace.attach(stage, service.child.pid as number, writeFaults(random))
    driver.start(service.port)
    await sleep(1500)
    await driver.halt()
    await strace.detach()
    faults += strace.injected().length
    for (const path of ['/health/live', '/v1/calls']) {
      const answer = await connection.get(path)
      if (answer.kind !== 'answered' || answer.status !== 200)
        findings.push(`round ${round}: ${path} was answered ${JSON.stringify(answer).slice(0, 200)}`)
    }
    // The last write may have met a full disk.
    findings.push(...(await reasonsOf(service, [])))
  }
  connection.close()
  const refused = driver.history().packets.filter(({ detail }) => detail === '503').length
  if (service.child.exitCode !== null || service.child.signalCode !== null)
    return { counts: { refused }, faults, findings: [`it ended: ${lastLines(service)}`] }
  const found = await judgeAndSettle(service, driver)
  driver.close()
  return {
    counts: { ...found.counts, refused },
    notes: found.notes,
    faults,
    findings: [...findings, ...found.findings],
  }
}

/** A checkpoint begins at 64 MiB of log; a tracer slows everything down, so it is attached only shortly before. */
const logBytesBefore = 52 * 1024 * 1024

/**
 * A checkpoint cannot write to the database, while the commits before and after it reach the log: nothing is lost by
 * that, so nothing is refused, and the process goes on.
 */
export async function runFailingCheckpoint(stage: Stage, { seed }: { seed: number }): Promise<Verdict> {
  const dataDir = stage.folder()
  const load = { ...ordinaryLoad, dataBytes: 30 * 1024, connections: 16, calls: 8 }
  const driver = new LoadDriver(stage.folder(), load, randomOf(seed))
  const service = await stage.service({ dataDir })
  const file = join(dataDir, 'voicestream.db')
  driver.start(service.port)
  const until = epochMs() + 30_000
  while (epochMs() < until && logBytes(file) < logBytesBefore) await sleep(10)
  const fault = { calls: 'pwrite64', fault: 'error=EIO:when=5', file }
  const strace = await Strace.attach(stage, service.child.pid as number, fault)
  while (epochMs() < until && strace.injected().length === 0) await sleep(50)
  await sleep(500)
  await driver.halt()
  await strace.detach()
  const faults = strace.injected().length
  if (service.child.exitCode !== null)
    return { counts: {}, faults, findings: [`it ended after a failed checkpoint: ${lastLines(service)}`] }
  const found = await judgeAndSettle(service, driver)
  await killHard(service)
  driver.close()
  return { ...found, faults }
}

function logBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0
}

export function lastLines({ log, errors }: Service): string {
  return [...log.slice(-2).map((line) => JSON.stringify(line)), ...errors.slice(-3)].join(' ').slice(0, 1000)
}
