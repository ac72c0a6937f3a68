/** The deadline of an attempt, which holds even against a provider that ignores its signal. */
import type { Clock, Millis } from '../clock.js'
import { ProviderUnavailable } from './provider.js'
import { RunInterrupted } from './retry-task.js'

/**
 * Rejects with `ProviderUnavailable` when `run` takes longer than `limitMs()`, and with `RunInterrupted` when `stop`
 * aborts; the signal that `run` gets aborts then, too, and at the end in any case. `extend` begins the deadline anew.
 */
export async function withinDeadline<T>(
  run: (signal: AbortSignal, extend: () => void) => Promise<T>,
  limitMs: () => Millis,
  clock: Clock,
  stop: AbortSignal,
): Promise<T> {
  const deadline = new AbortController()
  const signal = AbortSignal.any([deadline.signal, stop])
  let cancel = () => {}
  let extend = () => {}
  const expired = new Promise<never>((_, reject) => {
    const expire = (reason: Error) => {
      deadline.abort(reason)
      reject(reason)
    }
    extend = () => {
      cancel()
      const ms = limitMs()
      cancel = clock.after(ms, () => expire(new ProviderUnavailable(`no answer within ${ms} ms`)))
    }
    extend()
    stop.addEventListener('abort', () => expire(new RunInterrupted('shutting down')), {
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
