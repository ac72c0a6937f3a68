/** Opens the SQLite journal, and connects it to log and metrics. */
import type { Clock } from '../clock.js'
import type { Config } from '../config/config.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics/metrics.js'
import type { ServiceJournal } from '../store/service-journal.js'
import { SqliteJournal } from '../store/sqlite/sqlite-journal.js'
import type { FullDisk } from './full-disk.js'

export interface JournalParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly fullDisk: FullDisk
  onFatal(error: Error): void
  commitFailed(): void
}

/** Rejects with a message for people when the data folder cannot be had. */
export function openJournal({
  config,
  clock,
  log,
  metrics,
  fullDisk,
  onFatal,
  commitFailed,
}: JournalParts): Promise<ServiceJournal> {
  const { DATA_DIR, ACCEPT_DATA_LOSS, GRACE_PERIOD_MS, CALL_IDLE_TIMEOUT_MS, AI_BUDGET_MS } = config
  return SqliteJournal.open({
    dataDir: DATA_DIR,
    acceptDataLoss: ACCEPT_DATA_LOSS,
    now: clock.now(),
    dueWithin: {
      IN_PROGRESS: CALL_IDLE_TIMEOUT_MS,
      COMPLETED: GRACE_PERIOD_MS,
      PROCESSING_AI: AI_BUDGET_MS,
    },
    onFatal,
    onCommit: (commit) => {
      fullDisk.committed()
      metrics.observeCommit(commit)
    },
    onDamaged: (damage) => {
      metrics.counts.damagedRows++
      log.error({ reason: damage }, 'stored data is damaged and is not served; run `voicestream verify`')
    },
    onCheckpointFailed: (error) => {
      metrics.counts.checkpointsFailed++
      log.warn({ err: error }, 'a checkpoint failed; trying again')
    },
    onDropped: (call_id, packets) => {
      metrics.counts.storeDuplicates += packets
      log.error(
        { call_id, total: packets },
        'packets were in the journal twice; the first copy of each was kept',
      )
    },
    onCommitFailed: (appends, error) => {
      commitFailed()
      fullDisk.commitFailed(error.code)
      metrics.counts.commitsFailed++
      metrics.counts.appendsFailed += appends
      log.error(
        { err: error, appends },
        'a commit failed; its packets were answered 503 and must be sent again',
      )
    },
  })
}
