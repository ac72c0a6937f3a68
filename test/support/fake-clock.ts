/**
 * Time that a test moves by hand. Timers fire in the order of their times, each at exactly its time, and what one sets
 * off (promises, commits of the journal in memory) has come to rest before the next one fires.
 */
import type { TestContext } from 'node:test'
import type { Clock, Millis } from '../../src/clock.js'

interface Timer {
  readonly at: Millis
  readonly task: () => void
}

export class FakeClock implements Clock {
  #now: Millis
  /** In the order in which they were set. */
  readonly #timers = new Set<Timer>()

  constructor(now: Millis = 1_700_000_000_000) {
    this.#now = now
  }

  get timerCount(): number {
    return this.#timers.size
  }

  now(): Millis {
    return this.#now
  }

  after(delayMs: Millis, task: () => void): () => void {
    const timer = { at: this.#now + Math.max(delayMs, 0), task }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  async advance(ms: Millis): Promise<void> {
    const until = this.#now + ms
    await turns()
    for (let next = this.#next(until); next !== null; next = this.#next(until)) {
      this.#now = next.at
      this.#timers.delete(next)
      next.task()
      await turns()
    }
    this.#now = until
  }

  #next(until: Millis): Timer | null {
    let next: Timer | null = null
    for (const timer of this.#timers)
      if (timer.at <= until && (next === null || timer.at < next.at)) next = timer
    return next
  }

  /** For code that waits with `setTimeout` itself (p-retry, the simulated provider): until the test is over. */
  takeOverTimeouts(t: TestContext): void {
    const cancels = new Map<object, () => void>()
    t.mock.method(globalThis, 'setTimeout', ((task: () => void, ms = 0) => {
      const token = {}
      cancels.set(token, this.after(ms, task))
      return token
    }) as unknown as typeof setTimeout)
    t.mock.method(globalThis, 'clearTimeout', ((token: object) =>
      cancels.get(token)?.()) as typeof clearTimeout)
  }
}

/** Turns of the loop: enough for a commit of the journal in memory and for what its settlements start. */
export async function turns(count = 8): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}
