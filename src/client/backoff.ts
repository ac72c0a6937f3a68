/** Waits between connections: exponential, with full jitter, so that a restart is not met by everybody at once. */
export interface BackoffOptions {
  readonly firstWaitMs?: number
  readonly longestWaitMs?: number
  /** In [0, 1). */
  readonly random?: () => number
}

export class Backoff {
  readonly #firstMs: number
  readonly #longestMs: number
  readonly #random: () => number
  #boundMs: number

  constructor({ firstWaitMs = 250, longestWaitMs = 15_000, random = Math.random }: BackoffOptions) {
    this.#firstMs = firstWaitMs
    this.#longestMs = longestWaitMs
    this.#random = random
    this.#boundMs = firstWaitMs
  }

  next(): number {
    const waitMs = this.#random() * this.#boundMs
    this.#boundMs = Math.min(this.#boundMs * 2, this.#longestMs)
    return waitMs
  }

  lengthen(): void {
    this.#boundMs = this.#longestMs
  }

  reset(): void {
    this.#boundMs = this.#firstMs
  }
}
