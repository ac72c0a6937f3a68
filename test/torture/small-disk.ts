/** A disk that is full: a tmpfs of a few MiB that grows later. Its fsyncs cost nothing, which does not matter here. */

import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { patience } from '../support/patience.js'
import type { Service } from '../support/service.js'
import { judgeAndSettle, lastLines } from './disk-faults.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { randomOf } from './random.js'
import { reasonsOf } from './readiness.js'
import { type Answer, Connection } from './requests.js'
import { epochMs, killHard, type Stage, sleep, within } from './stage.js'
import type { Unavailable, Verdict } from './verdict.js'

export class SmallDisk {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static mount(stage: Stage, mebibytes: number): SmallDisk {
    const folder = mkdtempSync(join(tmpdir(), 'voicestream-small-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'tmpfs', folder], {
      stdio: 'pipe',
    })
    stage.after(() => {
      execFileSync('umount', [folder], { stdio: 'pipe' })
      rmdirSync(folder)
    })
    return new SmallDisk(folder)
  }

  /** To the last block. */
  fill(): void {
    const file = openSync(join(this.folder, 'filler'), 'w')
    const block = Buffer.alloc(4096)
    try {
      for (;;) writeSync(file, block)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    } finally {
      closeSync(file)
    }
  }

  grow(mebibytes: number): void {
    execFileSync('mount', ['-o', `remount,size=${mebibytes}m`, this.folder], { stdio: 'pipe' })
  }
}

export function mountUnavailable(): Unavailable {
  const folder = mkdtempSync(join(tmpdir(), 'voicestream-small-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' })
    execFileSync('umount', [folder], { stdio: 'pipe' })
    return null
  } catch (error) {
    return `a tmpfs cannot be mounted here: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`
  } finally {
    rmdirSync(folder)
  }
}

export interface FullDiskPlan {
  readonly seed: number
  readonly mebibytes: number
  readonly grownMebibytes: number
}

const largePackets = { ...ordinaryLoad, dataBytes: 24 * 1024, connections: 4, calls: 8 }
const resumeMsMax = 5000

/**
 * The disk fills up under load: packets are answered 503 with `Retry-After`, never 202; reads and health stay up; when
 * there is space again packets are taken within 5 s, without a restart; nothing acknowledged is lost (P11).
 */
export async function runFullDisk(stage: Stage, plan: FullDiskPlan): Promise<Verdict> {
  const disk = SmallDisk.mount(stage, plan.mebibytes)
  const driver = new LoadDriver(stage.folder(), largePackets, randomOf(plan.seed))
  const service = await stage.service({ dataDir: disk.folder })
  const findings: string[] = []
  driver.start(service.port)
  await untilFull(driver)
  // It stays full for a while: every commit fails, again and again.
  await sleep(1000)
  const whileFull = driver.acknowledged
  await driver.halt()
  findings.push(
    ...(await readWhileFull(service, ['/', '/health/live', '/metrics'])),
    ...(await reasonsOf(service, ['disk_full'])),
  )

  const refused = driver.history().packets.filter(({ detail }) => detail === '503').length
  const broken = driver.history().packets.filter(({ detail }) => !/^\d+$/.test(detail)).length
  if (broken > 0) findings.push(`${broken} packets were not answered`)
  if (service.child.exitCode !== null)
    return { counts: { refused }, faults: refused, findings: [`it ended: ${lastLines(service)}`] }

  disk.grow(plan.grownMebibytes)
  const grownAt = epochMs()
  // A service that is not ready has no traffic: it must find out by itself.
  findings.push(...(await reasonsOf(service, [])))
  driver.start(service.port)
  while (driver.acknowledged === whileFull && epochMs() < grownAt + patience(resumeMsMax)) await sleep(10)
  if (driver.acknowledged === whileFull)
    findings.push(`nothing was acknowledged ${resumeMsMax} ms after there was space`)
  await driver.halt()
  const found = await judgeAndSettle(service, driver)
  // And again after a crash: what was acknowledged on a full disk is on it.
  await killHard(service)
  const next = await stage.service({ dataDir: disk.folder })
  const recovered = await judgeAndSettle(next, driver)
  await killHard(next)
  driver.close()
  return {
    counts: { attempts: found.counts['attempts'] ?? 0, acknowledged: whileFull, refused },
    faults: refused,
    findings: [...findings, ...found.findings, ...recovered.findings],
  }
}

async function untilFull(driver: LoadDriver): Promise<void> {
  const until = epochMs() + 15_000
  while (driver.counts.unknown < 8) {
    if (epochMs() > until) throw new Error('the disk did not fill up')
    await sleep(10)
  }
}

export async function readWhileFull({ port }: Service, paths: readonly string[]): Promise<readonly string[]> {
  const connection = new Connection(port)
  const answers: [string, Answer][] = []
  for (const path of paths) answers.push([path, await connection.get(path)])
  connection.close()
  return answers
    .filter(([, answer]) => answer.kind !== 'answered' || answer.status !== 200)
    .map(
      ([path, answer]) =>
        `while the disk was full ${path} was answered ${JSON.stringify(answer).slice(0, 300)}`,
    )
}

/** What is on a full disk can be read, by calls whose last packets were refused too (P11). */
export async function runReadsOnFullDisk(stage: Stage, plan: FullDiskPlan): Promise<Verdict> {
  const disk = SmallDisk.mount(stage, plan.mebibytes)
  const driver = new LoadDriver(stage.folder(), largePackets, randomOf(plan.seed))
  const service = await stage.service({ dataDir: disk.folder })
  driver.start(service.port)
  await untilFull(driver)
  await driver.halt()
  const calls = [...new Set(driver.history().packets.map(({ call }) => call))]
  const paths = calls.flatMap((call) =>
    ['', '/packets?limit=1', '/gaps'].map((part) => `/v1/call/${call}${part}`),
  )
  const findings = await readWhileFull(service, ['/v1/calls', ...paths])
  driver.close()
  return { counts: { calls: calls.length }, faults: driver.counts.unknown, findings: findings.slice(0, 3) }
}

/** SIGTERM on a full disk: the process ends in time, even though it cannot tidy up, and loses nothing (P19). */
export async function runStopOnFullDisk(stage: Stage, plan: FullDiskPlan): Promise<Verdict> {
  const disk = SmallDisk.mount(stage, plan.mebibytes)
  const driver = new LoadDriver(stage.folder(), largePackets, randomOf(plan.seed))
  const service = await stage.service({ dataDir: disk.folder })
  driver.start(service.port)
  await untilFull(driver)
  const acknowledged = driver.acknowledged
  service.kill('SIGTERM')
  await driver.halt()
  const end = await within(10_000, service.exited)
  const findings = end === null ? [`it did not end within 10 s of SIGTERM: ${lastLines(service)}`] : []
  if (end === null) await killHard(service)
  disk.grow(plan.grownMebibytes)
  const next = await stage.service({ dataDir: disk.folder })
  const found = await judgeAndSettle(next, driver)
  await killHard(next)
  driver.close()
  return {
    counts: { acknowledged },
    faults: driver.counts.unknown,
    findings: [...findings, ...found.findings],
  }
}
