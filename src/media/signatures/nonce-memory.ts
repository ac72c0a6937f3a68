/**
 * Nonces that were used, so that a request which somebody recorded opens nothing twice. Only those of right signatures come in, and
 * each is kept for as long as its signature counts. Full, it takes none: then a request is refused, because forgetting would let
 * replays through.
 */
import type { Millis } from '../../clock.js'

export const noncesMax = 16_384

export class NonceMemory {
  readonly #max: number
  /** By the time until which each counts. */
  readonly #until = new Map<string, Millis>()

  constructor(max = noncesMax) {
    this.#max = max
  }

  /** False for one that was used, and when full. */
  use(nonce: string, now: Millis, until: Millis): boolean {
    for (const [old, end] of this.#until) {
      if (end > now) break
      this.#until.delete(old)
    }
    if ((this.#until.get(nonce) ?? now) > now || this.#until.size >= this.#max) return false
    this.#until.delete(nonce)
    this.#until.set(nonce, until)
    return true
  }
}
