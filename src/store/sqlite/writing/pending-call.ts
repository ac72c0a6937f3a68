/**
 * What is pending of one call in the journal's tail. A fold takes all of it; who reads gets a page, which is found by
 * binary search and copied as far as it goes, however much is pending (V11).
 */
import { limits } from '../../../limits.js'
import {
  copyHead,
  joinedRecords,
  recordEnd,
  recordHeaderBytes,
  recordSequence,
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
const sequenceOf = ({ batch, at }: PendingRecord) => recordSequence(batch.records, at)
const versionOf = ({ batch, at }: PendingRecord) => recordVersion(batch.records, at)

export class PendingCall {
  /** In the order of their appends. */
  readonly records: PendingRecord[] = []
  bytes = 0
  /** By sequence, those of one sequence as they were appended: as many as were pending when somebody read last. */
  #ascending: PendingRecord[] = []

  add(record: PendingRecord, bytes: number): void {
    this.records.push(record)
    this.bytes += bytes
  }

  /** The lowest from a sequence on, each number once, as it was appended first: at most so many, and `pageBytesMax`. */
  page(from: number, limit: number): RecordPage {
    const ascending = this.#bySequence()
    const chosen: Buffer[] = []
    let bytes = 0
    let last = -1
    let nextFrom: number | null = null
    for (let index = firstWith(ascending, sequenceOf, from); index < ascending.length; index++) {
      const record = ascending[index] as PendingRecord
      const sequence = sequenceOf(record)
      if (sequence === last) continue
      const taken = recordOf(record)
      if (chosen.length === limit || (chosen.length > 0 && bytes + taken.length > limits.pageBytesMax)) {
        nextFrom = sequence
        break
      }
      chosen.push(taken)
      bytes += taken.length
      last = sequence
    }
    return { records: joinedRecords(chosen, bytes), nextFrom }
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
  #bySequence(): readonly PendingRecord[] {
    const sorted = this.#ascending
    if (sorted.length === this.records.length) return sorted
    let isAscending = true
    for (let index = sorted.length; index < this.records.length; index++) {
      const record = this.records[index] as PendingRecord
      const before = sorted.at(-1)
      isAscending &&= before === undefined || sequenceOf(before) <= sequenceOf(record)
      sorted.push(record)
    }
    if (!isAscending) sorted.sort((a, b) => sequenceOf(a) - sequenceOf(b))
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
