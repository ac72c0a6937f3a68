/** V10: one outcome a call, whatever the provider does and however often commits fail and the process ends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProviderRejected, ProviderUnavailable } from '../../src/analysis/provider.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { callId, result } from '../support/calls.js'
import { holds } from '../support/property.js'

const id = callId('c1')

const behaviours = {
  answers: async () => result,
  'is down': () => Promise.reject(new ProviderUnavailable('503')),
  'asks for time': () => Promise.reject(new ProviderUnavailable('429', { retryAfterMs: 4000 })),
  refuses: () => Promise.reject(new ProviderRejected('400')),
  'breaks its adapter': () => Promise.reject(new TypeError('null')),
  'says nonsense': async () => null,
  hangs: () => new Promise<never>(() => {}),
} as const
type Behaviour = keyof typeof behaviours

const faults = fc.record({
  afterMs: fc.constantFrom(0, 1, 500, 999, 1000, 2500, 3000, 7000, 20_000),
  kind: fc.constantFrom('restart' as const, 'commit fails' as const),
})
const cases = fc.record({
  script: fc.array(fc.constantFrom(...(Object.keys(behaviours) as Behaviour[])), {
    minLength: 1,
    maxLength: 8,
  }),
  faults: fc.array(faults, { maxLength: 6 }),
})

test('a call that ended has one outcome, and at most five attempts, each started in the journal', async (t) => {
  // Guards against a second outcome after a restart, attempts that a restart forgets, a call that is stuck for ever.
  const outcomes = new Map<string, number>()
  let restarts = 0
  await holds(t, cases, 100, async ({ script, faults }) => {
    const asked: number[] = []
    const analyse = ({ attempt }: { attempt: number }) => {
      asked.push(attempt)
      return behaviours[script[(asked.length - 1) % script.length] as Behaviour]()
    }
    let calls = new AnalysedCalls(analyse)
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    for (const { afterMs, kind } of faults) {
      await calls.clock.advance(afterMs)
      if (kind === 'commit fails') calls.journal.failures++
      else {
        calls = await calls.restart(analyse)
        restarts++
      }
    }
    calls.journal.failures = 0
    await calls.clock.advance(600_000)
    const view = await calls.view(id)
    assert(view?.state === 'ARCHIVED' || view?.state === 'FAILED', view?.state)
    outcomes.set(view.state, (outcomes.get(view.state) ?? 0) + 1)

    const history = await calls.journal.replay(id)
    assert.equal(history?.snapshot.state, view.state)
    assert.deepEqual([...new Set(asked)], asked, 'each attempt is made once')
    assert(asked.every((attempt) => attempt >= 1 && attempt <= 5))
    assert(view.ai.attempts <= 5)
    const announced = calls.events.filter(({ event }) => event === 'ai_completed' || event === 'ai_failed')
    assert(announced.length <= 1)
    calls.deadlines.stop()
    await calls.analyses.stop()
    t.mock.restoreAll()
  })
  assert(restarts > 50, `${restarts} restarts`)
  assert(
    (outcomes.get('ARCHIVED') ?? 0) > 10 && (outcomes.get('FAILED') ?? 0) > 10,
    JSON.stringify([...outcomes]),
  )
})
