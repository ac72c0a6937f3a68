/**
 * Names of calls that the journal may hold: a Bloom filter, so that a new call need not ask the reader whether it is one.
 * It may say so of a call that nobody has seen, and never the contrary. The reader thread fills one with all that is stored,
 * the main thread one with all that it creates; together they know every name, in memory that does not grow. Nothing is taken
 * out: after many millions of calls more and more new ones are looked for, until the next start.
 */

import assert from 'node:assert/strict'
import { limits } from '../../limits.js'
import { mixed, textHash } from '../text-hash.js'

const bits = limits.callNamesBytes * 8
const mask = bits - 1
const looks = 4

assert((bits & mask) === 0, 'the bits are a power of two')

export class CallNames {
  readonly #words: Uint32Array

  constructor(words: Uint32Array = emptyWords()) {
    assert(words.byteLength === limits.callNamesBytes)
    this.#words = words
  }

  /** To be handed over or merged. */
  get words(): Uint32Array {
    return this.#words
  }

  add(callId: string): void {
    const step = secondHash(callId)
    let at = textHash(callId)
    for (let look = 0; look < looks; look++, at += step) {
      const bit = at & mask
      this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) | (1 << (bit & 31))
    }
  }

  mayHold(callId: string): boolean {
    const step = secondHash(callId)
    let at = textHash(callId)
    for (let look = 0; look < looks; look++, at += step) {
      const bit = at & mask
      if (((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false
    }
    return true
  }

  addAll(other: Uint32Array): void {
    assert(other.length === this.#words.length)
    for (let at = 0; at < other.length; at++)
      if (other[at] !== 0) this.#words[at] = (this.#words[at] as number) | (other[at] as number)
  }
}

/** Written to, so that the kernel gives the pages now: each costs 4 µs, and a new call touches four. */
function emptyWords(): Uint32Array {
  return new Uint32Array(limits.callNamesBytes / 4).fill(0)
}

/** Odd, so that the looks go to different bits. */
function secondHash(text: string): number {
  let hash = 0x9e3779b9
  for (let at = text.length - 1; at >= 0; at--) hash = Math.imul(hash ^ text.charCodeAt(at), 0x85ebca6b)
  return mixed(hash) | 1
}
