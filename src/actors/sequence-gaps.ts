/**
 * The zeros of a sequence bitmap, run-length coded: disjoint, ascending, non-adjacent ranges of the numbers that have
 * not been received below the highest one that has.
 *
 *     received   #####..####.###        highest = 14
 *     gaps            5–6   11
 *
 * A plain bitmap of one sparse call (10,000 packets spread over 2^31 numbers) takes 256 MiB, paged 0.6–40 MiB; this
 * takes 8 bytes a gap, nothing at all for a call without loss, and lists gaps in order without a search. The ranges
 * live in blocks, so that closing a gap in the middle of a million moves at most one block (4 KiB).
 */
import assert from 'node:assert/strict'

export interface SequenceRange {
  readonly first: number
  readonly last: number
}

const blockGapsMax = 512
const blockGapsInitial = 4

class Block {
  /** first0, last0, first1, last1, … */
  bounds = new Int32Array(blockGapsInitial * 2)
  count = 0

  first(index: number): number {
    return this.bounds[index * 2] as number
  }

  last(index: number): number {
    return this.bounds[index * 2 + 1] as number
  }

  insert(index: number, first: number, last: number): void {
    assert(this.count < blockGapsMax)
    if (this.count * 2 === this.bounds.length) {
      const grown = new Int32Array(this.bounds.length * 2)
      grown.set(this.bounds)
      this.bounds = grown
    }
    this.bounds.copyWithin((index + 1) * 2, index * 2, this.count * 2)
    this.bounds[index * 2] = first
    this.bounds[index * 2 + 1] = last
    this.count++
  }

  remove(index: number): void {
    this.bounds.copyWithin(index * 2, (index + 1) * 2, this.count * 2)
    this.count--
  }

  /** The last gap that starts at or before `sequence`, or −1. */
  find(sequence: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.first(middle) <= sequence) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

export class SequenceGaps {
  #blocks: Block[] = []
  #count = 0

  /** How many gaps (ranges), not how many numbers. */
  get count(): number {
    return this.#count
  }

  /** Bytes that the ranges take, for the memory bound. */
  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.bounds.byteLength, 0)
  }

  /** Adds a gap above all others. */
  append(first: number, last: number): void {
    assert(first <= last)
    let block = this.#blocks.at(-1)
    assert(block === undefined || block.last(block.count - 1) < first - 1, 'gaps ascend and do not touch')
    if (block === undefined || block.count === blockGapsMax) {
      block = new Block()
      this.#blocks.push(block)
    }
    block.insert(block.count, first, last)
    this.#count++
  }

  has(sequence: number): boolean {
    const block = this.#blocks[this.#blockOf(sequence)]
    if (block === undefined) return false
    const index = block.find(sequence)
    return index >= 0 && sequence <= block.last(index)
  }

  /** Closes the gap at `sequence`; false when that number was not missing. */
  remove(sequence: number): boolean {
    const blockIndex = this.#blockOf(sequence)
    const block = this.#blocks[blockIndex]
    if (block === undefined) return false
    const index = block.find(sequence)
    if (index < 0 || sequence > block.last(index)) return false

    const first = block.first(index)
    const last = block.last(index)
    if (first === last) this.#removeGap(blockIndex, index)
    else if (sequence === first) block.bounds[index * 2] = sequence + 1
    else if (sequence === last) block.bounds[index * 2 + 1] = sequence - 1
    else this.#split(blockIndex, index, sequence)
    return true
  }

  /** The gaps that reach `from` or beyond, ascending and whole. */
  *from(from: number): Generator<SequenceRange> {
    for (let b = Math.max(this.#blockOf(from), 0); b < this.#blocks.length; b++) {
      const block = this.#blocks[b] as Block
      for (let i = Math.max(block.find(from), 0); i < block.count; i++)
        if (block.last(i) >= from) yield { first: block.first(i), last: block.last(i) }
    }
  }

  /** The last block that starts at or before `sequence`, or −1. Late packets are mostly near the end: look there first. */
  #blockOf(sequence: number): number {
    const lastIndex = this.#blocks.length - 1
    if (lastIndex < 0) return -1
    if ((this.#blocks[lastIndex] as Block).first(0) <= sequence) return lastIndex
    let low = 0
    let high = lastIndex
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#blocks[middle] as Block).first(0) <= sequence) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #removeGap(blockIndex: number, index: number): void {
    const block = this.#blocks[blockIndex] as Block
    block.remove(index)
    this.#count--
    if (block.count === 0) this.#blocks.splice(blockIndex, 1)
  }

  #split(blockIndex: number, index: number, sequence: number): void {
    let block = this.#blocks[blockIndex] as Block
    let at = index
    if (block.count === blockGapsMax) {
      const half = blockGapsMax >>> 1
      const upper = new Block()
      upper.bounds = block.bounds.slice(half * 2)
      upper.count = blockGapsMax - half
      block.bounds = block.bounds.slice(0, half * 2)
      block.count = half
      this.#blocks.splice(blockIndex + 1, 0, upper)
      if (index >= half) {
        block = upper
        at = index - half
      }
    }
    const last = block.last(at)
    block.bounds[at * 2 + 1] = sequence - 1
    block.insert(at + 1, sequence + 1, last)
    this.#count++
  }
}
