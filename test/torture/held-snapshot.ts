/**
 * Another process reads the database and does not let go of its snapshot (P22): the log cannot start anew while it does,
 * so it grows; but not without bound, not unnoticed, and it shrinks again when the reader is gone.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { readMetric } from '../support/metrics.js'
import { judgeAndSettle } from './disk-faults.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { mebibytes } from './memory.js'
import { randomOf } from './random.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface HeldSnapshotPlan {
  readonly seed: number
  readonly holdMs: number
}

const mib = 1024 * 1024
const logBytesMax = 256 * mib
const logBytesAfter = 64 * mib
const shrinkMsMax = 30_000
const lookMs = 200
/** A warning is due once the log is well past the 64 MiB at which it is checkpointed. */
const logBytesWarned = 84 * mib

/** Packets with other content are warned of; here every warning is about the log. */
const load = { ...ordinaryLoad, connections: 64, packetsPerSecond: 1000, conflictShare: 0 }

export async function runHeldSnapshot(stage: Stage, { seed, holdMs }: HeldSnapshotPlan): Promise<Verdict> {
  const dataDir = stage.folder()
  const file = join(dataDir, 'voicestream.db')
  const driver = new LoadDriver(stage.folder(), load, randomOf(seed))
  const service = await stage.service({ dataDir })
  driver.start(service.port)
  await sleep(500)
  const held = holdSnapshot(stage, file)
  const acknowledgedBefore = driver.acknowledged
  const heldAt = epochMs()
  let logBytes = 0
  let told = 0
  while (epochMs() < heldAt + holdMs) {
    await sleep(lookMs)
    logBytes = Math.max(logBytes, bytesOf(`${file}-wal`))
    told = Math.max(told, await readMetric(service, 'voicestream_wal_bytes'))
  }
  const acknowledged = driver.acknowledged - acknowledgedBefore
  const packetsSeen = held.release()
  const releasedAt = epochMs()
  // A commit has to come for the log to start anew, so the load goes on.
  while (epochMs() < releasedAt + shrinkMsMax && bytesOf(`${file}-wal`) > logBytesAfter) await sleep(lookMs)
  const left = bytesOf(`${file}-wal`)
  const shrunkAfterMs = Math.round(epochMs() - releasedAt)
  await driver.halt()

  const findings: string[] = []
  if (logBytes > logBytesMax) findings.push(`the log grew to ${mebibytes(logBytes)} MiB`)
  if (left > logBytesAfter)
    findings.push(`${shrinkMsMax} ms after the release the log has ${mebibytes(left)} MiB`)
  if (told < logBytes / 2)
    findings.push(`the metric told of ${mebibytes(told)} MiB of a log of ${mebibytes(logBytes)} MiB`)
  const warnings = service.log.filter(({ msg }) => /checkpoint failed/.test(String(msg))).length
  if (logBytes > logBytesWarned && warnings === 0) findings.push('no warning was logged')
  const counted = await readMetric(service, 'voicestream_checkpoints_failed_total')
  if (counted < warnings) findings.push(`${counted} of ${warnings} warnings were counted`)
  const judged = await judgeAndSettle(service, driver)
  await killHard(service)
  driver.close()
  return {
    counts: {
      ...judged.counts,
      logMebibytes: mebibytes(logBytes),
      packetsPerSecond: Math.round((1000 * acknowledged) / holdMs),
    },
    notes: { shrunkAfterMs, leftMebibytes: mebibytes(left), warnings },
    // The reader went on seeing what it saw first, while more was stored.
    faults: packetsSeen.last === packetsSeen.first && acknowledged > 0 ? 1 : 0,
    findings: [...findings, ...judged.findings],
  }
}

/** A reader in this process is one in another process to the service. */
function holdSnapshot(stage: Stage, file: string): { release(): { first: number; last: number } } {
  const reader = new Database(file, { readonly: true })
  stage.after(() => reader.close())
  const count = reader.prepare('SELECT coalesce(max("offset"), 0) FROM journal').pluck()
  reader.exec('BEGIN')
  const first = count.get() as number
  return {
    release: () => {
      const last = count.get() as number
      reader.exec('COMMIT')
      reader.close()
      return { first, last }
    },
  }
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
