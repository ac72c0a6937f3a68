/**
 * Lists of numbers, first in, first out, outside of JavaScript's heap. As arrays they would each outlive their youth and
 * then wait in the old space for the next full collection: 96 MiB of events were up to 285 MiB of heap.
 *
 * A list lies in one chunk, at a place that only grows. A chunk that is free is used again.
 */
import assert from 'node:assert/strict'

export const chunkNumbers = 16_384

export class NumberQueue {
  readonly #chunks: Int32Array[] = []
  #spare: Int32Array | null = null
  /** The place of the first chunk's first number. */
  #start = 0
  #end = 0

  /** The list's place. */
  add(numbers: readonly number[]): number {
    assert(numbers.length <= chunkNumbers)
    let at = this.#end % chunkNumbers
    if (at + numbers.length > chunkNumbers) {
      this.#end += chunkNumbers - at
      at = 0
    }
    if (this.#end - this.#start >= this.#chunks.length * chunkNumbers) this.#grow()
    const chunk = this.#chunks.at(-1) as Int32Array
    for (let i = 0; i < numbers.length; i++) chunk[at + i] = numbers[i] as number
    const place = this.#end
    this.#end += numbers.length
    return place
  }

  #grow(): void {
    this.#chunks.push(this.#spare ?? new Int32Array(chunkNumbers))
    this.#spare = null
  }

  read(place: number, count: number): readonly number[] {
    const chunk = this.#chunks[Math.floor((place - this.#start) / chunkNumbers)]
    assert(chunk !== undefined, 'the list is held')
    const at = place % chunkNumbers
    return Array.from(chunk.subarray(at, at + count))
  }

  /** No list before this place is read again. */
  releaseBefore(place: number): void {
    for (; place - this.#start >= chunkNumbers; this.#start += chunkNumbers)
      this.#spare = this.#chunks.shift() ?? null
  }
}
