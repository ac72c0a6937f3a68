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
import { StoredDamage } from '../../errors.js'
import { limits } from '../../limits.js'
import type { CallId } from '../../protocol/call-id.js'
import type { StoredPacket } from '../journal.js'
import type { StoredCallContent, StoredCalls, StoredEntry, StoredHistory } from '../stored-calls.js'
import { databasePath, logFaults, openStored } from './database.js'
import { isInstanceRunning } from './instance-lock.js'
import { mergePage, packetsOf } from './packet-merge.js'
import { PacketPages } from './packet-page.js'
import { recordVersion } from './packet-record.js'
import { type Db, schemaVersionOf } from './schema.js'
import { type CallTableRow, storedCall } from './stored-call-row.js'
import { StoredHistories } from './stored-history.js'
import { StoredTail } from './stored-tail.js'

const sliceMs = 1000
const straysListedMax = 10

export class SqliteStoredCalls implements StoredCalls {
  readonly path: string
  readonly #db: Db
  readonly #pages: PacketPages
  readonly #tail: StoredTail
  readonly #histories: StoredHistories
  readonly #nextCall
  readonly #callById
  readonly #lastVersion

  private constructor(path: string, db: Db) {
    this.path = path
    this.#db = db
    this.#pages = new PacketPages(db)
    this.#tail = new StoredTail(db)
    this.#histories = new StoredHistories(db)
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
    const worker = new Worker(new URL('./integrity-thread.js', import.meta.url), {
      workerData: { path: this.path },
    })
    return new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', () => reject(new Error('the thread that checks the file has ended')))
    })
  }

  *histories(damaged: (fault: StoredDamage) => void): Generator<StoredHistory> {
    for (let after: number | null = 0; after !== null; ) {
      this.#db.exec('BEGIN')
      try {
        after = yield* this.#slice(after, damaged)
      } finally {
        this.#db.exec('COMMIT')
      }
    }
  }

  /** Returns the key of its last call, or null behind the last of all. */
  *#slice(after: number, damaged: (fault: StoredDamage) => void): Generator<StoredHistory, number | null> {
    const until = performance.now() + sliceMs
    const tail = this.#tail.all(damaged)
    for (let key = after; ; ) {
      const row = this.#nextCall.get(key)
      if (row === undefined) return null
      key = row.key
      yield { ...facts(row), entries: this.#histories.entries(key, tail.get(key) ?? []) }
      if (performance.now() > until) return key
    }
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
      const pending = this.#tail.of(row.key)
      const last = pending.at(-1)
      const through = Math.max(
        row.version,
        this.#lastVersion.get({ key: row.key }) ?? 0,
        last === undefined ? 0 : recordVersion(last, 0),
      )
      return {
        ...facts(row),
        entries: { [Symbol.iterator]: () => this.#entriesThrough(row.key, pending, through) },
        packets: { [Symbol.iterator]: () => this.#packetsThrough(row.key, pending, through) },
      }
    })()
  }

  *#entriesThrough(callKey: number, pending: readonly Buffer[], through: number): Generator<StoredEntry> {
    for (const entry of this.#histories.entries(callKey, pending)) {
      if (entry.version > through) return
      yield entry
    }
  }

  *#packetsThrough(callKey: number, pending: readonly Buffer[], through: number): Generator<StoredPacket> {
    const unfolded = pending.flatMap(packetsOf)
    for (let from: number | null = 0; from !== null; ) {
      const { records, nextFrom } = this.#page(callKey, from)
      const folded = packetsOf(Buffer.from(records)).filter(({ version }) => version <= through)
      const page = mergePage(folded, nextFrom, unfolded, from, limits.packetsPageMax)
      yield* page.packets
      from = page.nextFrom
    }
  }

  #page(callKey: number, from: number): ReturnType<PacketPages['page']> {
    try {
      return this.#pages.page(callKey, from, limits.packetsPageMax)
    } catch (cause) {
      throw new StoredDamage(cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }

  close(): void {
    this.#db.close()
  }
}

function facts(row: CallTableRow): Omit<StoredHistory, 'entries'> {
  const { callId, snapshot, version } = storedCall(row)
  return { callId, snapshot, snapshotVersion: version }
}
