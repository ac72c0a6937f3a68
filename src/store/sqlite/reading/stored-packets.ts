/**
 * What is stored of a call, by whoever has the database open to read it: the reader threads of the service, and the
 * commands beside it. Packets lie in runs, and those that are not folded yet in the journal's tail, of which as much as is
 * needed is given here. What was pending may have been folded since, and then stands in both; it is read once.
 *
 * A run holds packets without a hole between them, and no two of a call overlap (`schema.ts`), so a page is one walk over
 * an index: in the order of the ordinals, and as far as the page goes. Blocks are taken apart: who reads gets a record a packet.
 */
import { crc32 } from 'node:zlib'
import type { Statement } from 'better-sqlite3'
import { StoredDamage } from '../../../errors.js'
import { limits } from '../../../limits.js'
import { trackEnd } from '../../../protocol/track.js'
import type { Db } from '../files/schema.js'
import {
  bufferOf,
  joinedRecords,
  recordCallKey,
  recordCount,
  recordEnd,
  recordEntry,
  recordOrdinal,
  recordStarts,
  recordVersion,
  singleRecords,
} from '../packet-record.js'
import type { RecordPage, VersionedEntry } from '../thread-messages.js'
import { factsIn, type LifecycleTableRow, lifecycleColumns } from './stored-lifecycle.js'

interface RunRow {
  readonly key: number
  readonly callKey: number
  readonly first: number
  readonly last: number
  readonly version: number
  readonly checksum: number
  readonly records: Buffer
}

const runColumns = `key, call_key AS callKey, first_sequence AS first, last_sequence AS last, last_version AS version,
  checksum, records`

export class StoredPackets {
  readonly #runsFrom: Statement<{ callKey: number; from: number }, RunRow>
  readonly #runsAfter: Statement<[number, number], RunRow>
  readonly #foldedThrough: Statement<[number], number | null>
  readonly #lifecycleAfter: Statement<[number, number], LifecycleTableRow>
  readonly #differingCounts: Statement<{ callKey: number }, number>

