/** Attempts that counted before an outage was noticed are given back: their numbers, their waits, their part of the budget. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderUnavailable } from '../../src/ai/provider.js'
import type { ReleasedAttempt } from '../../src/ai/retry-task.js'
import { type RunOptions, startRun, times } from '../support/ai-run.js'

const failure = (text: string) => ({ error: new ProviderUnavailable(text), takesMs: 500 })

/** The outage is noticed at a moment, and these failures turn out to have been its beginning. */
function noticed(atMs: number, texts: readonly string[]) {
  const released: ReleasedAttempt[] = []
  let passedMs = 0
  const task = {
    wasOutage: (error: Error) => passedMs >= atMs && texts.includes(error.message),
    released: async (attempt: ReleasedAttempt) => {
      released.push(attempt)
    },
  }
  const at = (ms: number) => {
    passedMs = ms
  }
  return { task, released, at }
}

describe('attempts that turn out to have met an outage', () => {
  test('are given back, the last one first, with what they and their waits took from the budget', async (t) => {
    // Guards against a call that has one attempt left after an outage, and a provider that is flaky as it comes back.
    const { task, released, at } = noticed(4000, ['first', 'second'])
    // Room for five attempts and their waits, and for nothing from before.
    const script = [failure('first'), failure('second'), failure('third')]
    const run = startRun(t, script, { task, policy: { budgetMs: 18_000 } })
    await run.clock.advance(3999)
    assert.deepEqual(released, [])
    at(4000)
    await run.clock.advance(300_000)
    assert.deepEqual(released, [
      { attempt: 2, error: 'second', refundMs: 2500 },
      { attempt: 1, error: 'first', refundMs: 1500 },
    ])
    const started = run.story.flatMap(([what, , attempt]) => (what === 'started' ? [attempt] : []))
    assert.deepEqual(started, [1, 2, 1, 2, 3, 4, 5], 'and there are five of them from then on')
    assert.deepEqual(
      times(run, 'called').slice(2),
      [4000, 5500, 8000, 12_500, 21_000],
      'with their own waits',
    )
    assert.deepEqual(run.outcome, { kind: 'failed', error: 'third' })
    assert.equal(run.clock.timerCount, 0)
  })

  test('are given back no further than the provider had answered since', async (t) => {
    const { task, released, at } = noticed(0, ['second'])
    const run = startRun(t, [failure('first'), failure('second'), {}], { task })
    at(0)
    await run.clock.advance(300_000)
    assert.deepEqual(released, [{ attempt: 2, error: 'second', refundMs: 2500 }])
    assert.equal(run.outcome?.kind, 'succeeded')
  })

  test('are given back where it was noticed while the next one waited for a slot', async (t) => {
    const { task, released, at } = noticed(1, ['first'])
    let free = () => {}
    const admit: RunOptions['task'] = {
      admit: async (attempt) => {
        if (times(run, 'called').length > 0)
          await new Promise<void>((resolve) => {
            free = resolve
          })
        return attempt(false, () => {})
      },
    }
    const run = startRun(t, [failure('first'), {}], { task: { ...task, ...admit } })
    await run.clock.advance(5000)
    assert.deepEqual(released, [])
    at(1)
    free()
    await run.clock.advance(1)
    assert.deepEqual(released, [{ attempt: 1, error: 'first', refundMs: 1500 }])
    assert.deepEqual(run.outcome, { kind: 'succeeded', result: 'result 1' })
  })

  test('and cannot be recorded as such break the run off, and fail no call', async (t) => {
    // Guards against a full journal that fails a call: the error would be taken for the attempt's.
    const { task, at } = noticed(0, ['first'])
    at(0)
    const run = startRun(t, [failure('first'), {}], {
      task: { ...task, released: () => Promise.reject(new Error('journal full')) },
    })
    await run.clock.advance(300_000)
    assert.equal(run.outcome, null)
    assert.equal(run.error?.name, 'RunInterrupted')
  })

  test('are given back also from under a later failure that counts', async (t) => {
    // Guards against an outage that began and ended while an attempt was under way: its failure lies on top.
    const { task, released, at } = noticed(1, ['first'])
    const run = startRun(t, [failure('first'), failure('second'), {}], { task })
    await run.clock.advance(1999)
    at(1)
    await run.clock.advance(300_000)
    assert.deepEqual(released, [{ attempt: 2, error: 'first', refundMs: 1500 }])
    assert.deepEqual(
      run.failures.map(({ attempt, error }) => [attempt, error]),
      [
        [1, 'first'],
        [1, 'second'],
      ],
    )
    assert.deepEqual(run.outcome, { kind: 'succeeded', result: 'result 2' })
  })

  test('are looked for before the last attempt has failed the call', async (t) => {
    const { task, released, at } = noticed(1, ['first'])
    const script = [failure('first'), ...Array<ReturnType<typeof failure>>(4).fill(failure('later')), {}]
    const run = startRun(t, script, { task })
    // 1.5 + 2.5 + 4.5 + 8.5 s, and the fifth attempt is under way.
    await run.clock.advance(17_300)
    at(1)
    await run.clock.advance(300_000)
    assert.deepEqual(released, [{ attempt: 5, error: 'first', refundMs: 1500 }])
    assert.equal(run.outcome?.kind, 'succeeded')
  })

  test('are given back no more often than a call has attempts', async (t) => {
    // Guards against a call that brings the provider down, is forgiven, and does it again, for ever.
    const { task, released, at } = noticed(0, ['bad'])
    at(0)
    const run = startRun(t, [failure('bad')], { task })
    await run.clock.advance(300_000)
    assert.equal(released.length, 5)
    assert.deepEqual(run.outcome, { kind: 'failed', error: 'bad' })
    assert.equal(times(run, 'called').length, 10)
  })
})
