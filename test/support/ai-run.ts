/** A run of the retry policy under test: its provider is a script, its time is moved by hand, its story is kept. */
import type { TestContext } from 'node:test'
import { runWithRetry } from '../../src/analysis/retry.js'
import type {
  FailedAttempt,
  RetryOutcome,
  RetryPolicy,
  RetryProgress,
  RetryTask,
} from '../../src/analysis/retry-task.js'
import { FakeClock } from './fake-clock.js'

export const policy: RetryPolicy = {
  attemptsMax: 5,
  budgetMs: 60_000,
  backoffBaseMs: 1000,
  attemptMsMax: 20_000,
}

/** What the provider does at an attempt: it answers or throws after a while, or hangs for ever. */
export interface ScriptedAttempt {
  readonly takesMs?: number
  readonly error?: Error
  readonly hangs?: true
  /** It completes a step so long after its start, each. */
  readonly advancesAt?: readonly number[]
}

export interface Run {
  readonly clock: FakeClock
  /** `[what, after so many ms, attempt]`. */
  readonly story: (readonly [what: string, at: number, attempt: number])[]
  readonly failures: FailedAttempt[]
  readonly stop: AbortController
  readonly signals: AbortSignal[]
  outcome: RetryOutcome<string> | null
  error: Error | null
}

export interface RunOptions {
  readonly policy?: Partial<RetryPolicy>
  readonly before?: RetryProgress
  readonly task?: Partial<RetryTask<string>>
}

/** The nth call of the provider does `script[n − 1]`; the last one of the script is repeated. */
export function startRun(t: TestContext, script: readonly ScriptedAttempt[], options: RunOptions = {}): Run {
  const clock = new FakeClock()
  clock.takeOverTimeouts(t)
  const begin = clock.now()
  const before = options.before ?? { attempts: 0, spentMs: 0 }
  const run: Run = {
    clock,
    story: [],
    failures: [],
    stop: new AbortController(),
    signals: [],
    outcome: null,
    error: null,
  }
  const tell = (what: string, attempt: number) => run.story.push([what, clock.now() - begin, attempt])
  const task: RetryTask<string> = {
    admit: (attempt) => attempt(false, () => {}),
    started: async (attempt) => {
      tell('started', attempt)
    },
    run(attempt, signal, advanced) {
      tell('called', attempt)
      run.signals.push(signal)
      const scripted = script[run.signals.length - 1] ?? script.at(-1) ?? {}
      for (const atMs of scripted.advancesAt ?? [])
        clock.after(atMs, () => {
          if (!signal.aborted) advanced()
        })
      return new Promise((resolve, reject) => {
        if (scripted.hangs) return
        clock.after(scripted.takesMs ?? 0, () =>
          scripted.error === undefined ? resolve(`result ${attempt}`) : reject(scripted.error),
        )
      })
    },
    failed: async (failure) => {
      run.failures.push(failure)
      tell('failed', failure.attempt)
    },
    released: async ({ attempt }) => {
      tell('released', attempt)
    },
    ...options.task,
  }
  runWithRetry(task, { ...policy, ...options.policy }, before, clock, run.stop.signal).then(
    (outcome) => {
      run.outcome = outcome
      tell('outcome', 0)
    },
    (error) => {
      run.error = error
      tell('outcome', 0)
    },
  )
  return run
}

export const times = (run: Run, what: string): number[] =>
  run.story.filter(([told]) => told === what).map(([, at]) => at)
