/**
 * The packets that one call has received: exact for every pattern of arrival, without a cap on gaps. Pure; it knows no clock, no
 * disk and no call.
 *
 * It keeps the highest sequence, the gaps below it (`sequence-gaps`) and, once the call's completion has named it,
 * the expected total. All other figures follow: expected − missing = received.
 */
import assert from 'node:assert/strict'
import { limits } from '../limits.js'
import { SequenceGaps, type SequenceRange } from './sequence-gaps.js'

/** `ahead` skips numbers, which opens a gap; `late` closes one; `duplicate` changes nothing. */
export type Arrival = 'in-order' | 'ahead' | 'late' | 'duplicate'

export interface GapPage {
  readonly ranges: readonly SequenceRange[]
  /** Where the next page starts, or null when this one was the last. */
  readonly nextFrom: number | null
}

const snapshotVersion = 2

export class ReceiveLog {
  #highest = -1
  #received = 0
  #late = 0
  #gaps: SequenceGaps | null = null
  #total: number | null = null
  #receivedWithinTotal = 0
  /** The first missing numbers, kept until a gap changes: every receipt lists them. */
  #listed: readonly number[] | null = null

  get highestSequence(): number | null {
    return this.#highest < 0 ? null : this.#highest
  }

  get totalReceived(): number {
    return this.#received
  }

  get lateCount(): number {
    return this.#late
  }

  get expectedTotal(): number | null {
    return this.#total
  }

  /** Before the total is known, counted up to the highest sequence; after it, up to the total. */
  get missingCount(): number {
    return this.#total === null ? this.#highest + 1 - this.#received : this.#total - this.#receivedWithinTotal
  }

  /** Received numbers at or above the expected total. */
  get surplusCount(): number {
    return this.#total === null ? 0 : this.#received - this.#receivedWithinTotal
  }

  /** Bytes held for the gaps: the only part that grows. */
  get bytes(): number {
    return this.#gaps?.bytes ?? 0
  }

  mark(sequence: number): Arrival {
    assert(sequence >= 0 && sequence <= limits.sequenceMax)
    const arrival = this.#place(sequence)
    if (arrival === 'duplicate') return arrival
    this.#received++
    if (arrival === 'late') this.#late++
    if (this.#total !== null) {
      if (sequence < this.#total) this.#receivedWithinTotal++
      this.#listed = null
    } else if (arrival !== 'in-order') this.#listed = null
    return arrival
  }

  #place(sequence: number): Arrival {
    if (sequence === this.#highest + 1) {
      this.#highest = sequence
      return 'in-order'
    }
    if (sequence > this.#highest) {
      this.#gaps ??= new SequenceGaps()
      this.#gaps.append(this.#highest + 1, sequence - 1)
      this.#highest = sequence
      return 'ahead'
    }
    return this.#gaps?.remove(sequence) === true ? 'late' : 'duplicate'
  }

  has(sequence: number): boolean {
    return sequence >= 0 && sequence <= this.#highest && this.#gaps?.has(sequence) !== true
  }

