/**
 * So many a second for each key, with a burst: GCRA, which keeps one number a key, the time at which its burst would be
 * whole again. The one importer of lru-cache, which bounds the keys: whoever sends from ever new addresses displaces
 * others' counts, never memory.
 */
import { performance } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import { limits } from './limits.js'

export class RateLimit<Key extends object | string> {
  readonly #intervalMs: number
  readonly #burstMs: number
  readonly #now: () => number
  readonly #wholeAt = new LRUCache<Key, number>({ max: limits.rateLimitKeysMax })

  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.#intervalMs = 1000 / perSecond
    this.#burstMs = burst * this.#intervalMs
    this.#now = now
  }

  /** False when the key has used up its burst; then nothing is counted. */
  take(key: Key): boolean {
    const now = this.#now()
    const wholeAt = Math.max(this.#wholeAt.get(key) ?? now, now) + this.#intervalMs
    // Sums of floating point intervals may be off in their last digit.
    if (wholeAt - now > this.#burstMs + 1e-6) return false
    this.#wholeAt.set(key, wholeAt)
    return true
  }

  get keyCount(): number {
    return this.#wholeAt.size
  }
}

/** Null, and free, where 0 says that there is none. */
export function rateLimitOf<Key extends object | string>(perSecond: number): RateLimit<Key> | null {
  return perSecond === 0 ? null : new RateLimit(perSecond, Math.max(1, perSecond))
}
