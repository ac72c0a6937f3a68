/**
 * Power cuts under load (P2): what was acknowledged before the cut is there after it, whether the disk kept only what
 * was synced or any part of the rest. Each moment is set aside while the load runs and started from afterwards.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Service } from '../support/service.js'
import { type DriverOptions, LoadDriver, ordinaryLoad } from './driver.js'
import { linesOf } from './kill-runs.js'
import { describe, judge } from './oracle.js'
import { contentOf, copyOf, type Moment, PowerDisk } from './power-disk.js'
import { type Random, randomOf } from './random.js'
import { readEverything } from './read-back.js'
import { killHard, type Stage, sleep } from './stage.js'
import { writeTornMix } from './torn-mix.js'
import type { Verdict } from './verdict.js'

export interface PowerPlan {
  readonly seed: number
  readonly cuts: number
  /** What the disk keeps of what was not synced: nothing, or some sectors of it. */
  readonly keeps: 'nothing' | 'some sectors'
  /** Preloads of the service under load; it is started without them from what the cut left. */
  readonly preloads?: readonly string[]
}

/** Loads that make the store write in different ways, and preloads that they need. */
const shapes: readonly { load: Partial<DriverOptions>; preloads: readonly string[] }[] = [
  { load: {}, preloads: [] },
  { load: { connections: 4, bulkPackets: 50, calls: 20 }, preloads: ['small-log'] },
  { load: { calls: 20, packetsPerCall: 5, completes: true, connections: 6 }, preloads: [] },
  { load: { calls: 3, connections: 16, dataBytes: 4000 }, preloads: ['small-log'] },
]
/** Cuts of one run, before the next database is begun: reading back stays quick. */
const cutsUnderLoad = 8
const betweenCutsMs = { first: 30, last: 250 }
/** From the start of the process; it opens its database somewhere in here. */
const inStartMs = { first: 150, last: 500 }

interface Found {
  acknowledged: number
  stored: number
  unsyncedSectors: number
  logsBegun: number
  syncs: number
  /** Cuts that met something that was not synced. */
  tookAway: number
  /** Cuts that lost something. */
  losses: number
  readonly findings: string[]
}

export async function runPowerCuts(stage: Stage, plan: PowerPlan): Promise<Verdict> {
  const { findings, tookAway, losses: _, ...counts } = await cutAll(stage, plan)
  return {
    counts: { cuts: plan.cuts, ...counts },
    faults: tookAway,
    findings: [
      ...findings,
      // A cut that takes nothing away shows nothing; most must.
      ...(tookAway * 2 >= plan.cuts ? [] : [`only ${tookAway} of ${plan.cuts} cuts took anything away`]),
    ],
  }
}

/** The same with commits that are not synced: a harness that finds nothing lost then would never find anything. */
export async function runPowerControl(stage: Stage, plan: PowerPlan): Promise<Verdict> {
  const { losses, tookAway, acknowledged } = await cutAll(stage, { ...plan, preloads: ['normal-sync'] })
  const counts = { cuts: plan.cuts, acknowledged, losses }
  return { counts, faults: tookAway, findings: losses > 0 ? [] : ['nothing was lost without syncs'] }
}

async function cutAll(stage: Stage, plan: PowerPlan): Promise<Found> {
  const random = randomOf(plan.seed)
  const found: Found = {
    acknowledged: 0,
    stored: 0,
    unsyncedSectors: 0,
    logsBegun: 0,
    syncs: 0,
    tookAway: 0,
    losses: 0,
    findings: [],
  }
  for (let cut = 0, database = 0; cut < plan.cuts; database++) {
    const shape = shapes[database % shapes.length] as (typeof shapes)[number]
    const moments = await cutOneDatabase(stage, plan, shape, random, found)
    for (const moment of moments.slice(0, plan.cuts - cut))
      await startFrom(stage, plan, moment, `cut ${cut++}`, random, found)
    for (const { synced, named, written } of moments)
      for (const folder of [synced, named, written]) rmSync(folder, { recursive: true })
  }
  return found
}

/** Moments in the first start, under load, and in the start after a kill. */
async function cutOneDatabase(
  stage: Stage,
  plan: PowerPlan,
  { load, preloads }: (typeof shapes)[number],
  random: Random,
  found: Found,
): Promise<readonly Moment[]> {
  const disk = new PowerDisk(stage)
  const driver = new LoadDriver(stage.folder(), { ...ordinaryLoad, ...load }, random)
  const all = [...preloads, ...(plan.preloads ?? [])]
  const moments: Moment[] = []
  for (const cuts of [cutsUnderLoad / 2, cutsUnderLoad / 2]) {
    const { service, moment } = await startAndCut(stage, disk, all, driver, random)
    moments.push(moment)
    driver.start(service.port)
    for (let cut = 0; cut < cuts; cut++) {
      await sleep(random.integer(betweenCutsMs.first, betweenCutsMs.last))
      moments.push(await disk.moment(service.child.pid as number, driver, random))
    }
    await killHard(service)
    await driver.halt()
  }
  driver.close()
  found.syncs += disk.syncs
  found.logsBegun += new Set(moments.map(({ written }) => saltOf(join(written, 'voicestream.db-wal')))).size
  return moments
}

async function startAndCut(
  stage: Stage,
  disk: PowerDisk,
  preloads: readonly string[],
  driver: LoadDriver,
  random: Random,
): Promise<{ service: Service; moment: Moment }> {
  const pidFile = join(stage.folder(), 'pid')
  const wrapper = disk.wrapper(preloads, pidFile)
  const started = stage.service({ dataDir: disk.dataDir, wrapper })
  while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await sleep(1)
  await sleep(random.integer(inStartMs.first, inStartMs.last))
  const moment = await disk.moment(Number(readFileSync(pidFile, 'utf8')), driver, random)
  return { service: await started, moment }
}

/** Starts the service from what the cut has left, without any override, and judges what it holds. */
async function startFrom(
  stage: Stage,
  { keeps }: PowerPlan,
  moment: Moment,
  name: string,
  random: Random,
  found: Found,
): Promise<void> {
  const dataDir = stage.folder()
  if (keeps === 'nothing') copyOf(moment.synced, dataDir)
  else writeTornMix(moment, dataDir, random)
  const { history } = moment
  const acknowledged = history.packets.filter(({ outcome }) => outcome === 'accepted').length
  found.acknowledged += acknowledged
  found.unsyncedSectors += moment.unsyncedSectors
  if (moment.unsyncedSectors > 0) found.tookAway++
  let service: Service
  try {
    service = await stage.service({ dataDir })
  } catch (error) {
    found.findings.push(`${name}: ${error instanceof Error ? error.message : error}`)
    return
  }
  const stored = await readEverything(service.port, new Set(history.packets.map(({ call }) => call)))
  await killHard(service)
  const violations = judge(history, stored)
  if (violations.some(({ kind }) => kind === 'lost')) found.losses++
  found.stored += stored.reduce((sum, { packets }) => sum + packets.length, 0)
  found.findings.push(...linesOf(name, describe(violations)), ...linesOf(name, integrityOf(dataDir)))
  rmSync(dataDir, { recursive: true })
}

/** Empty, or what SQLite itself finds wrong. */
export function integrityOf(dataDir: string): string {
  const db = new Database(join(dataDir, 'voicestream.db'))
  const answer = db.pragma('integrity_check', { simple: true })
  db.close()
  return answer === 'ok' ? '' : `integrity_check: ${answer}`
}

/** Chosen anew whenever the log begins anew. */
function saltOf(log: string): string {
  return contentOf(log).toString('hex', 16, 24)
}
