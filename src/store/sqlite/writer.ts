/**
 * What the writer thread does to the database: one transaction a batch, fsynced before `commit` returns. It appends the
 * batch to the tail, folds full runs of calls, and writes what calls have become, their lifecycle and the index of both.
 *
 * Owns the connection and the tail. A batch that throws has left the database and the tail as they were.
 */
import { crc32 } from 'node:zlib'
import type { Statement } from 'better-sqlite3'
import { limits } from '../../limits.js'
import { CallIndex } from './call-index.js'
import { Checkpoints } from './checkpoints.js'
import { databasePath, openForWriting } from './database.js'
import { Erasures } from './erasure.js'
import { recordCallKey, recordEnd, recordSequence, recordStarts, recordVersion } from './packet-record.js'
import type { Db } from './schema.js'
import { codeOf } from './sqlite-error.js'
import { type ErasurePlan, type Fold, type FoldPlan, Tail } from './tail.js'
import type { FromWriter, WriteBatch, WriterData } from './thread-messages.js'

/** Folding keeps up with four times the packets that arrive, and at least with this many records a commit. */
const foldRecordsMin = 512
const foldRecordsPerPacket = 4
/** What a stop leaves for the bytes of erased calls, in milliseconds. */
const finishMs = 2000

const nothingToFold: FoldPlan = { folds: [], emptied: [] }
const nothingToErase: ErasurePlan = { callKeys: new Set(), rewritten: [], emptied: [] }

/** What there is to tell beside the answer to a batch. */
export interface WriterPorts {
  /** So many erased calls have left bytes in the files. */
  readonly erasing: (calls: number) => void
  /** A checkpoint, or what an erasure has to do in the files. */
  readonly checkpointFailed: (code: string, message: string) => void
}

export class Writer {
  readonly #db: Db
  readonly #tail = new Tail()
  readonly #checkpoints: Checkpoints
  readonly #erasures: Erasures
  readonly #index: CallIndex
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #insertBatch: Statement
  readonly #rewriteBatch: Statement
  readonly #deleteBatch: Statement
  readonly #insertRun: Statement
  readonly #upsertCall: Statement
  readonly #insertLifecycle: Statement
  #offset = 0

