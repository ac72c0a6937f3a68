/**
 * The one retry policy: waits of 1, 2, 4, 8 s, at most 5 attempts, and a budget that attempts and waits share.
 *
 * `p-retry` counts and waits; what it cannot know is added here. An attempt is recorded before it starts and counts
 * whatever happens to the process then, so a run may begin at attempt k. The budget survives restarts likewise, which
 * `maxRetryTime` does not. An attempt that is released (the provider is down for everybody) is made again later, with
 * the same number and at no cost to the budget. A provider's `Retry-After` lengthens a wait, within the budget. Each attempt has a deadline of its own that holds even against a
 * provider that ignores its signal.
 *
 * All of this is meant for one step. An attempt that completes a step is the first one at the next step: its deadline,
 * the count, the waits and the budget begin anew, so a long call may need many more than five attempts, but none of its
 * steps does.
 */

import pRetry, { AbortError } from 'p-retry'
import type { Clock, Millis } from '../clock.js'
import { messageOf } from '../errors.js'
import { withinDeadline } from './deadline.js'
import { AccountRefused, ProviderRejected, ProviderUnavailable } from './provider.js'
import {
  AttemptReleased,
  type RetryOutcome,
  type RetryPolicy,
  type RetryProgress,
  type RetryTask,
  RunInterrupted,
} from './retry-task.js'

export async function runWithRetry<T>(
  task: RetryTask<T>,
  policy: RetryPolicy,
  before: RetryProgress,
  clock: Clock,
  signal: AbortSignal,
): Promise<RetryOutcome<T>> {
  if (before.attempts >= policy.attemptsMax)
    return failed(`the process ended during attempt ${before.attempts}, the last one`)
  const run = new RetryRun(task, policy, before, clock, signal)
  try {
    return { kind: 'succeeded', result: await run.start() }
  } catch (error) {
    if (signal.aborted || error instanceof RunInterrupted)
      throw new RunInterrupted('interrupted', { cause: error })
    return failed(reasonOf(error))
  }
}

function failed(error: string): RetryOutcome<never> {
  return { kind: 'failed', error }
}

class RetryRun<T> {
  readonly #task: RetryTask<T>
  readonly #policy: RetryPolicy
  readonly #clock: Clock
  readonly #signal: AbortSignal
  /** At this step: those that are over or under way. */
  #attempts: number
  #spentMs: Millis
  #lastAttemptMs: Millis = 0
  /** So many attempts at this step were released although the provider counted as up when they began. */
  #forgiven = 0
  #isProbe = false
  /** A step was completed since p-retry began to count. */
  #isCountedAnew = false

  constructor(
    task: RetryTask<T>,
    policy: RetryPolicy,
    before: RetryProgress,
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.#task = task
    this.#policy = policy
    this.#attempts = before.attempts
    this.#spentMs = before.spentMs
    this.#clock = clock
    this.#signal = signal
  }

  async start(): Promise<T> {
    for (;;) {
      try {
        return await this.#retries()
      } catch (error) {
        if (!(error instanceof BeginAnew)) throw error
      }
    }
  }

