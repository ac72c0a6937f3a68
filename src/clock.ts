/**
 * Service time: the wall clock at the start of the process plus what the monotonic clock has counted since. It never
 * jumps, so a deadline is neither early nor late when somebody sets the wall clock; a restart takes the wall clock anew.
 */
import { performance } from 'node:perf_hooks'
export type Millis = number

export interface Clock {
  /** Milliseconds since 1970 in service time, whole. */
  now(): Millis
  /** Runs `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: Millis, task: () => void): () => void
}

/** Node fires timers beyond this at once. */
const timerMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), timerMsMax))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

let cachedMillis = Number.NaN
let cachedText = ''

/** RFC 3339 in UTC with milliseconds. The last one is kept, because the packets of a batch share few of them. */
export function rfc3339(at: Millis): string {
  if (at !== cachedMillis) {
    cachedText = new Date(at).toISOString()
    cachedMillis = at
  }
  return cachedText
}