  constructor({ dataDir, acceptDataLoss }: WriterData, ports: WriterPorts) {
    const db = openForWriting(databasePath(dataDir), acceptDataLoss)
    this.#db = db
    this.#checkpoints = new Checkpoints(db, dataDir, ports.checkpointFailed)
    this.#index = new CallIndex(db)
    this.#erasures = new Erasures({
      db,
      index: this.#index,
      checkpoints: this.#checkpoints,
      left: ports.erasing,
      failed: (error) => ports.checkpointFailed(codeOf(error), String(error)),
    })
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#insertBatch = db.prepare('INSERT INTO journal("offset", checksum, records) VALUES (?, ?, ?)')
    this.#rewriteBatch = db.prepare('UPDATE journal SET checksum = ?, records = ? WHERE "offset" = ?')
    this.#deleteBatch = db.prepare('DELETE FROM journal WHERE "offset" = ?')
    this.#insertRun = db.prepare(
      'INSERT INTO runs(call_key, first_sequence, last_sequence, last_version, checksum, records) VALUES (?, ?, ?, ?, ?, ?)',
    )
    this.#upsertCall = db.prepare(
      `INSERT INTO calls(key, call_id, version, state, created_at, due_at, ended_at, is_settled, snapshot)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT(key) DO UPDATE SET version = excluded.version, state = excluded.state, due_at = excluded.due_at,
         ended_at = excluded.ended_at, is_settled = excluded.is_settled, snapshot = excluded.snapshot`,
    )
    this.#insertLifecycle = db.prepare(
      'INSERT INTO lifecycle(call_key, version, entry, text) VALUES (?, ?, ?, ?)',
    )
  }

  /** Reads the tail back into memory. A row whose checksum does not fit stops the start. */
  recover(): void {
    // A fold takes all that is pending of a call, so what it has left behind is told by one version a call.
    const lastVersion = this.#db
      .prepare<[number], number | null>('SELECT max(last_version) FROM runs WHERE call_key = ?')
      .pluck()
    const folded = new Map<number, number>()
    const foldedThrough = (callKey: number): number => {
      const known = folded.get(callKey)
      if (known !== undefined) return known
      const version = lastVersion.get(callKey) ?? 0
      folded.set(callKey, version)
      return version
    }
    const rows = this.#db.prepare<[], { offset: number; checksum: number; records: Buffer }>(
      'SELECT "offset", checksum, records FROM journal ORDER BY "offset"',
    )
    for (const row of rows.iterate()) {
      if (crc32(row.records) !== row.checksum)
        throw new Error(`the journal is damaged at offset ${row.offset}`)
      this.#tail.add(row.offset, row.records, (callKey, version) => version <= foldedThrough(callKey))
      this.#offset = row.offset
    }
  }

  /** What is left of a deadline is at most its full delay, whatever the wall clock did between two starts (V8). */
  clampDeadlines(nowMs: number, within: WriterData['dueWithin']): void {
    const clamp = this.#db.prepare(
      'UPDATE calls SET due_at = :latest WHERE due_at > :latest AND state = :state',
    )
    for (const [state, delayMs] of Object.entries(within)) clamp.run({ state, latest: nowMs + delayMs })
  }

  nextKey(): number {
    // A key that is being erased is not free yet.
    const key = 'SELECT max(key) AS key FROM calls UNION ALL SELECT max(call_key) FROM erasures'
    return this.#db.prepare(`SELECT coalesce(max(key), 0) + 1 FROM (${key})`).pluck().get() as number
  }

  resumeErasures(): void {
    this.#erasures.resume()
  }

  commit(batch: WriteBatch): FromWriter {
    const startedAt = performance.now()
    const offset = this.#offset + 1
    const records = batch.erasures.length === 0 ? Buffer.from(batch.records) : this.#erase(batch, offset)
    if (batch.erasures.length === 0) {
      const plan = this.#tail.plan(Math.max(foldRecordsMin, foldRecordsPerPacket * batch.packets))
      this.#transact(batch, records, offset, plan)
      this.#tail.folded(plan)
    }
    if (records.length > 0) {
      this.#offset = offset
      this.#tail.add(offset, records)
    }
    for (const { key, snapshot } of batch.calls) if (snapshot.isSettled) this.#tail.settle(key)
    const commitMs = performance.now() - startedAt
    return {
      type: 'committed',
      id: batch.id,
      commitMs,
      tailBytes: this.#tail.bytes,
      walPages: this.#checkpoints.pages,
    }
  }

  /** Commits a batch without what it holds of the calls that it erases. Folding can wait. Returns what was stored. */
  #erase(batch: WriteBatch, offset: number): Buffer {
    const callKeys = new Set(batch.erasures)
    const records = withoutCalls(Buffer.from(batch.records), callKeys)
    const calls = batch.calls.filter(({ key }) => !callKeys.has(key))
    const lifecycle = batch.lifecycle.filter(({ callKey }) => !callKeys.has(callKey))
    const plan = this.#tail.planErasure(callKeys)
    this.#transact({ calls, lifecycle }, records, offset, nothingToFold, plan)
    this.#tail.erased(plan)
    this.#erasures.begun(callKeys)
    return records
  }

  #transact(
    batch: Pick<WriteBatch, 'calls' | 'lifecycle'>,
    records: Buffer,
    offset: number,
    plan: FoldPlan,
    erasure: ErasurePlan = nothingToErase,
  ): void {
    const isEmpty =
      erasure.callKeys.size === 0 &&
      records.length === 0 &&
      batch.calls.length === 0 &&
      batch.lifecycle.length === 0 &&
      plan.folds.length === 0
    if (isEmpty) return
    this.#begin.run()
    try {
      this.#eraseWithin(erasure)
      if (records.length > 0) this.#insertBatch.run(offset, crc32(records), records)
      for (const { key, callId, version, snapshot } of batch.calls)
        this.#upsertCall.run(
          key,
          callId,
          version,
          snapshot.state,
          snapshot.createdAt,
          snapshot.dueAt,
          snapshot.endedAt,
          snapshot.isSettled ? 1 : 0,
          snapshot.body,
        )
      for (const row of batch.lifecycle) {
        this.#insertLifecycle.run(row.callKey, row.version, row.entry, row.text)
        this.#index.add(row)
      }
      for (const fold of plan.folds) this.#fold(fold)
      for (const emptied of plan.emptied) this.#deleteBatch.run(emptied)
      this.#commit.run()
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  /** Before anything else: a call that comes after the erasure may have the same name. */
  #eraseWithin({ callKeys, rewritten, emptied }: ErasurePlan): void {
    this.#erasures.begin(callKeys)
    for (const { offset, records } of rewritten) this.#rewriteBatch.run(crc32(records), records, offset)
    for (const offset of emptied) this.#deleteBatch.run(offset)
  }

  #fold({ callKey, records }: Fold): void {
    for (let first = 0; first < records.length; ) {
      let end = first
      let bytes = 0
      while (
        end < records.length &&
        (end === first || bytes + (records[end] as Buffer).length <= limits.runBytesMax)
      )
        bytes += (records[end++] as Buffer).length
      this.#insertRunOf(callKey, records.slice(first, end))
      first = end
    }
  }

  #insertRunOf(callKey: number, records: readonly Buffer[]): void {
    let first = Number.POSITIVE_INFINITY
    let last = -1
    let version = 0
    for (const record of records) {
      const sequence = recordSequence(record, 0)
      if (sequence < first) first = sequence
      if (sequence > last) last = sequence
      version = recordVersion(record, 0)
    }
    const run = Buffer.concat(records)
    this.#insertRun.run(callKey, first, last, version, crc32(run), run)
  }

  /** Copied, so that it can be handed over. */
  pendingOf(callKey: number): ArrayBuffer {
    return Uint8Array.from(this.#tail.pendingOf(callKey)).buffer
  }

  /** To be called after a commit has been told. */
  committed(bytes: number): void {
    this.#checkpoints.committed(bytes)
  }

  /** Folds everything, so that the next start finds an empty tail. */
  async close(): Promise<void> {
    while (this.#tail.batchCount > 0) {
      const plan = this.#tail.planOldest()
      this.#transact({ calls: [], lifecycle: [] }, Buffer.alloc(0), 0, plan)
      this.#tail.folded(plan)
    }
    await this.#checkpoints.idle()
    this.#erasures.finish(finishMs)
    await this.#checkpoints.close()
  }

  end(): void {
    this.#db.close()
    this.#checkpoints.end()
  }
}

function withoutCalls(records: Buffer, callKeys: ReadonlySet<number>): Buffer {
  const kept = [...recordStarts(records)].filter((at) => !callKeys.has(recordCallKey(records, at)))
  return Buffer.concat(kept.map((at) => records.subarray(at, recordEnd(records, at))))
}
