/**
 * Keys of calls. They ascend, so what is ordered by them is newest first.
 *
 *     key = serial × 64 + partition
 *
 * The partition is for several nodes, which give keys without asking each other: a node goes on behind the highest serial that it
 * has given or applied, and the owner of a partition has applied all keys that the owner before it gave. So no key is given
 * twice, and calls of all nodes are newest first but for what a node has not applied yet. No clock is asked.
 */
import { partitionOf, partitions } from './partitions.js'

/** No call can come to a higher one, so a higher one in a file is damage. */
export const keyMax = 2 ** 51

export class CallKeys {
  #serial: number

  /** `last`: the highest key that is taken; 0 for none. */
  constructor(last: number) {
    this.#serial = serialOf(last)
  }

  next(callId: string): number {
    return ++this.#serial * partitions + partitionOf(callId)
  }

  /** Another node has given it. */
  applied(key: number): void {
    this.#serial = Math.max(this.#serial, serialOf(key))
  }
}

function serialOf(key: number): number {
  return Math.floor(key / partitions)
}
