/** Attempts, waits, deadline and budget are those of one step: a long call has many steps, and each may need some. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderRejected, ProviderUnavailable } from '../../src/analysis/provider.js'
import { AttemptReleased } from '../../src/analysis/retry-task.js'
import { startRun, times } from '../support/ai-run.js'

const down = new ProviderUnavailable('503 Service Unavailable')

describe('an attempt that completes a step', () => {
  test('is the first one at the next step, with waits and a count from the beginning', async (t) => {
    // Guards against a call of a hundred requests that fails because five of them did.
    const step = { error: down, takesMs: 10, advancesAt: [5] }
    const run = startRun(t, [{ error: down }, { error: down }, ...Array(20).fill(step), {}])
    await run.clock.advance(300_000)
    assert.deepEqual(
      run.failures.map(({ attempt, waitMs }) => [attempt, waitMs]),
      [[1, 1000], [2, 2000], [1, 1000], ...Array(19).fill([1, 1000])],
    )
    assert.deepEqual(times(run, 'called').slice(0, 5), [0, 1000, 3000, 4010, 5020])
    assert.equal(run.outcome?.kind, 'succeeded')
  })

  test('and fails at the next one has four more attempts at it', async (t) => {
    const run = startRun(t, [{ error: down }, { error: down, advancesAt: [0], takesMs: 1 }, { error: down }])
    await run.clock.advance(300_000)
    assert.deepEqual(
      run.failures.map(({ attempt, waitMs }) => [attempt, waitMs]),
      [
        [1, 1000],
        [1, 1000],
        [2, 2000],
        [3, 4000],
        [4, 8000],
      ],
    )
    assert.equal(times(run, 'called').length, 6)
    assert.deepEqual(run.outcome, { kind: 'failed', error: '503 Service Unavailable' })
  })

  test('as the last one that was left goes on', async (t) => {
    const run = startRun(t, [{ error: down, advancesAt: [0], takesMs: 1 }, {}], {
      before: { attempts: 4, spentMs: 30_000 },
    })
    await run.clock.advance(300_000)
    assert.deepEqual(
      run.failures.map(({ attempt, spentMs }) => [attempt, spentMs]),
      [[1, 1001]],
    )
    assert.equal(run.outcome?.kind, 'succeeded')
  })

  test('has its whole deadline for the next one', async (t) => {
    // Guards against a deadline for the whole call: four hours of audio take longer than 20 s.
    const run = startRun(t, [{ takesMs: 190_000, advancesAt: [19_000, 38_000, 57_000, 76_000] }])
    await run.clock.advance(95_999)
    assert.deepEqual(times(run, 'failed'), [])
    await run.clock.advance(1)
    assert.deepEqual(
      run.failures.map(({ error, spentMs }) => [error, spentMs]),
      [['no answer within 20000 ms', 21_000]],
    )
    assert.equal(run.signals[0]?.aborted, true)
  })

  test('has its whole budget for the next one, and no more', async (t) => {
    const run = startRun(t, [
      { error: down, takesMs: 19_000, advancesAt: [18_500] },
      { error: down, takesMs: 18_500 },
    ])
    await run.clock.advance(300_000)
    // 0.5 + 1 + 18.5 + 2 + 18.5 + 4 = 44.5 s of this step leave 15.5 s.
    assert.deepEqual(times(run, 'called'), [0, 20_000, 40_500, 63_000])
    assert.deepEqual(times(run, 'outcome'), [78_500])
    assert.match((run.outcome as { error: string }).error, /no answer within 15500 ms/)
  })

  test('and is refused then has failed the call', async (t) => {
    const run = startRun(t, [{ error: new ProviderRejected('400'), takesMs: 1, advancesAt: [0] }])
    await run.clock.advance(300_000)
    assert.deepEqual(run.outcome, { kind: 'failed', error: '400' })
    assert.equal(times(run, 'called').length, 1)
  })

  test('and is released at the next one is made again as the first one there', async (t) => {
    let isDown = true
    const run = startRun(t, [{ error: down, takesMs: 2, advancesAt: [1] }, {}], {
      task: {
        admit: async (attempt) => {
          try {
            return await attempt(false, () => {})
          } catch (error) {
            if (!isDown) throw error
            isDown = false
            throw new AttemptReleased(error as Error)
          }
        },
      },
      before: { attempts: 2, spentMs: 0 },
    })
    await run.clock.advance(300_000)
    assert.deepEqual(
      run.story.flatMap(([what, , attempt]) => (what === 'called' ? [] : [[what, attempt]])),
      [
        ['started', 3],
        ['released', 1],
        ['started', 1],
        ['outcome', 0],
      ],
    )
    assert.equal(run.outcome?.kind, 'succeeded')
  })

  test('tells that the provider has answered', async (t) => {
    let answers = 0
    const run = startRun(t, [{ takesMs: 5, advancesAt: [1, 2] }], {
      task: { admit: (attempt) => attempt(false, () => answers++) },
    })
    await run.clock.advance(1000)
    assert.equal(run.outcome?.kind, 'succeeded')
    assert.equal(answers, 2)
  })

  test('leaves no timer', async (t) => {
    const run = startRun(t, [{ takesMs: 30_000, advancesAt: [10_000, 20_000] }])
    await run.clock.advance(300_000)
    assert.equal(run.outcome?.kind, 'succeeded')
    assert.equal(run.clock.timerCount, 0)
  })
})
