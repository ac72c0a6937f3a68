/** Everything that was appended to one call, by version: its runs, its lifecycle and what is pending, merged. */
import { crc32 } from 'node:zlib'
import { StoredDamage } from '../../errors.js'
import type { LifecycleFacts } from '../journal.js'
import type { StoredEntry } from '../stored-calls.js'
import {
  recordCallKey,
  recordReceivedAt,
  recordSequence,
  recordStarts,
  recordVersion,
} from './packet-record.js'
import type { Db } from './schema.js'

interface RunRow {
  readonly key: number
  readonly first: number
  readonly last: number
  readonly version: number
  readonly checksum: number
  readonly records: Buffer
}

export class StoredHistories {
  readonly #runs
  readonly #lifecycle

  constructor(db: Db) {
    this.#runs = db.prepare<[number], RunRow>(
      `SELECT key, first_sequence AS first, last_sequence AS last, last_version AS version, checksum, records
       FROM runs WHERE call_key = ? ORDER BY last_version`,
    )
    this.#lifecycle = db.prepare<[number], { version: number; entry: string }>(
      'SELECT version, entry FROM lifecycle WHERE call_key = ? ORDER BY version',
    )
  }

  /** `pending`: the call's records in the tail. One run at a time is in memory. */
  *entries(callKey: number, pending: readonly Buffer[]): Generator<StoredEntry> {
    const lifecycle = this.#lifecycle
      .all(callKey)
      .map(({ version, entry }) => ({ version, entry: parseEntry(entry, version) }))
    let next = 0
    for (const packet of this.#packets(callKey, pending)) {
      for (let entry = lifecycle[next]; entry !== undefined && entry.version < packet.version; ) {
        yield entry
        entry = lifecycle[++next]
      }
      yield packet
    }
    yield* lifecycle.slice(next)
  }

  *#packets(callKey: number, pending: readonly Buffer[]): Generator<StoredEntry> {
    let folded = 0
    for (const run of this.#runs.iterate(callKey)) {
      yield* packetsOfRun(run, callKey)
      folded = run.version
    }
    // What was pending when the tail was read may have been folded since, and then stands in both.
    for (const record of pending) if (recordVersion(record, 0) > folded) yield packetOf(record, 0)
  }
}

function packetsOfRun(run: RunRow, callKey: number): StoredEntry[] {
  const { key, records } = run
  if (crc32(records) !== run.checksum) throw new StoredDamage(`run ${key} is damaged`)
  const starts = startsOf(records, key)
  const sequences = starts.map((at) => recordSequence(records, at))
  const isAsSaid =
    starts.every((at) => recordCallKey(records, at) === callKey) &&
    sequences.reduce((least, sequence) => Math.min(least, sequence), Number.POSITIVE_INFINITY) ===
      run.first &&
    sequences.reduce((most, sequence) => Math.max(most, sequence), -1) === run.last &&
    recordVersion(records, starts.at(-1) ?? 0) === run.version
  if (!isAsSaid) throw new StoredDamage(`run ${key} is not what its row says`)
  return starts.map((at) => packetOf(records, at))
}

function startsOf(records: Buffer, key: number): number[] {
  try {
    const starts = [...recordStarts(records)]
    if (starts.length > 0) return starts
  } catch (cause) {
    throw new StoredDamage(`run ${key} holds no records`, { cause })
  }
  throw new StoredDamage(`run ${key} is empty`)
}

function packetOf(records: Buffer, at: number): StoredEntry {
  return {
    version: recordVersion(records, at),
    entry: {
      type: 'packet',
      sequence: recordSequence(records, at),
      receivedAt: recordReceivedAt(records, at),
    },
  }
}

function parseEntry(text: string, version: number): LifecycleFacts {
  try {
    // Written by this program; what it does not fit is found when it is replayed.
    return JSON.parse(text) as LifecycleFacts
  } catch (cause) {
    throw new StoredDamage(`lifecycle entry ${version} is damaged`, { cause })
  }
}
