/**
 * Packets on their way from the journal into runs: the writer's side, within its transaction.
 *
 * A run holds packets without a hole, so what is pending of a call becomes as many runs as it has stretches. The database
 * refuses a run that holds a packet which is stored already. It cannot come to that while receive logs are right; when it
 * does, the first packet stays and the second is dropped: an entry in the place of its version says so.
 */

import { crc32 } from 'node:zlib'
import type { Statement } from 'better-sqlite3'
import { codeOf } from '../../../errors.js'
import { limits } from '../../../limits.js'
import type { DroppedPacket } from '../../journal.js'
import type { Db } from '../files/schema.js'
import { recordCount, recordOrdinal, recordVersion, singleRecords } from '../packet-record.js'
import { insertLifecycle, lifecycleValues } from '../reading/stored-lifecycle.js'
import type { Fold } from './tail.js'

export class Folds {
  readonly #insertRun: Statement
  readonly #insertDropped: Statement
  /** By call, of the folds since the last look. */
  #dropped = new Map<number, number>()

  constructor(db: Db) {
    this.#insertRun = db.prepare(
      'INSERT INTO runs(call_key, first_sequence, last_sequence, last_version, checksum, records) VALUES (?, ?, ?, ?, ?, ?)',
    )
    this.#insertDropped = db.prepare(insertLifecycle.replace('INSERT', 'INSERT OR IGNORE'))
  }

  add({ callKey, records }: Fold): void {
    const last = records.at(-1)
    if (last === undefined) return
    // All runs of a fold have its last version: what is left behind by it, and what has to be put in order together.
    const version = recordVersion(last, 0)
    for (const run of stretchesOf(ascending(records))) this.#add(callKey, version, run)
  }

  #add(callKey: number, version: number, run: readonly Buffer[]): void {
    const [head] = run
    if (head === undefined) return
    const first = recordOrdinal(head, 0)
    const records = run.length === 1 ? head : Buffer.concat(run)
    try {
      this.#insertRun.run(callKey, first, endOf(run.at(-1) as Buffer) - 1, version, crc32(records), records)
    } catch (error) {
      if (!['SQLITE_CONSTRAINT_TRIGGER', 'SQLITE_CONSTRAINT_UNIQUE'].includes(codeOf(error))) throw error
      if (run.length > 1) for (const record of run) this.#add(callKey, version, [record])
      else if (recordCount(head, 0) === 1) this.#drop(callKey, head)
      else for (const record of singleRecords(head)) this.#add(callKey, version, [record])
    }
  }

  #drop(callKey: number, record: Buffer): void {
    const entry: DroppedPacket = { type: 'dropped', sequence: recordOrdinal(record, 0) }
    const row = { callKey, version: recordVersion(record, 0), type: entry.type, entry: JSON.stringify(entry) }
    this.#insertDropped.run(lifecycleValues({ ...row, text: null }))
    this.#dropped.set(callKey, (this.#dropped.get(callKey) ?? 0) + 1)
  }

  /** Packets that were dropped since the last look, by call. */
  takeDropped(): ReadonlyMap<number, number> {
    const dropped = this.#dropped
    if (dropped.size > 0) this.#dropped = new Map()
    return dropped
  }
}

/** Behind its last packet. */
const endOf = (record: Buffer) => recordOrdinal(record, 0) + recordCount(record, 0)

/** By ordinal, those of one ordinal as they were appended; most are in that order already. */
function ascending(records: readonly Buffer[]): readonly Buffer[] {
  let before = -1
  for (const record of records) {
    const ordinal = recordOrdinal(record, 0)
    if (ordinal < before) return records.toSorted((a, b) => recordOrdinal(a, 0) - recordOrdinal(b, 0))
    before = ordinal
  }
  return records
}

/** Without a hole, and of at most `runBytesMax`, but for a single packet. */
function* stretchesOf(records: readonly Buffer[]): Generator<readonly Buffer[]> {
  let run: Buffer[] = []
  let bytes = 0
  let next = -1
  for (const record of records) {
    if (run.length > 0 && (recordOrdinal(record, 0) !== next || bytes + record.length > limits.runBytesMax)) {
      yield run
      run = []
      bytes = 0
    }
    run.push(record)
    bytes += record.length
    next = endOf(record)
  }
  yield run
}
