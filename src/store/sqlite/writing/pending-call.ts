/**
 * The pending packets of one call in the journal's tail. A fold takes all of it; who reads gets a page, which is found by
 * binary search and copied as far as it goes, however much is pending (V11).
 */
import { limits } from '../../../limits.js'
import { trackEnd } from '../../../protocol/track.js'
import {
  copyHead,
  joinedRecords,
  recordCount,
  recordEnd,
  recordHeaderBytes,
  recordOrdinal,
  recordVersion,
} from '../packet-record.js'
import type { RecordPage } from '../thread-messages.js'

export interface TailBatch {
  readonly offset: number
  records: Buffer
  /** Records that are not folded yet. */
  pending: number
}

export interface PendingRecord {
  readonly batch: TailBatch
  readonly at: number
}

const recordOf = ({ batch, at }: PendingRecord) => batch.records.subarray(at, recordEnd(batch.records, at))
const ordinalOf = ({ batch, at }: PendingRecord) => recordOrdinal(batch.records, at)
const endOf = ({ batch, at }: PendingRecord) =>
  recordOrdinal(batch.records, at) + recordCount(batch.records, at)
const versionOf = ({ batch, at }: PendingRecord) => recordVersion(batch.records, at)

export class PendingCall {
  /** In the order of their appends. */
  readonly records: PendingRecord[] = []
  bytes = 0
  /** By ordinal, those of one ordinal as they were appended: as many as were pending when somebody read last. */
  #ascending: PendingRecord[] = []

  add(record: PendingRecord, bytes: number): void {
    this.records.push(record)
    this.bytes += bytes
  }

  /**
   * The lowest of a track from an ordinal on, each number once, as it was appended first: at most so many packets and
   * `pageBytesMax`, but for the end of a block.
   */
  page(from: number, limit: number): RecordPage {
    const ascending = this.#byOrdinal()
    const trackEndsAt = trackEnd(from)
    const chosen: Buffer[] = []
    let bytes = 0
    let packets = 0
    let last = -1
    let nextFrom: number | null = null
    for (let index = this.#firstWith(ascending, from); index < ascending.length; index++) {
      const record = ascending[index] as PendingRecord
      const ordinal = ordinalOf(record)
      if (ordinal === last) continue
      if (ordinal >= trackEndsAt) break
      const taken = recordOf(record)
      if (packets >= limit || (chosen.length > 0 && bytes + taken.length > limits.pageBytesMax)) {
        nextFrom = ordinal
        break
      }
      chosen.push(taken)
      bytes += taken.length
      packets += endOf(record) - Math.max(ordinal, from)
      last = ordinal
    }
    return { records: joinedRecords(chosen, bytes), nextFrom }
  }

  /** A block may begin before what is asked for. */
  #firstWith(ascending: readonly PendingRecord[], from: number): number {
    const index = firstWith(ascending, ordinalOf, from)
    const before = ascending[index - 1]
    return before !== undefined && endOf(before) > from ? index - 1 : index
  }

  /** Of those behind a version all but their data, in the order of their appends: what a replay needs. */
  headsAfter(version: number): Uint8Array<ArrayBuffer> {
    const first = firstWith(this.records, versionOf, version + 1)
    const heads = Buffer.from(new ArrayBuffer((this.records.length - first) * recordHeaderBytes))
    for (let index = first; index < this.records.length; index++) {
      const { batch, at } = this.records[index] as PendingRecord
      copyHead(batch.records, at, heads, (index - first) * recordHeaderBytes)
    }
    return heads
  }

  /** Most packets come in order, and of the others a sort makes little: what is sorted already it only merges. */
  #byOrdinal(): readonly PendingRecord[] {
    const sorted = this.#ascending
    if (sorted.length === this.records.length) return sorted
    let isAscending = true
    for (let index = sorted.length; index < this.records.length; index++) {
      const record = this.records[index] as PendingRecord
      const before = sorted.at(-1)
      isAscending &&= before === undefined || ordinalOf(before) <= ordinalOf(record)
      sorted.push(record)
    }
    if (!isAscending) sorted.sort((a, b) => ordinalOf(a) - ordinalOf(b))
    return sorted
  }
}

/** The index of the first one with at least that number; all of them ascend by it. */
function firstWith(
  records: readonly PendingRecord[],
  numberOf: (record: PendingRecord) => number,
  least: number,
): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numberOf(records[middle] as PendingRecord) < least) low = middle + 1
    else high = middle
  }
  return low
}
