/**
 * The writer of the database: one transaction a batch, fsynced before `commit` returns. It appends the
 * batch to the tail, folds full runs of calls, and writes what calls have become, their lifecycle and the index of both.
 *
 * Owns the connection and the tail. A batch that throws has left the database and the tail as they were.
 */
import { crc32 } from 'node:zlib'
import type { Statement } from 'better-sqlite3'
import { codeOf, messageOf } from '../../../errors.js'
import { keyMax } from '../../call-keys.js'
import { Erasures } from '../erasing/erasure.js'
import { databasePath, openForWriting } from '../files/database.js'
import type { Db } from '../files/schema.js'
import { recordCallKey, recordEnd, recordStarts } from '../packet-record.js'
import type { CallTableRow } from '../reading/stored-call-row.js'
import { insertLifecycle, lifecycleValues } from '../reading/stored-lifecycle.js'
import { StoredPackets } from '../reading/stored-packets.js'
import { recoverTail } from '../recovered-tail.js'
import { callChecksum } from '../row-checksum.js'
import type { CallRow, Committed, RecordPage, ToWriter, WriteBatch, WriterData } from '../thread-messages.js'
import { CallIndex } from './call-index.js'
import { Checkpoints } from './checkpoints.js'
import { Folds } from './folds.js'
import { type ErasurePlan, type FoldPlan, Tail } from './tail.js'

/** Folding keeps up with four times the packets that arrive, and at least with this many records a commit. */
const foldRecordsMin = 512
const foldRecordsPerPacket = 4
/** Time that a stop gives to the bytes of erased calls, in milliseconds. */
const finishMs = 2000

const nothingToFold: FoldPlan = { folds: [], emptied: [] }
const nothingToErase: ErasurePlan = { callKeys: new Set(), rewritten: [], emptied: [] }

type Also = () => void

/** What a transaction does beside storing a batch. */
interface Beside {
  readonly plan?: FoldPlan
  readonly erasure?: ErasurePlan
  readonly also?: Also | null
}

type PendingQuestion = Extract<ToWriter, { readonly type: 'pending-page' | 'pending-heads' }>

/** Events to report beside the answer to a batch. */
export interface WriterPorts {
  /** Packets of a call that were stored already were dropped. */
  readonly dropped: (callId: string, packets: number) => void
  /** So many erased calls have left bytes in the files. */
  readonly erasing: (calls: number) => void
  /** A row was read that is not what was written. */
  readonly damaged: (damage: unknown) => void
  /** A checkpoint, or what an erasure has to do in the files. */
  readonly checkpointFailed: (code: string, message: string) => void
}

export class Writer {
  readonly #db: Db
  #tail = new Tail()
  readonly #folds: Folds
  readonly #checkpoints: Checkpoints
  readonly #erasures: Erasures
  readonly #index: CallIndex
  readonly #dropped: WriterPorts['dropped']
  readonly #damaged: WriterPorts['damaged']
  readonly #acceptDataLoss: boolean
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #insertBatch: Statement
  readonly #rewriteBatch: Statement
  readonly #deleteBatch: Statement
  readonly #upsertCall: Statement
  readonly #insertLifecycle: Statement
  readonly #callIdOf: Statement<[number], string>
  #offset = 0

