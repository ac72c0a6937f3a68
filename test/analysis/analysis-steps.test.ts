/** What an analysis has reached is kept: over attempts, restarts, failed commits and retries by hand (V5, V10). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type AnalysisRequest, ProviderUnavailable } from '../../src/analysis/provider.js'
import { limits } from '../../src/limits.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { callId, result } from '../support/calls.js'
import { holds } from '../support/property.js'

const id = callId('c1')

/** Takes steps that each cost a request, which fails as the script says; every request is paid for. */
class Steps {
  readonly paid: string[] = []
  readonly count: number
  fails: (request: number) => boolean = () => false
  requests = 0

  constructor(count: number) {
    this.count = count
  }

  readonly analyse = async ({ checkpoints }: AnalysisRequest, signal: AbortSignal): Promise<unknown> => {
    const kept = await checkpoints.load()
    for (let step = 0; step < this.count; step++) {
      if (kept.has(`step ${step}`)) continue
      signal.throwIfAborted()
      const request = this.requests++
      await checkpoints.note(`request/${request}`, 'made')
      if (this.fails(request)) throw new ProviderUnavailable('503')
      this.paid.push(`step ${step}`)
      await checkpoints.save(`step ${step}`, `answer ${step}`)
    }
    return result
  }
}

describe('the steps of an analysis', () => {
  test('each have five attempts, and a call of a hundred steps ends well where every second request fails', async (t) => {
    const steps = new Steps(100)
    steps.fails = (request) => request % 2 === 0
    const calls = new AnalysedCalls(steps.analyse)
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(600_000)
    const view = await calls.view(id)
    assert.equal(view?.state, 'ARCHIVED')
    assert.equal(steps.requests, 200)
    assert.equal(view.ai.attempts, 1, 'at the last step')
    assert.equal(view.ai.attempts_total, 101)
    const told = calls.events.flatMap((event) => (event.event === 'ai_attempt_failed' ? [event.attempt] : []))
    assert.deepEqual(told, Array(100).fill(1))
    calls.deadlines.stop()
  })

  test('that are not taken in five attempts have failed the call; a note is no progress', async (t) => {
    // Guards against an account of failed requests that keeps a hopeless call alive for ever.
    const steps = new Steps(3)
    steps.fails = (request) => request >= 2
    const calls = new AnalysedCalls(steps.analyse)
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(600_000)
    assert.equal((await calls.view(id))?.state, 'FAILED')
    assert.equal(steps.requests, 7)

    // The retry by hand does not pay twice.
    steps.fails = () => false
    await calls.redrive(id).promise
    await calls.clock.advance(1000)
    assert.equal((await calls.view(id))?.state, 'ARCHIVED')
    assert.deepEqual(steps.paid, ['step 0', 'step 1', 'step 2'])
    calls.deadlines.stop()
  })

  test('count over restarts: a process that ends in every fifth attempt at a step fails no call that advances', async (t) => {
    // Guards against a count that is reset in memory alone: the journal would say attempt 5, the last one.
    const steps = new Steps(12)
    let calls = new AnalysedCalls(steps.analyse)
    calls.clock.takeOverTimeouts(t)
    // Each attempt takes one step, and the process ends in the next one.
    steps.fails = () => false
    const analyse = (request: AnalysisRequest, signal: AbortSignal) => {
      let saved = 0
      const { checkpoints } = request
      const save = async (key: string, text: string) => {
        await checkpoints.save(key, text)
        if (++saved === 1) await new Promise(() => {})
      }
      return steps.analyse({ ...request, checkpoints: { ...checkpoints, save } }, signal)
    }
    calls = await calls.restart(analyse)
    await calls.end(id)
    for (let restart = 0; restart < 12; restart++) {
      await calls.clock.advance(100)
      assert.equal((await calls.look(id, ({ context }) => context.analysis))?.attempts, 1)
      calls = await calls.restart(analyse)
      await calls.clock.advance(100)
    }
    const view = await calls.view(id)
    assert.deepEqual([view?.state, view?.ai.error], ['ARCHIVED', null])
    assert.equal(steps.paid.length, 12)
    calls.deadlines.stop()
  })

  test('that an attempt takes after its end are not kept', async (t) => {
    let late: Promise<unknown> | null = null
    const calls = new AnalysedCalls(async ({ attempt, checkpoints }) => {
      if (attempt > 1) return result
      await new Promise<void>((resolve) => void calls.clock.after(20_500, resolve))
      late = checkpoints.save('late', 'text')
      late.catch(() => {})
      return late
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(30_000)
    await assert.rejects(late as unknown as Promise<unknown>, /no answer within/)
    assert.deepEqual(await calls.journal.keptOf(id), [])
    assert.equal((await calls.view(id))?.state, 'ARCHIVED')
    calls.deadlines.stop()
  })

  test('stay out of the snapshots', async (t) => {
    const steps = new Steps(3)
    const calls = new AnalysedCalls(steps.analyse)
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(1000)
    assert.equal((await calls.journal.keptOf(id)).length, 6)
    for (const { snapshot } of calls.journal.appends) assert.doesNotMatch(snapshot?.body ?? '', /answer/)
    calls.deadlines.stop()
  })

  test('are bounded', async (t) => {
    const calls = new AnalysedCalls(async ({ checkpoints }) => {
      await checkpoints.save('k', 'x'.repeat(limits.checkpointCharactersMax))
      return result
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(600_000)
    assert.deepEqual(await calls.journal.keptOf(id), [])
    assert.equal((await calls.view(id))?.state, 'FAILED')
    calls.deadlines.stop()
  })

  test('are each paid for once, whatever fails and whenever the process ends', async (t) => {
    const faults = fc.record({
      afterMs: fc.constantFrom(0, 1, 500, 1000, 2500, 7000),
      kind: fc.constantFrom('restart' as const, 'commit fails' as const, 'journal is full' as const),
    })
    const cases = fc.record({
      failing: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
      faults: fc.array(faults, { maxLength: 6 }),
    })
    let [archived, twice] = [0, 0]
    await holds(t, cases, 100, async ({ failing, faults }) => {
      const steps = new Steps(6)
      steps.fails = (request) => failing[request % failing.length] === true
      let calls = new AnalysedCalls(steps.analyse)
      calls.clock.takeOverTimeouts(t)
      await calls.end(id)
      for (const { afterMs, kind } of faults) {
        await calls.clock.advance(afterMs)
        if (kind === 'commit fails') calls.journal.failures++
        else if (kind === 'journal is full') {
          calls.journal.isFull = true
          await calls.clock.advance(1500)
          calls.journal.isFull = false
        } else calls = await calls.restart(steps.analyse)
      }
      calls.journal.failures = 0
      await calls.clock.advance(600_000)
      const view = await calls.view(id)
      const hopes = failing.some((fails) => !fails)
      assert(view?.state === 'ARCHIVED' || view?.state === 'FAILED', view?.state)
      if (view.state === 'ARCHIVED') archived++
      if (!hopes) assert.equal(view.state, 'FAILED')
      const kept = (await calls.journal.keptOf(id)).filter(({ key }) => key.startsWith('step'))
      assert.equal(new Set(kept.map(({ key }) => key)).size, kept.length, 'no step is kept twice')
      twice += steps.paid.length - new Set(steps.paid).size
      const restarts = faults.filter(({ kind }) => kind === 'restart').length
      assert(steps.paid.length - new Set(steps.paid).size <= restarts, 'a restart costs one step at most')
      calls.deadlines.stop()
      await calls.analyses.stop()
    })
    t.diagnostic(`${archived} archived, ${twice} steps paid for twice`)
    assert(archived > 20)
  })
})