  constructor(db: Db) {
    this.#runsFrom = db.prepare(
      `SELECT ${runColumns} FROM runs WHERE call_key = :callKey AND first_sequence >= coalesce(
         (SELECT max(first_sequence) FROM runs WHERE call_key = :callKey AND first_sequence <= :from), :from)
       ORDER BY first_sequence`,
    )
    this.#runsAfter = db.prepare(
      `SELECT ${runColumns} FROM runs WHERE call_key = ? AND last_version > ? ORDER BY last_version`,
    )
    this.#foldedThrough = db
      .prepare<[number], number | null>('SELECT max(last_version) FROM runs WHERE call_key = ?')
      .pluck()
    this.#differingCounts = db
      .prepare<{ callKey: number }, number>(
        `SELECT (SELECT count(*) FROM runs INDEXED BY sqlite_autoindex_runs_1 WHERE call_key = :callKey)
           <> (SELECT count(*) FROM runs INDEXED BY runs_by_version WHERE call_key = :callKey)`,
      )
      .pluck()
    this.#lifecycleAfter = db.prepare(
      `SELECT ${lifecycleColumns} FROM lifecycle WHERE call_key = ? AND version > ? ORDER BY version`,
    )
  }

  /** A fold takes all that is pending of a call, so what it has left behind is told by one version a call. */
  foldedThrough(callKey: number): number {
    return this.#foldedThrough.get(callKey) ?? 0
  }

  /**
   * The lowest packets of a track from an ordinal on: at most so many, and at most `pageBytesMax`, but for the first one.
   * `pending` is such a page of what is not folded; what is beyond its end is another page's.
   */
  page(
    callKey: number,
    from: number,
    limit: number,
    pending: RecordPage,
    into: ArrayBuffer | null = null,
  ): RecordPage {
    const page: Buffer[] = []
    let bytes = 0
    for (const record of this.#ascending(callKey, from, pending)) {
      const ordinal = recordOrdinal(record, 0)
      if (pending.nextFrom !== null && ordinal >= pending.nextFrom) break
      if (page.length === limit || (page.length > 0 && bytes + record.length > limits.pageBytesMax))
        return { records: joinedRecords(page, bytes, into), nextFrom: ordinal }
      page.push(record)
      bytes += record.length
    }
    return { records: joinedRecords(page, bytes, into), nextFrom: pending.nextFrom }
  }

  /** Each packet once, as it is stored before as it is pending. */
  *#ascending(callKey: number, from: number, pending: RecordPage): Generator<Buffer> {
    const waiting = split(bufferOf(pending.records)).flatMap(singleRecords)
    let last = from - 1
    let next = 0
    for (const record of this.#folded(callKey, from)) {
      const ordinal = recordOrdinal(record, 0)
      for (let first = waiting[next]; first !== undefined; first = waiting[++next]) {
        if (recordOrdinal(first, 0) >= ordinal) break
        if (recordOrdinal(first, 0) > last) yield first
        last = Math.max(last, recordOrdinal(first, 0))
      }
      // A damaged entry of the index leads to a run for the second time.
      if (ordinal <= last) throw new StoredDamage(`packets of the call with key ${callKey} do not ascend`)
      yield record
      last = ordinal
    }
    for (const record of waiting.slice(next)) {
      if (recordOrdinal(record, 0) > last) yield record
      last = Math.max(last, recordOrdinal(record, 0))
    }
  }

  *#folded(callKey: number, from: number): Generator<Buffer> {
    const end = trackEnd(from)
    for (const run of this.#runsFrom.iterate({ callKey, from }))
      for (const record of recordsOf(run, callKey)) {
        const ordinal = recordOrdinal(record, 0)
        if (ordinal >= end) return
        if (ordinal + recordCount(record, 0) <= from) continue
        for (const single of singleRecords(record)) if (recordOrdinal(single, 0) >= from) yield single
      }
  }

  /**
   * As `entries`, for a call that starts from them: packets that follow each other are one entry, because thousands a call would
   * hold up the thread that takes them. Throws `StoredDamage` where one is gone: versions have no hole, and what is gone at the
   * end is still in one of the two indexes of runs.
   */
  wholeEntries(callKey: number, afterVersion: number, pending: Uint8Array): readonly VersionedEntry[] {
    const found: VersionedEntry[] = []
    let version = afterVersion
    for (const next of this.entries(callKey, afterVersion, pending)) {
      if (next.version !== ++version) throw entriesGone(callKey)
      const last = found.at(-1)
      const joined = last === undefined ? null : joinedEntry(last, next)
      if (joined === null) found.push(next)
      else found[found.length - 1] = joined
    }
    if (this.#differingCounts.get({ callKey }) !== 0) throw entriesGone(callKey)
    return found
  }

  /**
   * Everything that was appended after a version, by version. One fold at a time is in memory. `pending` is what is not
   * folded, in the order of its appends; it needs no data.
   */
  *entries(callKey: number, afterVersion: number, pending: Uint8Array): Generator<VersionedEntry> {
    const lifecycle = this.#lifecycleAfter.all(callKey, afterVersion)
    if (lifecycle.some((row) => row.callKey !== callKey))
      throw new StoredDamage(`the lifecycle of the call with key ${callKey} is damaged`)
    let next = 0
    for (const packet of this.#packetsAfter(callKey, afterVersion, pending)) {
      for (
        let row = lifecycle[next];
        row !== undefined && row.version < packet.version;
        row = lifecycle[++next]
      )
        yield lifecycleEntry(row)
      yield packet
    }
    for (const row of lifecycle.slice(next)) yield lifecycleEntry(row)
  }

  *#packetsAfter(callKey: number, afterVersion: number, pending: Uint8Array): Generator<VersionedEntry> {
    let folded = afterVersion
    let fold: VersionedEntry[] = []
    for (const run of this.#runsAfter.iterate(callKey, afterVersion)) {
      if (run.version > folded) {
        yield* byVersion(fold)
        fold = []
        folded = run.version
      }
      for (const record of recordsOf(run, callKey))
        if (recordVersion(record, 0) > afterVersion) fold.push(packetEntry(record))
    }
    yield* byVersion(fold)
    for (const record of split(bufferOf(pending)))
      if (recordVersion(record, 0) > folded) yield { ...packetEntry(record), isInTail: true }
  }
}

/** A search in a damaged index may come to a run of another call. Throws `StoredDamage`. */
function recordsOf(run: RunRow, callKey: number): Buffer[] {
  const { key, first, last, version, checksum } = run
  if (crc32(run.records) !== checksum) throw new StoredDamage(`run ${key} is damaged`)
  const records = split(run.records)
  let next = first
  const isAsSaid =
    run.callKey === callKey &&
    records.every((record) => {
      const isNext = recordOrdinal(record, 0) === next
      next += recordCount(record, 0)
      return isNext && recordCallKey(record, 0) === run.callKey && recordVersion(record, 0) <= version
    }) &&
    next === last + 1
  if (!isAsSaid) throw new StoredDamage(`run ${key} is not what its row says`)
  return records
}

function split(records: Buffer): Buffer[] {
  try {
    return [...recordStarts(records)].map((at) => records.subarray(at, recordEnd(records, at)))
  } catch (cause) {
    throw new StoredDamage('what should be packets is not', { cause })
  }
}

const byVersion = (entries: VersionedEntry[]) => entries.sort((a, b) => a.version - b.version)

function packetEntry(record: Buffer): VersionedEntry {
  return { version: recordVersion(record, 0), entry: recordEntry(record, 0) }
}

const entriesGone = (callKey: number) => new StoredDamage(`entries of the call with key ${callKey} are gone`)

/** Both in one, as a block of the later version; null where the second does not follow the first. */
function joinedEntry(
  { entry: first }: VersionedEntry,
  { version, entry: next }: VersionedEntry,
): VersionedEntry | null {
  if (first.type !== 'packet' || next.type !== 'packet' || first.track !== next.track) return null
  const { count = 1 } = first
  if (first.sequence + count !== next.sequence) return null
  return { version, entry: { ...first, count: count + (next.count ?? 1), receivedAt: next.receivedAt } }
}

function lifecycleEntry(row: LifecycleTableRow): VersionedEntry {
  return { version: row.version, entry: factsIn(row) }
}
