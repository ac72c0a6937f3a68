/**
 * Keys of calls that several nodes give without asking each other: newest first over all of them, and unique because a partition
 * has one owner at a time, who has applied all that the one before gave.
 *
 *     key = (milliseconds since 2026 × 64 + serial) × 64 + partition        < 2⁵³ until 2095
 *
 * A node's own keys ascend whatever its clock does: where a millisecond has no serial left, or the clock went back, they
 * go on behind the last one that it has given or applied.
 */
import assert from 'node:assert/strict'
import type { Millis } from '../../clock.js'
import { partitionOf, partitions } from './partitions.js'

const since = Date.UTC(2026, 0, 1)
const serials = 64

/** Of the call that has the key. No bits: a key has more than 32. */
export function partitionOfKey(key: number): number {
  return key % partitions
}

export class CallKeys {
  readonly #now: () => Millis
  /** The key without its partition. */
  #lastSlot: number

  /** `last`: the highest key in this node's file, 0 for none. */
  constructor(last: number, now: () => Millis) {
    this.#now = now
    this.#lastSlot = slotOf(last)
  }

  next(callId: string): number {
    const slot = (this.#now() - since) * serials
    this.#lastSlot = Math.max(slot, this.#lastSlot + 1)
    const key = this.#lastSlot * partitions + partitionOf(callId)
    assert(Number.isSafeInteger(key), 'a key is below 2^53')
    return key
  }

  /** Another node has given it. */
  applied(key: number): void {
    this.#lastSlot = Math.max(this.#lastSlot, slotOf(key))
  }
}

function slotOf(key: number): number {
  return Math.floor(key / partitions)
}
