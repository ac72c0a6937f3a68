/** The task of the retry policy: its attempts, and how they end. */
import type { Millis } from '../clock.js'

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

export interface ReleasedAttempt {
  readonly attempt: number
  readonly error: string
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
  released(attempt: ReleasedAttempt): Promise<void>
}

export type RetryOutcome<T> =
  | { readonly kind: 'succeeded'; readonly result: T }
  | { readonly kind: 'failed'; readonly error: string }

/** The attempt failed, but the provider does so for everybody: it does not count. */
export class AttemptReleased extends Error {
  override readonly name = 'AttemptReleased'
  declare readonly cause: Error

  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}

/** Not an outcome: the run was broken off (shutdown, a record that could not be written) and goes on later. */
export class RunInterrupted extends Error {
  override readonly name = 'RunInterrupted'
}