  /** How many of these numbers have come. */
  receivedWithin(first: number, last: number): number {
    const end = Math.min(last, this.#highest)
    if (end < first) return 0
    let received = end - first + 1
    for (const gap of this.#gaps?.from(first) ?? []) {
      if (gap.first > end) break
      received -= Math.min(gap.last, end) - Math.max(gap.first, first) + 1
    }
    return received
  }

  /** Those of these numbers that have not come, ascending. */
  newWithin(first: number, last: number): readonly SequenceRange[] {
    if (first > this.#highest) return [{ first, last }]
    const ranges: SequenceRange[] = []
    for (const gap of this.#gaps?.from(first) ?? []) {
      if (gap.first > last) break
      ranges.push({ first: Math.max(gap.first, first), last: Math.min(gap.last, last) })
    }
    if (last > this.#highest) ranges.push({ first: this.#highest + 1, last })
    return ranges
  }

  /** Names the expected total, once; numbers are 0 … total − 1. */
  expect(total: number): void {
    assert(this.#total === null, 'the expected total is set once')
    assert(total >= 0 && total <= limits.totalPacketsMax)
    this.#total = total
    this.#receivedWithinTotal = this.#countReceivedBelow(total)
    this.#listed = null
  }

  #countReceivedBelow(total: number): number {
    if (total > this.#highest) return this.#received
    let missing = 0
    for (const gap of this.#gaps?.from(0) ?? []) {
      if (gap.first >= total) break
      missing += Math.min(gap.last, total - 1) - gap.first + 1
    }
    return total - missing
  }

  /** The lowest missing numbers, ascending, at most `limits.missingListedMax`. The array is never changed afterwards. */
  missingSequences(): readonly number[] {
    if (this.#listed !== null) return this.#listed
    const listed: number[] = []
    for (const range of this.#missingFrom(0)) {
      const last = Math.min(range.last, range.first + limits.missingListedMax - listed.length - 1)
      for (let sequence = range.first; sequence <= last; sequence++) listed.push(sequence)
      if (listed.length === limits.missingListedMax) break
    }
    this.#listed = listed
    return listed
  }

  /** Missing ranges from number `from` on, cut at `from`, at most `limit`. */
  missingRanges(from: number, limit: number): GapPage {
    assert(limit >= 1)
    const ranges: SequenceRange[] = []
    for (const range of this.#missingFrom(from)) {
      if (ranges.length === limit) return { ranges, nextFrom: range.first }
      ranges.push({ first: Math.max(range.first, from), last: range.last })
    }
    return { ranges, nextFrom: null }
  }

  *#missingFrom(from: number): Generator<SequenceRange> {
    const lastMissing = (this.#total ?? this.#highest + 1) - 1
    for (const gap of this.#gaps?.from(from) ?? []) {
      if (gap.first > lastMissing) return
      const last = Math.min(gap.last, lastMissing)
      if (last >= from) yield { first: gap.first, last }
    }
    const tail = { first: this.#highest + 1, last: lastMissing }
    if (tail.first <= tail.last && tail.last >= from) yield tail
  }

  /** Unsigned LEB128 numbers: version, highest + 1, late, total + 1 or 0, gaps, then each gap's distance and length. */
  snapshot(): Uint8Array {
    const total = this.#total === null ? 0 : this.#total + 1
    const numbers = [snapshotVersion, this.#highest + 1, this.#late, total, this.#gaps?.count ?? 0]
    let end = -1
    for (const gap of this.#gaps?.from(0) ?? []) {
      numbers.push(gap.first - end, gap.last - gap.first)
      end = gap.last
    }
    return encodeNumbers(numbers)
  }

  static restore(snapshot: Uint8Array): ReceiveLog {
    const next = decodeNumbers(snapshot)
    assert(next() === snapshotVersion, 'the snapshot of a receive log has a known version')
    const log = new ReceiveLog()
    log.#highest = next() - 1
    log.#late = next()
    const total = next()
    const count = next()
    log.#received = log.#highest + 1
    let end = -1
    for (let i = 0; i < count; i++) {
      log.#gaps ??= new SequenceGaps()
      const first = end + next()
      end = first + next()
      log.#gaps.append(first, end)
      log.#received -= end - first + 1
    }
    assert(end <= log.#highest && log.#received >= 0)
    if (total > 0) log.expect(total - 1)
    return log
  }
}

function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 5)
  let at = 0
  for (const number of numbers) {
    let rest = number
    while (rest >= 0x80) {
      bytes[at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    bytes[at++] = rest
  }
  return bytes.slice(0, at)
}

function decodeNumbers(bytes: Uint8Array): () => number {
  let at = 0
  return () => {
    let number = 0
    let scale = 1
    for (;;) {
      const byte = bytes[at++]
      assert(byte !== undefined, 'a snapshot of a receive log ends too early')
      number += (byte & 0x7f) * scale
      if (byte < 0x80) return number
      scale *= 0x80
    }
  }
}
