/**
 * Logs that are cut off anywhere, below what was synced too, as a broken copy leaves them. Nothing in a log tells how
 * long it was, so what a cut takes away is gone without a word; but what is left must be the beginning of what was
 * acknowledged, in its order, with its bytes, or the start is refused.
 */
import { rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Service } from '../support/service.js'
import type { PacketAttempt } from './attempts.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import type { ReadBackCall } from './oracle.js'
import { copyOf } from './power-disk.js'
import { integrityOf } from './power-runs.js'
import { type Random, randomOf } from './random.js'
import { readEverything } from './read-back.js'
import { killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface CutLogPlan {
  readonly seed: number
  readonly cuts: number
}

/** One connection: what it was told first was committed first. No packet is sent again. */
const load = { ...ordinaryLoad, connections: 1, calls: 5, resendShare: 0, conflictShare: 0 }
const packetsMin = 200
const log = 'voicestream.db-wal'

export async function runCutLogs(stage: Stage, { seed, cuts }: CutLogPlan): Promise<Verdict> {
  const random = randomOf(seed)
  const { dataDir, acknowledged } = await killedDatabase(stage, random)
  const logBytes = statSync(join(dataDir, log)).size
  const found = { refused: 0, shortened: 0 }
  const findings: string[] = []
  let packetsBefore = 0
  const lengths = Array.from({ length: cuts }, () => random.integer(0, logBytes - 1)).sort((a, b) => a - b)
  for (const bytes of lengths) {
    const folder = copyOf(dataDir, stage.folder())
    truncateSync(join(folder, log), bytes)
    const stored = await storedIn(stage, folder, acknowledged)
    if (stored === null) {
      found.refused++
      continue
    }
    const name = `a log cut to ${bytes} of ${logBytes} bytes`
    const packets = stored.reduce((sum, call) => sum + call.packets.length, 0)
    if (packets < acknowledged.length) found.shortened++
    if (!isBeginning(stored, acknowledged.slice(0, packets)))
      findings.push(`${name}: the ${packets} packets that are left are not the first ones`)
    if (packets < packetsBefore) findings.push(`${name}: ${packets} packets, and a shorter one had more`)
    const integrity = integrityOf(folder)
    if (integrity !== '') findings.push(`${name}: ${integrity}`)
    packetsBefore = packets
    rmSync(folder, { recursive: true })
  }
  return {
    counts: { acknowledged: acknowledged.length, shortened: found.shortened },
    notes: { refused: found.refused, mostLeft: packetsBefore },
    faults: lengths.length,
    findings,
  }
}

async function killedDatabase(
  stage: Stage,
  random: Random,
): Promise<{ dataDir: string; acknowledged: readonly PacketAttempt[] }> {
  const dataDir = stage.folder()
  const driver = new LoadDriver(stage.folder(), load, random)
  const service = await stage.service({ dataDir })
  driver.start(service.port)
  while (driver.acknowledged < packetsMin) await sleep(20)
  await driver.halt()
  await killHard(service)
  const { packets } = driver.history()
  driver.close()
  return { dataDir, acknowledged: packets.filter(({ outcome }) => outcome === 'accepted') }
}

/** Null: the start was refused. */
async function storedIn(
  stage: Stage,
  dataDir: string,
  acknowledged: readonly PacketAttempt[],
): Promise<readonly ReadBackCall[] | null> {
  let service: Service
  try {
    service = await stage.service({ dataDir })
  } catch {
    // Its log line is `start/bad-databases`' to judge.
    return null
  }
  const stored = await readEverything(service.port, new Set(acknowledged.map(({ call }) => call)))
  await killHard(service)
  return stored
}

function isBeginning(stored: readonly ReadBackCall[], first: readonly PacketAttempt[]): boolean {
  const keys = new Set(
    stored.flatMap(({ call, packets }) =>
      packets.map(({ sequence, contentHash }) => `${call} ${sequence} ${contentHash}`),
    ),
  )
  return first.every(({ call, sequence, contentHash }) => keys.has(`${call} ${sequence} ${contentHash}`))
}
