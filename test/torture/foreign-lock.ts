/** Another process holds the write lock of the database: requests are refused in time or succeed later (P14). */

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { patience } from '../support/patience.js'
import { judgeAndSettle } from './disk-faults.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { randomOf } from './random.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface LockPlan {
  readonly seed: number
  readonly holdMs: number
}

/** The promise is 2 s; the rest is left to a busy machine. */
const answerMsMax = 2300
const resumeMsMax = 1000

export async function runForeignLock(stage: Stage, { seed, holdMs }: LockPlan): Promise<Verdict> {
  const dataDir = stage.folder()
  const driver = new LoadDriver(stage.folder(), ordinaryLoad, randomOf(seed))
  const service = await stage.service({ dataDir })
  driver.start(service.port)
  await sleep(300)
  const lock = new Database(join(dataDir, 'voicestream.db'), { timeout: 5000 })
  lock.exec('BEGIN IMMEDIATE')
  const lockedAt = epochMs()
  await sleep(holdMs)
  const releasedAt = epochMs()
  const before = driver.counts.accepted
  lock.exec('ROLLBACK')
  lock.close()
  const findings: string[] = []
  while (driver.counts.accepted === before && epochMs() < releasedAt + patience(resumeMsMax)) await sleep(5)
  if (driver.counts.accepted === before)
    findings.push(`nothing was accepted ${resumeMsMax} ms after the lock was released`)
  await sleep(300)
  await driver.halt()

  const { packets } = driver.history()
  const slow = packets.filter(
    ({ sentAt, doneAt }) => (doneAt ?? Number.POSITIVE_INFINITY) - sentAt > patience(answerMsMax),
  )
  if (slow.length > 0) findings.push(`${slow.length} requests had no answer within ${answerMsMax} ms`)
  // What was committed just before the lock may be answered just after it.
  const impossible = packets.filter(
    ({ outcome, sentAt, doneAt }) =>
      outcome === 'accepted' && sentAt > lockedAt && (doneAt ?? 0) < releasedAt,
  )
  if (impossible.length > 0)
    findings.push(`${impossible.length} packets were accepted while nobody could commit`)
  const refused = packets.filter(({ detail, sentAt }) => detail === '503' && sentAt < releasedAt).length
  const found = await judgeAndSettle(service, driver)
  await killHard(service)
  driver.close()
  return { counts: { ...found.counts, refused }, faults: refused, findings: [...findings, ...found.findings] }
}
