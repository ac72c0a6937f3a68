/**
 * The calls in a database file, read-only. What is committed and not folded yet is in the journal's tail, so every look
 * at a call is a look at its runs and at the tail in one transaction.
 *
 * A transaction of a reader keeps the writer's log from starting anew. So none lasts longer than a slice: a walk over all
 * calls ends its transaction now and then, and the next one reads the tail again; the content of a call is read page by page.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { StoredDamage } from '../../../errors.js'
import { limits } from '../../../limits.js'
import type { CallId } from '../../../protocol/call-id.js'
import { ordinalOf } from '../../../protocol/track.js'
import type { StoredPacket } from '../../journal.js'
import type { StoredCallContent, StoredCalls, StoredEntry, StoredHistory } from '../../stored-calls.js'
import { databasePath, logFaults, openStored } from '../files/database.js'
import { isInstanceRunning } from '../files/instance-lock.js'
import { type Db, schemaVersionOf } from '../files/schema.js'
import { packetsOf } from '../packet-record.js'
import { recoverTail } from '../recovered-tail.js'
import type { Tail } from '../writing/tail.js'
import { DamagedCalls } from './damaged-calls.js'
import { RowFaults } from './row-faults.js'
import { type CallTableRow, storedCall } from './stored-call-row.js'
import { StoredPackets } from './stored-packets.js'

const sliceMs = 1000
const straysListedMax = 10

export class SqliteStoredCalls implements StoredCalls {
  readonly path: string
  readonly #db: Db
  readonly #packets: StoredPackets
  readonly #rowFaults: RowFaults
  readonly #damagedCalls: DamagedCalls
  readonly #nextCall
  readonly #callById
  readonly #lastVersion

  private constructor(path: string, db: Db) {
    this.path = path
    this.#db = db
    this.#packets = new StoredPackets(db)
    this.#rowFaults = new RowFaults(db)
    this.#damagedCalls = new DamagedCalls(db)
    this.#nextCall = db.prepare<[number], CallTableRow>(
      'SELECT * FROM calls WHERE key > ? ORDER BY key LIMIT 1',
    )
    this.#callById = db.prepare<[string], CallTableRow>('SELECT * FROM calls WHERE call_id = ?')
    this.#lastVersion = db
      .prepare<{ key: number }, number | null>(
        `SELECT max(version) FROM (SELECT max(last_version) AS version FROM runs WHERE call_key = :key
         UNION ALL SELECT max(version) FROM lifecycle WHERE call_key = :key)`,
      )
      .pluck()
  }

  /** Throws `NoStoredCalls` and `StoredDamage`. */
  static open(path: string): SqliteStoredCalls {
    return new SqliteStoredCalls(path, openStored(path))
  }

  get schemaVersion(): number {
    return schemaVersionOf(this.#db)
  }

  get bytes(): number {
    return statSync(this.path).size
  }

  callCount(): number {
    return this.#db.prepare('SELECT count(*) FROM calls').pluck().get() as number
  }

  logFaults(): readonly string[] {
    const folder = dirname(this.path)
    const isInUse = this.path === databasePath(folder) && isInstanceRunning(folder)
    return isInUse ? [] : logFaults(this.path, this.#db)
  }

  integrityFaults(): Promise<readonly string[]> {
    const worker = new Worker(new URL('../files/integrity-thread.js', import.meta.url), {
      workerData: { path: this.path },
    })
    return new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', () => reject(new Error('the thread that checks the file has ended')))
    })
  }

  *histories(damaged: (fault: StoredDamage, callId?: CallId) => void): Generator<StoredHistory> {
    for (let after: number | null = 0; after !== null; ) {
      this.#db.exec('BEGIN')
      try {
        after = yield* this.#slice(after, damaged)
      } finally {
        this.#db.exec('COMMIT')
      }
    }
  }

  #tail(damaged: (fault: StoredDamage) => void): Tail {
    // Its place in the journal is not the call that `damaged` may be given.
    return recoverTail(this.#db, this.#packets, (fault) => damaged(fault)).tail
  }

  /** Returns the key of its last call, or null behind the last of all. */
  *#slice(
    after: number,
    damaged: (fault: StoredDamage, callId?: CallId) => void,
  ): Generator<StoredHistory, number | null> {
    const until = performance.now() + sliceMs
    const tail = this.#tail(damaged)
    for (let key = after; ; ) {
      const row = this.#nextCall.get(key)
      if (row === undefined) return null
      key = row.key
      const call = this.#factsOf(row, damaged)
      if (call !== null) yield { ...call, entries: this.#packets.entries(key, 0, tail.headsAfter(key, 0)) }
      if (performance.now() > until) return key
    }
  }

  #factsOf(
    row: CallTableRow,
    damaged: (fault: StoredDamage, callId?: CallId) => void,
  ): Omit<StoredHistory, 'entries'> | null {
    try {
      return this.#facts(row)
    } catch (error) {
      if (!(error instanceof StoredDamage)) throw error
      damaged(error, this.#damagedCalls.find(row.key)?.callId)
      return null
    }
  }

  #facts(row: CallTableRow): Omit<StoredHistory, 'entries'> {
    const { callId, snapshot, version } = storedCall(row)
    return { callId, snapshot, snapshotVersion: version, rowFaults: () => this.#rowFaults.of(row.key) }
  }

  strayFaults(): readonly string[] {
    return [...this.#strays('runs'), ...this.#strays('lifecycle'), ...this.#strays('details')]
  }

  #strays(table: 'runs' | 'lifecycle' | 'details'): string[] {
    const keys = this.#db
      .prepare<[number], number>(
        // What an erasure has not deleted yet is no fault.
        `SELECT DISTINCT call_key FROM ${table} WHERE call_key NOT IN (SELECT key FROM calls)
         AND call_key NOT IN (SELECT call_key FROM erasures) LIMIT ?`,
      )
      .pluck()
      .all(straysListedMax)
    return keys.map((key) => `${table} of a call with key ${key}, which is not there`)
  }

  call(callId: CallId): StoredCallContent | null {
    return this.#db.transaction(() => {
      const row = this.#callById.get(callId)
      if (row === undefined) return null
      const tail = this.#tail((fault) => {
        throw fault
      })
      const heads = tail.headsAfter(row.key, 0)
      const through = Math.max(
        row.version,
        this.#lastVersion.get({ key: row.key }) ?? 0,
        ...packetsOf(heads)
          .slice(-1)
          .map(({ version }) => version),
      )
      return {
        ...this.#facts(row),
        entries: { [Symbol.iterator]: () => this.#entriesThrough(row.key, heads, through) },
        packets: { [Symbol.iterator]: () => this.#packetsThrough(row.key, tail, through) },
      }
    })()
  }

  *#entriesThrough(callKey: number, pending: Uint8Array, through: number): Generator<StoredEntry> {
    for (const entry of this.#packets.entries(callKey, 0, pending)) {
      if (entry.version > through) return
      yield entry
    }
  }

  *#packetsThrough(callKey: number, tail: Tail, through: number): Generator<StoredPacket> {
    const limit = limits.packetsPageMax
    for (let track = 0; track < limits.tracksMax; track++)
      for (let from: number | null = ordinalOf(track, 0); from !== null; ) {
        const page = this.#packets.page(callKey, from, limit, tail.page(callKey, from, limit))
        yield* packetsOf(page.records).filter(({ version }) => version <= through)
        from = page.nextFrom
      }
  }

  close(): void {
    this.#db.close()
  }
}
