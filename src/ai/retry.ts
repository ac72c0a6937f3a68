/**
 * The one retry policy: waits of 1, 2, 4, 8 s, at most 5 attempts, and a budget that attempts and waits share.
 *
 * `p-retry` counts and waits; what it cannot know is added here. An attempt is recorded before it starts and counts
 * whatever happens to the process then, so a run may begin at attempt k. The budget survives restarts likewise, which
 * `maxRetryTime` does not. An attempt that is released (the provider is down for everybody) is made again later, with
 * the same number and at no cost to the budget. A provider's `Retry-After` lengthens a wait, within the budget. Each attempt has a
 * deadline of its own that holds even against a provider that ignores its signal.
 *
 * All of this is meant for one step. An attempt that completes a step is the first one at the next step: its deadline,
 * the count, the waits and the budget begin anew, so a long call may need many more than five attempts, but none of its
 * steps does.
 */
import pRetry, { AbortError } from 'p-retry'
import type { Clock, Millis } from '../clock.js'
import { ProviderRejected, ProviderUnavailable } from './provider.js'

export interface RetryPolicy {
  readonly attemptsMax: number
  readonly budgetMs: Millis
  /** The first wait; each one after it is twice as long. */
  readonly backoffBaseMs: Millis
  readonly attemptMsMax: Millis
}

export interface RetryProgress {
  readonly attempts: number
  readonly spentMs: Millis
}

export interface FailedAttempt {
  readonly attempt: number
  readonly error: string
  /** The attempt and the wait after it. */
  readonly spentMs: Millis
  readonly waitMs: Millis
}

/** `answered` tells that the provider has answered, while the attempt goes on. */
export type Admitted<R> = (isProbe: boolean, answered: () => void) => Promise<R>

export interface RetryTask<T> {
  /**
   * Runs `attempt` when its turn has come; waits between attempts hold nothing. A probe finds out whether the provider
   * is back, and has more time than the call may have left. Rejects with what `attempt` threw, or with `AttemptReleased`.
   */
  admit<R>(attempt: Admitted<R>): Promise<R>
  /** Resolves once the attempt is recorded. A rejection ends the run without an outcome. */
  started(attempt: number): Promise<void>
  /** `advanced` is to be called when a step is done and kept, and not after `signal` has aborted. */
  run(attempt: number, signal: AbortSignal, advanced: () => void): Promise<T>
  /** Resolves once the failure is recorded; the wait follows. */
  failed(failure: FailedAttempt): Promise<void>
  /** Resolves once it is recorded that the attempt does not count; it is made again when it is admitted. */
  released(attempt: number, error: string): Promise<void>
}

export type RetryOutcome<T> =
  | { readonly kind: 'succeeded'; readonly result: T }
  | { readonly kind: 'failed'; readonly error: string }

/** The attempt failed, but the provider does so for everybody: it does not count. */
export class AttemptReleased extends Error {
  override readonly name = 'AttemptReleased'

  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}

/** Not an outcome: the run was broken off (shutdown, a record that could not be written) and goes on later. */
export class RunInterrupted extends Error {
  override readonly name = 'RunInterrupted'
}

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
  /** The attempt has completed a step since p-retry began to count. */
  #hasAdvanced = false

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
        if (!(error instanceof NextStep)) throw error
      }
    }
  }

  /** Counts and waits from the attempts that are over. Rejects with `NextStep` where they count no more. */
  #retries(): Promise<T> {
    this.#hasAdvanced = false
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

  async #attempt(): Promise<T> {
    for (;;) {
      this.#attempts++
      try {
        return await this.#task.admit((isProbe, answered) => this.#ask(isProbe, answered))
      } catch (error) {
        // p-retry tries again whatever is no AbortError.
        if (error instanceof ProviderUnavailable) throw error
        if (!(error instanceof AttemptReleased) || this.#signal.aborted) throw new AbortError(error as Error)
        this.#spentMs -= this.#lastAttemptMs
        await recorded(this.#task.released(this.#attempts, error.message)).catch((cause: RunInterrupted) => {
          throw new AbortError(cause)
        })
        this.#attempts--
      }
    }
  }

  async #ask(isProbe: boolean, answered: () => void): Promise<T> {
    if (this.#signal.aborted) throw new RunInterrupted('shutting down')
    await recorded(this.#task.started(this.#attempts))
    // A listener on a signal that has fired already would never be told.
    if (this.#signal.aborted) throw new RunInterrupted('shutting down')
    let startedAt = this.#clock.now()
    try {
      return await this.#withinDeadline(isProbe, (signal, extend) =>
        this.#task.run(this.#attempts, signal, () => {
          startedAt = this.#clock.now()
          this.#advance()
          extend()
          answered()
        }),
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

  #advance(): void {
    this.#hasAdvanced = true
    this.#attempts = 1
    this.#spentMs = 0
  }

  async #withinDeadline(
    isProbe: boolean,
    run: (signal: AbortSignal, extend: () => void) => Promise<T>,
  ): Promise<T> {
    const { attemptMsMax, budgetMs } = this.#policy
    const deadline = new AbortController()
    const signal = AbortSignal.any([deadline.signal, this.#signal])
    let cancel = () => {}
    let extend = () => {}
    const expired = new Promise<never>((_, reject) => {
      const expire = (reason: Error) => {
        deadline.abort(reason)
        reject(reason)
      }
      extend = () => {
        cancel()
        const left = Math.max(budgetMs - this.#spentMs, 0)
        const limitMs = isProbe ? attemptMsMax : Math.min(attemptMsMax, left)
        cancel = this.#clock.after(limitMs, () =>
          expire(new ProviderUnavailable(`no answer within ${limitMs} ms`)),
        )
      }
      extend()
      this.#signal.addEventListener('abort', () => expire(new RunInterrupted('shutting down')), {
        once: true,
        signal: deadline.signal,
      })
    })
    try {
      return await Promise.race([run(signal, extend), expired])
    } finally {
      cancel()
      // Also frees the listener above, and what an adapter still holds open.
      deadline.abort(new RunInterrupted('over'))
      expired.catch(() => {})
    }
  }

  async #afterFailure(error: Error): Promise<void> {
    if (error instanceof RunInterrupted || this.#signal.aborted) throw new AbortError(error)
    const { attemptsMax, budgetMs } = this.#policy
    const attempt = this.#attempts
    if (attempt >= attemptsMax) {
      // p-retry may have attempts left from before the step.
      if (this.#hasAdvanced) throw error
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
    await recorded(
      this.#task.failed({
        attempt,
        error: reasonOf(error),
        spentMs: this.#lastAttemptMs + waitMs,
        waitMs,
      }),
    )
    if (this.#signal.aborted) return
    if (this.#hasAdvanced) {
      await this.#sleep(waitMs)
      throw new NextStep()
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
class NextStep extends Error {}

/** What is not recorded has not happened: the run is broken off, and goes on from what the journal says. */
function recorded(record: Promise<void>): Promise<void> {
  return record.catch((cause) => {
    throw new RunInterrupted('a step could not be recorded', { cause })
  })
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.slice(0, 500)
}
