/** The retry policy on a fake clock: its waits, its attempts, what it tries again and what it does not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderRejected, ProviderUnavailable } from '../../src/analysis/provider.js'
import { RunInterrupted } from '../../src/analysis/retry-task.js'
import { startRun, times } from '../support/ai-run.js'

const down = new ProviderUnavailable('503 Service Unavailable')

describe('a provider that is down', () => {
  test('is asked five times, after waits of exactly 1, 2, 4 and 8 s', async (t) => {
    // Guards against a wrong factor, jitter, and p-retry's own default of ten retries.
    const run = startRun(t, [{ error: down }])
    await run.clock.advance(120_000)
    assert.deepEqual(times(run, 'called'), [0, 1000, 3000, 7000, 15_000])
    assert.deepEqual(run.outcome, { kind: 'failed', error: '503 Service Unavailable' })
    assert.deepEqual(times(run, 'failed'), [0, 1000, 3000, 7000], 'the last failure is the outcome')
    assert.equal(run.clock.timerCount, 0)
  })

  test('has each wait counted from the end of the attempt before it', async (t) => {
    const run = startRun(t, [{ error: down, takesMs: 700 }])
    await run.clock.advance(120_000)
    assert.deepEqual(times(run, 'called'), [0, 1700, 4400, 9100, 17_800])
    assert.deepEqual(
      run.failures.map(({ attempt, spentMs, waitMs }) => [attempt, spentMs, waitMs]),
      [
        [1, 1700, 1000],
        [2, 2700, 2000],
        [3, 4700, 4000],
        [4, 8700, 8000],
      ],
    )
  })

  test('that recovers gives its result after as many attempts as it took', async (t) => {
    const run = startRun(t, [{ error: down }, { error: down }, { takesMs: 10 }])
    await run.clock.advance(120_000)
    assert.deepEqual(run.outcome, { kind: 'succeeded', result: 'result 3' })
    assert.deepEqual(times(run, 'called'), [0, 1000, 3000])
    assert.deepEqual(times(run, 'outcome'), [3010])
  })

  test('is asked as often as the policy says, with its waits', async (t) => {
    const run = startRun(t, [{ error: down }], { policy: { attemptsMax: 3, backoffBaseMs: 50 } })
    await run.clock.advance(120_000)
    assert.deepEqual(times(run, 'called'), [0, 50, 150])
    assert.equal(run.outcome?.kind, 'failed')
  })

  test('is asked once where the policy allows one attempt', async (t) => {
    const run = startRun(t, [{ error: down }], { policy: { attemptsMax: 1 } })
    await run.clock.advance(120_000)
    assert.deepEqual(times(run, 'called'), [0])
    assert.deepEqual(run.failures, [])
  })
})

describe('a run after a restart', () => {
  for (const [attempts, waits] of [
    [1, [2000, 4000, 8000]],
    [2, [4000, 8000]],
    [3, [8000]],
    [4, []],
  ] as const)
    test(`that ${attempts} attempts went before goes on with attempt ${attempts + 1} and its own waits`, async (t) => {
      // Guards against a backoff that starts anew with the process, and attempts that are counted anew.
      const run = startRun(t, [{ error: down }], { before: { attempts, spentMs: 0 } })
      await run.clock.advance(120_000)
      let at = 0
      const expected = [0, ...waits.map((wait) => (at += wait))]
      assert.deepEqual(times(run, 'called'), expected)
      assert.deepEqual(
        run.story.filter(([what]) => what === 'started').map(([, , attempt]) => attempt),
        expected.map((_, i) => attempts + 1 + i),
      )
      assert.equal(run.outcome?.kind, 'failed')
    })

  test('whose last attempt was under way when the process ended fails without another one', async (t) => {
    const run = startRun(t, [{}], { before: { attempts: 5, spentMs: 0 } })
    await run.clock.advance(1000)
    assert.equal(run.outcome?.kind, 'failed')
    assert.match((run.outcome as { error: string }).error, /the process ended during attempt 5/)
    assert.deepEqual(times(run, 'called'), [])
  })
})

describe('an error', () => {
  test('that is permanent is not tried again', async (t) => {
    const run = startRun(t, [{ error: new ProviderRejected('400 the audio is empty') }])
    await run.clock.advance(120_000)
    assert.deepEqual(times(run, 'called'), [0])
    assert.deepEqual(run.outcome, { kind: 'failed', error: '400 the audio is empty' })
  })

  test('that no adapter foresaw is tried again, a TypeError too', async (t) => {
    // p-retry gives up at once on a TypeError that is not a network's: `null.text` in an adapter would fail the call.
    for (const error of [new TypeError("Cannot read properties of null (reading 'text')"), new Error('?')]) {
      const run = startRun(t, [{ error }, {}])
      await run.clock.advance(120_000)
      assert.deepEqual(times(run, 'called'), [0, 1000])
      assert.equal(run.outcome?.kind, 'succeeded')
      t.mock.restoreAll()
    }
  })

  test('that no adapter foresaw is told by its kind alone', async (t) => {
    // Guards against a provider's answer in the log, in the metrics' labels or in a call's view: JSON.parse quotes it.
    const run = startRun(t, [{ error: new SyntaxError('Unexpected token: "my card number is"') }, {}])
    await run.clock.advance(120_000)
    assert.equal(run.failures[0]?.error, 'the adapter failed: SyntaxError')
  })

  test('that is no Error at all is tried again', async (t) => {
    const run = startRun(t, [{ error: 'a string' as unknown as Error }, {}])
    await run.clock.advance(120_000)
    assert.equal(run.outcome?.kind, 'succeeded')
    assert.equal(run.failures[0]?.error, 'the adapter failed: string')
  })

  test('is told with at most 500 characters', async (t) => {
    const run = startRun(t, [{ error: new ProviderUnavailable('x'.repeat(10_000)) }])
    await run.clock.advance(120_000)
    assert.equal(run.failures[0]?.error.length, 500)
    assert.equal((run.outcome as { error: string }).error.length, 500)
  })
})

describe('the deadline of an attempt', () => {
  test('holds against a provider that ignores its signal', async (t) => {
    const run = startRun(t, [{ hangs: true }, {}])
    await run.clock.advance(19_999)
    assert.equal(run.failures.length, 0)
    assert.equal(run.signals[0]?.aborted, false)
    await run.clock.advance(1)
    assert.match(run.failures[0]?.error ?? '', /no answer within 20000 ms/)
    assert.equal(run.signals[0]?.aborted, true)
    await run.clock.advance(1000)
    assert.deepEqual(run.outcome, { kind: 'succeeded', result: 'result 2' })
  })

  test('is over with the attempt, and frees its signal', async (t) => {
    const run = startRun(t, [{ takesMs: 5 }])
    await run.clock.advance(5)
    assert.equal(run.outcome?.kind, 'succeeded')
    assert.equal(run.clock.timerCount, 0)
    assert.equal(run.signals[0]?.aborted, true, 'what an adapter still holds open is let go')
  })
})

describe('each attempt', () => {
  test('is recorded before the provider is called', async (t) => {
    // Guards against an attempt that a crash makes forget: the provider would be asked a sixth time.
    let record = () => {}
    const run = startRun(t, [{}], {
      task: { started: () => new Promise((resolve) => (record = resolve)) },
    })
    await run.clock.advance(30_000)
    assert.deepEqual(times(run, 'called'), [])
    record()
    await run.clock.advance(0)
    assert.deepEqual(times(run, 'called'), [30_000])
  })

  test('that cannot be recorded interrupts the run without an outcome', async (t) => {
    // Guards against a full disk that makes a call FAILED for ever: it is not the provider's fault.
    const run = startRun(t, [{}], {
      task: { started: () => Promise.reject(new Error('commit_failed')) },
    })
    await run.clock.advance(120_000)
    assert.deepEqual(times(run, 'called'), [])
    assert.equal(run.outcome, null)
    assert(run.error instanceof RunInterrupted)
  })

  test('whose failure cannot be recorded interrupts the run without an outcome', async (t) => {
    const run = startRun(t, [{ error: down }], {
      task: { failed: () => Promise.reject(new Error('commit_failed')) },
    })
    await run.clock.advance(120_000)
    assert.deepEqual(times(run, 'called'), [0])
    assert.equal(run.outcome, null)
    assert(run.error instanceof RunInterrupted)
  })
})

describe('stopping', () => {
  const stops: [string, number, Parameters<typeof startRun>[1]][] = [
    ['a hung attempt', 5000, [{ hangs: true }]],
    ['a wait', 500, [{ error: down }]],
    [
      'a wait that Retry-After has lengthened',
      5000,
      [{ error: new ProviderUnavailable('429', { retryAfterMs: 30_000 }) }],
    ],
  ]
  for (const [name, afterMs, script] of stops)
    test(`ends ${name} at once, without an outcome`, async (t) => {
      const run = startRun(t, script)
      await run.clock.advance(afterMs)
      run.stop.abort(new Error('shutting down'))
      await run.clock.advance(0)
      assert(run.error instanceof RunInterrupted)
      assert.equal(run.outcome, null)
      assert.equal(run.clock.timerCount, 0, 'nothing is left that would hold the process')
    })

  test('while an attempt is being recorded ends the run at once, and the provider is not called', async (t) => {
    // Guards against a listener on a signal that has fired already: it would wait for the attempt's whole deadline.
    let record = () => {}
    const run = startRun(t, [{ hangs: true }], {
      task: { started: () => new Promise((resolve) => (record = resolve)) },
    })
    await run.clock.advance(0)
    run.stop.abort(new Error('shutting down'))
    record()
    await run.clock.advance(0)
    assert(run.error instanceof RunInterrupted)
    assert.deepEqual(times(run, 'called'), [])
  })

  test('while a failure is being recorded ends the run at once, whatever Retry-After says', async (t) => {
    let record = () => {}
    const run = startRun(t, [{ error: new ProviderUnavailable('429', { retryAfterMs: 30_000 }) }], {
      task: { failed: () => new Promise((resolve) => (record = resolve)) },
    })
    await run.clock.advance(0)
    run.stop.abort(new Error('shutting down'))
    record()
    await run.clock.advance(0)
    assert(run.error instanceof RunInterrupted)
  })

  test('before the run starts nothing', async (t) => {
    const run = startRun(t, [{}], {
      task: {
        admit: (attempt) =>
          new Promise((resolve) => setImmediate(resolve)).then(() => attempt(false, () => {})),
      },
    })
    run.stop.abort(new Error('shutting down'))
    await run.clock.advance(0)
    assert(run.error instanceof RunInterrupted)
    assert.deepEqual(run.story.slice(0, -1), [])
  })
})