  /** Counts and waits from the attempts that are over. Rejects with `BeginAnew` where they count no more. */
  #retries(): Promise<T> {
    this.#isCountedAnew = false
    return pRetry(() => this.#attempt(), {
      retries: this.#policy.attemptsMax - this.#attempts - 1,
      minTimeout: this.#backoffMs(this.#attempts + 1),
      factor: 2,
      signal: this.#signal,
      onFailedAttempt: ({ error }) => this.#afterFailure(error),
    })
  }

  #backoffMs(attempt: number): Millis {
    return this.#policy.backoffBaseMs * 2 ** (attempt - 1)
  }

  /** p-retry tries again whatever is no AbortError. */
  async #attempt(): Promise<T> {
    try {
      return await this.#untilItCounts()
    } catch (error) {
      throw error instanceof ProviderUnavailable ? error : new AbortError(error as Error)
    }
  }

  async #untilItCounts(): Promise<T> {
    for (;;) {
      this.#attempts++
      try {
        return await this.#task.admit((isProbe, answered) => this.#ask(isProbe, answered))
      } catch (error) {
        if (!(error instanceof AttemptReleased) || this.#signal.aborted) throw error
        if (!this.#forgives(error)) throw error.cause
        this.#spentMs -= this.#lastAttemptMs
        await recorded(this.#task.released({ attempt: this.#attempts, error: reasonOf(error) }))
        this.#attempts--
      }
    }
  }

  /**
   * No more than a call has attempts: one that brings the provider down, or is refused by it as if it were, would be made
   * again for ever and keep all others waiting. A probe is made for everybody, and a key or a quota is nothing that a call
   * could be to blame for; 403 and 404 may be.
   */
  #forgives({ cause }: AttemptReleased): boolean {
    if (this.#isProbe) return true
    if (cause instanceof AccountRefused && (cause.matter === 'key' || cause.matter === 'quota')) return true
    return this.#forgiven++ < this.#policy.attemptsMax
  }

  async #ask(isProbe: boolean, answered: () => void): Promise<T> {
    if (this.#signal.aborted) throw new RunInterrupted('shutting down')
    this.#isProbe = isProbe
    await recorded(this.#task.started(this.#attempts))
    // A listener on a signal that has fired already would never be told.
    if (this.#signal.aborted) throw new RunInterrupted('shutting down')
    let startedAt = this.#clock.now()
    try {
      return await withinDeadline(
        (signal, extend) =>
          this.#task.run(this.#attempts, signal, () => {
            startedAt = this.#clock.now()
            this.#advance()
            extend()
            answered()
          }),
        () => this.#limitMs(isProbe),
        this.#clock,
        this.#signal,
      )
    } catch (error) {
      if (error instanceof ProviderUnavailable || error instanceof ProviderRejected) throw error
      if (error instanceof RunInterrupted) throw error
      // An unknown error of an adapter may pass, a TypeError too, on which p-retry would give up: a bug met on one
      // answer may not be met on the next. Its message may quote the answer (`JSON.parse` does), and reasons are shown.
      throw new ProviderUnavailable(`the adapter failed: ${nameOf(error)}`, { cause: error })
    } finally {
      this.#lastAttemptMs = this.#clock.now() - startedAt
      this.#spentMs += this.#lastAttemptMs
    }
  }

  #limitMs(isProbe: boolean): Millis {
    const { attemptMsMax, budgetMs } = this.#policy
    return isProbe ? attemptMsMax : Math.min(attemptMsMax, Math.max(budgetMs - this.#spentMs, 0))
  }

  #advance(): void {
    this.#isCountedAnew = true
    this.#forgiven = 0
    this.#attempts = 1
    this.#spentMs = 0
  }

  async #afterFailure(error: Error): Promise<void> {
    if (error instanceof RunInterrupted || this.#signal.aborted) throw new AbortError(error)
    const { attemptsMax, budgetMs } = this.#policy
    const attempt = this.#attempts
    if (attempt >= attemptsMax) {
      // p-retry may have attempts left from before the step.
      if (this.#isCountedAnew) throw error
      return
    }
    const backoffMs = this.#backoffMs(attempt)
    const asked = error instanceof ProviderUnavailable ? error.retryAfterMs : null
    const waitMs = Math.max(backoffMs, asked ?? 0)
    if (this.#spentMs + waitMs >= budgetMs)
      throw new AbortError(
        `${reasonOf(error)}; a wait of ${waitMs} ms would pass the budget of ${budgetMs} ms`,
      )
    this.#spentMs += waitMs
    const spentMs = this.#lastAttemptMs + waitMs
    await recorded(this.#task.failed({ attempt, error: reasonOf(error), spentMs, waitMs }))
    if (this.#signal.aborted) return
    if (this.#isCountedAnew) {
      await this.#sleep(waitMs)
      throw new BeginAnew()
    }
    // p-retry waits for the backoff itself; a longer Retry-After is waited for here.
    if (waitMs > backoffMs) await this.#sleep(waitMs - backoffMs)
  }

  #sleep(ms: Millis): Promise<void> {
    return new Promise((resolve, reject) => {
      const woken = new AbortController()
      const cancel = this.#clock.after(ms, () => {
        woken.abort()
        resolve()
      })
      const interrupt = () => {
        cancel()
        reject(new RunInterrupted('shutting down'))
      }
      this.#signal.addEventListener('abort', interrupt, { once: true, signal: woken.signal })
    })
  }
}

/** p-retry is to begin anew. */
class BeginAnew extends Error {}

/** An attempt that is not recorded has not happened: the run is broken off, and goes on from the journal. */
function recorded(record: Promise<void>): Promise<void> {
  return record.catch((cause) => {
    throw new RunInterrupted('a step could not be recorded', { cause })
  })
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

export function reasonOf(error: unknown): string {
  const text = messageOf(error)
  return text.slice(0, 500)
}
