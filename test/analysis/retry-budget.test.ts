/** The budget of a call’s analysis: attempts and waits use it, queueing does not, and Retry-After must fit into it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderUnavailable } from '../../src/analysis/provider.js'
import { startRun, times } from '../support/ai-run.js'

const down = new ProviderUnavailable('503 Service Unavailable')
const asks = (retryAfterMs: number) => new ProviderUnavailable('429 Too Many Requests', { retryAfterMs })

describe('the budget', () => {
  test('ends the run where the next wait would pass it', async (t) => {
    // 18.5 + 1 + 18.5 + 2 + 18.5 = 58.5 s, and the next wait is 4 s.
    const run = startRun(t, [{ error: down, takesMs: 18_500 }])
    await run.clock.advance(300_000)
    assert.deepEqual(times(run, 'called'), [0, 19_500, 40_000])
    assert.deepEqual(times(run, 'failed'), [18_500, 38_000])
    assert.deepEqual(times(run, 'outcome'), [58_500])
    assert.match((run.outcome as { error: string }).error, /503.*4000 ms.*budget of 60000 ms/)
  })

  test('counts waits and not only attempts', async (t) => {
    // Guards against a budget of attempts alone: waits of 1, 2, 4 and 8 s do not fit into 5 s.
    const run = startRun(t, [{ error: down }], { policy: { budgetMs: 5000 } })
    await run.clock.advance(300_000)
    assert.deepEqual(times(run, 'called'), [0, 1000, 3000])
    assert.deepEqual(times(run, 'outcome'), [3000], 'failed without the wait')
  })

  test('counts attempts and not only waits', async (t) => {
    const run = startRun(t, [{ error: down, takesMs: 1500 }], { policy: { budgetMs: 5000 } })
    await run.clock.advance(300_000)
    assert.deepEqual(times(run, 'called'), [0, 2500], '1.5 + 1 + 1.5 leave 1 s, and the next wait is 2 s')
  })

  test('cuts an attempt short that would pass it', async (t) => {
    // 20 + 1 + 20 + 2 = 43 s leave 17 s.
    const slow = { error: down, takesMs: 20_000 }
    const run = startRun(t, [slow, slow, { hangs: true }], { policy: { attemptMsMax: 60_000 } })
    await run.clock.advance(300_000)
    assert.deepEqual(times(run, 'called'), [0, 21_000, 43_000])
    assert.deepEqual(times(run, 'outcome'), [60_000])
    assert.match((run.outcome as { error: string }).error, /no answer within 17000 ms/)
  })

  test('is what the runs before a restart have left of it', async (t) => {
    // Guards against a budget that starts anew with the process, as p-retry's maxRetryTime does.
    const run = startRun(t, [{ hangs: true }], { before: { attempts: 1, spentMs: 52_000 } })
    await run.clock.advance(300_000)
    assert.deepEqual(times(run, 'called'), [0])
    assert.deepEqual(times(run, 'failed'), [])
    assert.deepEqual(times(run, 'outcome'), [8000])
    assert.equal(run.outcome?.kind, 'failed')
  })

  test('does not count the wait for a slot, nor the recording of an attempt', async (t) => {
    // Guards against calls that fail because many others were before them.
    const wait = (ms: number) => new Promise<void>((resolve) => void run.clock.after(ms, resolve))
    const run = startRun(t, [{ error: down }, { error: down }, { takesMs: 10 }], {
      task: {
        admit: async (attempt) => {
          // The first one is admitted while the run is being made.
          await null
          await wait(100_000)
          return attempt(false, () => {})
        },
        started: () => wait(50_000),
      },
    })
    await run.clock.advance(1_000_000)
    assert.deepEqual(run.outcome, { kind: 'succeeded', result: 'result 3' })
    assert.deepEqual(
      run.failures.map(({ spentMs }) => spentMs),
      [1000, 2000],
    )
  })

  test('is used up exactly by what is reported as spent', async (t) => {
    // What is journaled must add up to what the run itself counts, or a restart changes the budget.
    const run = startRun(t, [{ error: down, takesMs: 1234 }])
    await run.clock.advance(300_000)
    const spent = run.failures.reduce((sum, { spentMs }) => sum + spentMs, 0)
    assert.equal(spent, 4 * 1234 + 15_000)
    assert.equal(times(run, 'called').at(-1), spent)
  })
})

describe('a Retry-After', () => {
  test('that is longer than the backoff is waited for', async (t) => {
    const run = startRun(t, [{ error: asks(5000) }, { error: asks(7000) }, {}])
    await run.clock.advance(300_000)
    assert.deepEqual(times(run, 'called'), [0, 5000, 12_000])
    assert.deepEqual(
      run.failures.map(({ waitMs, spentMs }) => [waitMs, spentMs]),
      [
        [5000, 5000],
        [7000, 7000],
      ],
    )
    assert.equal(run.outcome?.kind, 'succeeded')
  })

  test('that is shorter than the backoff changes nothing', async (t) => {
    const run = startRun(t, [{ error: asks(10) }])
    await run.clock.advance(300_000)
    assert.deepEqual(times(run, 'called'), [0, 1000, 3000, 7000, 15_000])
  })

  test('beyond the budget fails the call at once', async (t) => {
    // Guards against a call that waits an hour for an attempt that its budget forbids.
    const run = startRun(t, [{ error: asks(3_600_000) }])
    await run.clock.advance(0)
    assert.equal(run.outcome?.kind, 'failed')
    assert.match((run.outcome as { error: string }).error, /429.*3600000 ms/)
    assert.deepEqual(times(run, 'called'), [0])
    assert.equal(run.clock.timerCount, 0)
  })

  test('leaves no listener on the signal of the service once it has been waited for', async (t) => {
    // Guards against a leak: the signal lives as long as the process.
    const run = startRun(t, [{ error: asks(5000) }, { error: asks(5000) }, {}])
    const added = t.mock.method(run.stop.signal, 'addEventListener')
    const removed = t.mock.method(run.stop.signal, 'removeEventListener')
    await run.clock.advance(300_000)
    assert.equal(run.outcome?.kind, 'succeeded')
    // A listener is let go by name, or by a signal of its own that has fired.
    const open = added.mock.calls.filter(({ arguments: [, listener, options] }) => {
      const signal = typeof options === 'object' ? options.signal : undefined
      return signal?.aborted !== true && !removed.mock.calls.some((call) => call.arguments[1] === listener)
    })
    assert(added.mock.callCount() > 0)
    assert.equal(open.length, 0)
  })
})