  constructor({ dataDir, acceptDataLoss }: WriterData, ports: WriterPorts) {
    const db = openForWriting(databasePath(dataDir), acceptDataLoss, ports.damaged)
    this.#db = db
    this.#checkpoints = new Checkpoints(db, dataDir, ports.checkpointFailed)
    this.#index = new CallIndex(db, ports.damaged)
    this.#folds = new Folds(db)
    this.#dropped = ports.dropped
    this.#damaged = ports.damaged
    this.#acceptDataLoss = acceptDataLoss
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
    this.#upsertCall = db.prepare(
      `INSERT INTO calls(key, call_id, version, state, created_at, due_at, ended_at, is_settled, snapshot, checksum)
       VALUES (:key, :call_id, :version, :state, :created_at, :due_at, :ended_at, :is_settled, :snapshot, :checksum)
       ON CONFLICT(key) DO UPDATE SET version = excluded.version, state = excluded.state, due_at = excluded.due_at,
         ended_at = excluded.ended_at, is_settled = excluded.is_settled, snapshot = excluded.snapshot, checksum = excluded.checksum`,
    )
    this.#callIdOf = db.prepare<[number], string>('SELECT call_id FROM calls WHERE key = ?').pluck()
    this.#insertLifecycle = db.prepare(insertLifecycle)
  }

  /** For what is stored beside calls. */
  get db(): Db {
    return this.#db
  }

  /** Reads the tail back into memory. A row whose checksum does not fit stops the start, or its packets are given up. */
  recover(): void {
    const lost: number[] = []
    const { tail, offset } = recoverTail(this.#db, new StoredPackets(this.#db), (fault, at) => {
      if (!this.#acceptDataLoss) throw fault
      this.#damaged(fault)
      lost.push(at)
    })
    // The next start must not find them again.
    for (const at of lost) this.#deleteBatch.run(at)
    this.#tail = tail
    this.#offset = offset
  }

  /** The rest of a deadline is at most its full delay, whatever the wall clock did between two starts (V8). */
  clampDeadlines(nowMs: number, within: WriterData['dueWithin']): void {
    const late = this.#db.prepare<[number, string], CallTableRow>(
      'SELECT * FROM calls WHERE due_at > ? AND state = ?',
    )
    const clamp = this.#db.prepare('UPDATE calls SET due_at = ?, checksum = ? WHERE key = ?')
    for (const [state, delayMs] of Object.entries(within)) {
      const latest = nowMs + delayMs
      // A new checksum would make a damaged row a good one.
      for (const row of late.all(latest, state))
        if (callChecksum(row) === row.checksum)
          clamp.run(latest, callChecksum({ ...row, due_at: latest }), row.key)
    }
  }

  lastKey(): number {
    // A key that is being erased is not free yet.
    const keys = `SELECT max(key) AS key FROM calls WHERE key <= ${keyMax}
      UNION ALL SELECT max(call_key) FROM erasures WHERE call_key <= ${keyMax}`
    return this.#db.prepare(`SELECT coalesce(max(key), 0) FROM (${keys})`).pluck().get() as number
  }

  /** The fault of the index of words that cannot be mended; null without one. */
  checkWords(): string | null {
    try {
      this.#index.check()
      return null
    } catch (error) {
      return `the index of words is damaged: ${messageOf(error)}`
    }
  }

  resumeErasures(): void {
    this.#erasures.resume()
  }

  /** `also` writes in the same transaction. */
  commit(batch: WriteBatch, also: Also | null = null): Committed {
    const startedAt = performance.now()
    const offset = this.#offset + 1
    const records =
      batch.erasures.length === 0 ? Buffer.from(batch.records) : this.#erase(batch, offset, also)
    if (batch.erasures.length === 0) {
      const plan = this.#tail.plan(Math.max(foldRecordsMin, foldRecordsPerPacket * batch.packets))
      this.#transact(batch, records, offset, { plan, also })
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
  #erase(batch: WriteBatch, offset: number, also: Also | null): Buffer {
    const callKeys = new Set(batch.erasures)
    const records = withoutCalls(Buffer.from(batch.records), callKeys)
    const calls = batch.calls.filter(({ key }) => !callKeys.has(key))
    const lifecycle = batch.lifecycle.filter(({ callKey }) => !callKeys.has(callKey))
    const plan = this.#tail.planErasure(callKeys)
    this.#transact({ calls, lifecycle }, records, offset, { erasure: plan, also })
    this.#tail.erased(plan)
    this.#erasures.begun(callKeys)
    return records
  }

  #transact(
    batch: Pick<WriteBatch, 'calls' | 'lifecycle'>,
    records: Buffer,
    offset: number,
    { plan = nothingToFold, erasure = nothingToErase, also = null }: Beside,
  ): void {
    const isEmpty =
      also === null &&
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
      for (const call of batch.calls) this.#upsertCall.run(columnsOf(call))
      for (const row of batch.lifecycle) {
        this.#insertLifecycle.run(lifecycleValues(row))
        this.#index.add(row)
      }
      for (const fold of plan.folds) this.#folds.add(fold)
      for (const emptied of plan.emptied) this.#deleteBatch.run(emptied)
      also?.()
      this.#commit.run()
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      this.#folds.takeDropped()
      throw error
    }
    this.#tellDropped()
  }

  /** Before anything else: a call that comes after the erasure may have the same name. */
  #eraseWithin({ callKeys, rewritten, emptied }: ErasurePlan): void {
    this.#erasures.begin(callKeys)
    for (const { offset, records } of rewritten) this.#rewriteBatch.run(crc32(records), records, offset)
    for (const offset of emptied) this.#deleteBatch.run(offset)
  }

  /** Committed: a call's name is known, and nobody counts what was rolled back. */
  #tellDropped(): void {
    for (const [callKey, packets] of this.#folds.takeDropped())
      this.#dropped(this.#callIdOf.get(callKey) ?? '', packets)
  }

  /** Copied, so that it can be handed over. */
  pending(asked: PendingQuestion): RecordPage {
    const { type, callKey } = asked
    if (type === 'pending-page') return this.#tail.page(callKey, asked.from, asked.limit)
    return { records: this.#tail.headsAfter(callKey, asked.afterVersion), nextFrom: null }
  }

  /** To be called after a commit has been told. */
  committed(bytes: number): void {
    this.#checkpoints.committed(bytes)
  }

  /** Folds everything, so that the next start finds an empty tail. */
  async close(): Promise<void> {
    while (this.#tail.batchCount > 0) {
      const plan = this.#tail.planOldest()
      this.#transact({ calls: [], lifecycle: [] }, Buffer.alloc(0), 0, { plan })
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

function columnsOf({ key, callId, version, snapshot }: CallRow) {
  const row = {
    key,
    call_id: callId,
    version,
    state: snapshot.state,
    created_at: snapshot.createdAt,
    due_at: snapshot.dueAt,
    ended_at: snapshot.endedAt,
    is_settled: snapshot.isSettled ? (1 as const) : (0 as const),
    snapshot: snapshot.body,
  }
  return { ...row, checksum: callChecksum(row) }
}
