/**
 * An outage of the provider, in fake time, over calls as the service composes them: it parks calls and costs them
 * nothing. The account of the requests is the test's own.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { AccountRefused, type AnalysisRequest, ProviderUnavailable } from '../../src/analysis/provider.js'
import type { CallId } from '../../src/protocol/call-id.js'
import { policy } from '../support/ai-run.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { callId, result } from '../support/calls.js'
import { FakeClock } from '../support/fake-clock.js'
import { HeldJournal } from '../support/held-journal.js'
import { holds } from '../support/property.js'

const minute = 60_000
const id = callId('c1')

/** A provider that is down from one moment to another, and its account of who asked what. */
class Provider {
  readonly clock = new FakeClock()
  readonly requests: {
    readonly callId: CallId
    readonly attempt: number
    readonly at: number
    answered: boolean
  }[] = []
  downFrom = Number.POSITIVE_INFINITY
  upFrom = Number.POSITIVE_INFINITY
  takesMs = 200
  /** So long it takes to fail. */
  downMs = 0
  error: () => Error = () => new ProviderUnavailable('503')

  get isDown(): boolean {
    return this.clock.now() >= this.downFrom && this.clock.now() < this.upFrom
  }

  readonly analyse = async ({ callId, attempt }: AnalysisRequest): Promise<unknown> => {
    const request = { callId, attempt, at: this.clock.now(), answered: false }
    this.requests.push(request)
    await this.#while(this.takesMs)
    if (this.isDown) {
      await this.#while(this.downMs)
      throw this.error()
    }
    request.answered = true
    return result
  }

  #while(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms, resolve))
  }

  failsFor(ms: number): void {
    this.downFrom = this.clock.now()
    this.upFrom = this.downFrom + ms
  }

  failures(id: CallId): number {
    return this.requests.filter((request) => request.callId === id && !request.answered).length
  }

  calls(t: TestContext, failuresMax = 10, concurrency = 64): AnalysedCalls {
    this.clock.takeOverTimeouts(t)
    const breaker = { failuresMax, ownFailuresMax: 4, probeMs: 1000, shareMs: 12_000 }
    return new AnalysedCalls(this.analyse, concurrency, new HeldJournal(), this.clock, breaker)
  }
}

async function finish(calls: AnalysedCalls, t: TestContext): Promise<void> {
  calls.deadlines.stop()
  await calls.analyses.stop()
  t.mock.restoreAll()
}

const arrival = fc.integer({ min: -minute, max: 30 * minute })

const outages = fc.record({
  /** When each call completes, from one minute before the outage to its end. */
  arrivals: fc.oneof(fc.tuple(arrival), fc.array(arrival, { minLength: 2, maxLength: 40 })),
  /** Beyond the deadline of an attempt: the requests hang. */
  downMs: fc.constantFrom(0, 3000, 19_000, 3 * minute),
  retryAfterMs: fc.constantFrom(0, 5000, 11_900),
  restarts: fc.array(fc.integer({ min: 0, max: 30 * minute }), { maxLength: 3 }),
  isExhausted: fc.boolean(),
})

describe('an outage of 30 minutes', () => {
  test('leaves every call ARCHIVED, be it one alone, however the provider fails', async (t) => {
    // Guards against calls that fail because the provider was down for everybody.
    let probes = 0
    let parked = 0
    let alone = 0
    await holds(t, outages, 20, async ({ arrivals, downMs, retryAfterMs, restarts, isExhausted }) => {
      const provider = new Provider()
      provider.downMs = downMs
      provider.error = () =>
        isExhausted
          ? new AccountRefused('no credit', 'quota')
          : new ProviderUnavailable('503', { retryAfterMs })
      let calls = provider.calls(t)
      const begin = provider.clock.now() + minute + 3000
      provider.downFrom = begin
      provider.upFrom = begin + 30 * minute
      if (arrivals.length === 1) alone++
      const steps = [
        ...arrivals.map((at, i) => ({ at, id: callId(`c${i}`) })),
        ...restarts.map((at) => ({ at, id: null })),
      ].sort((one, other) => one.at - other.at)
      for (const { at, id } of steps) {
        await provider.clock.advance(Math.max(begin - 3000 + at - provider.clock.now(), 0))
        parked = Math.max(parked, calls.breaker.parkedCount)
        if (id !== null) {
          await calls.packet(id, 0).promise
          await calls.complete(id, 1).promise
        } else if (calls.breaker.state !== 'closed') {
          // Before the outage is noticed, an attempt that the process ends was nobody's failure, and counts.
          calls = await calls.restart(provider.analyse)
        }
      }
      await provider.clock.advance(begin + 40 * minute - provider.clock.now())
      for (const [i] of arrivals.entries()) {
        const id = callId(`c${i}`)
        const view = await calls.view(id)
        assert.equal(view?.state, 'ARCHIVED', `${id}: ${view?.ai.error}`)
        assert(view.ai.attempts <= policy.attemptsMax, `${view.ai.attempts} attempts`)
        assert.equal(
          view.ai.attempts_total,
          provider.requests.filter(({ callId }) => callId === id).length,
          'nothing is hidden',
        )
      }
      probes += provider.requests.filter(({ at, answered }) => !answered && at > begin + minute).length
      await finish(calls, t)
    })
    assert(probes > 30, `${probes} probes`)
    assert(parked > 3, `${parked} parked at most`)
    assert(alone > 0, 'a call was alone')
  })

  test('costs three calls the few attempts that it takes to notice it', async (t) => {
    const provider = new Provider()
    const calls = provider.calls(t)
    const ids = ['c1', 'c2', 'c3'].map(callId)
    await calls.end(...ids)
    provider.failsFor(30 * minute)
    await provider.clock.advance(29 * minute)
    assert.equal(calls.breaker.state, 'open')
    for (const id of ids) {
      const view = await calls.view(id)
      assert.equal(view?.state, 'PROCESSING_AI')
      assert.equal(view.ai.waiting_for, 'provider')
      assert.equal(view.ai.error, '503')
    }
    await provider.clock.advance(3 * minute)
    for (const id of ids) {
      const view = await calls.view(id)
      assert.equal(view?.state, 'ARCHIVED')
      assert(view.ai.attempts <= 4, `${view.ai.attempts} attempts`)
      assert((view.ai.attempts_total ?? 0) > 4, 'what was asked stays on the account')
    }
    const failures = calls.events.filter(({ event }) => event === 'ai_attempt_failed').length
    assert.equal(failures, provider.requests.length - 3, 'each failure is told once')
    await finish(calls, t)
  })

  test('that the server announces costs one call all alone nothing, with the default of ten', async (t) => {
    // Guards against a Retry-After beyond the budget, which failed each call at its first attempt.
    for (const retryAfterMs of [20_000, 60_000]) {
      const provider = new Provider()
      provider.error = () => new ProviderUnavailable('503', { retryAfterMs })
      const calls = provider.calls(t)
      await calls.end(id)
      provider.failsFor(30 * minute)
      await provider.clock.advance(32 * minute)
      const view = await calls.view(id)
      assert.deepEqual([view?.state, view?.ai.attempts], ['ARCHIVED', 1])
      assert(provider.failures(id) > 20, `${provider.failures(id)} failures`)
      await finish(calls, t)
    }
  })

  test('is no refuge for a call that the provider never takes, while it takes others', async (t) => {
    // Guards against a bad call that is forgiven again and again, and keeps all others waiting for the probes in between.
    for (const error of [
      () => new ProviderUnavailable('500'),
      () => new ProviderUnavailable('503', { retryAfterMs: 60_000 }),
      // A filter in front of the server that takes what was said for an attack.
      () => new AccountRefused('403', 'permission'),
    ]) {
      const bad = callId('bad')
      const clock = new FakeClock()
      clock.takeOverTimeouts(t)
      const asked: CallId[] = []
      const calls = new AnalysedCalls(
        async ({ callId }) => {
          asked.push(callId)
          if (callId === bad) throw error()
          return result
        },
        64,
        new HeldJournal(),
        clock,
        { failuresMax: 3, ownFailuresMax: 4, probeMs: 1000, shareMs: 12_000 },
      )
      await calls.end(bad)
      const good = Array.from({ length: 20 }, (_, n) => callId(`good-${n}`))
      for (const id of good) {
        await calls.end(id)
        await clock.advance(3 * minute)
      }
      assert.equal((await calls.view(bad))?.state, 'FAILED')
      for (const id of good) assert.equal((await calls.view(id))?.state, 'ARCHIVED')
      assert(calls.outages.length > 2, 'it has opened the breaker more than once')
      await finish(calls, t)
    }
  })

  test('is not counted by the budget', async (t) => {
    const provider = new Provider()
    const calls = provider.calls(t, 1)
    provider.failsFor(30 * minute)
    await calls.end(id)
    await provider.clock.advance(32 * minute)
    const spentMs = await calls.look(id, ({ context }) => context.analysis.spentMs)
    assert.equal(spentMs, 0)
    assert(provider.failures(id) > 20, 'it was probed with')
    const view = await calls.view(id)
    assert.deepEqual([view?.state, view?.ai.attempts], ['ARCHIVED', 1])
    await finish(calls, t)
  })

  test('is told to supervisors with each failed attempt, and when there will be another one', async (t) => {
    const provider = new Provider()
    const calls = provider.calls(t, 2)
    provider.failsFor(6000)
    await calls.end(id)
    await provider.clock.advance(minute)
    const told = calls.events.flatMap((event) => (event.event === 'ai_attempt_failed' ? [event] : []))
    assert.deepEqual(
      told.map(({ attempt, error, wait_ms }) => [attempt, error, wait_ms]),
      [
        [1, '503', 1000],
        [2, '503', null],
        [2, '503', null],
      ],
    )
    assert.equal(Date.parse(told[0]?.next_attempt_at ?? ''), Date.parse(told[0]?.at ?? '') + 1000)
    assert.equal(told[1]?.next_attempt_at, null)
    await finish(calls, t)
  })
})

describe('what a call waits for', () => {
  test('is told: a slot, its next attempt, or the provider', async (t) => {
    const provider = new Provider()
    provider.takesMs = 1000
    const calls = provider.calls(t, 3, 1)
    const other = callId('c2')
    const waiting = async () => [
      (await calls.view(id))?.ai.waiting_for,
      (await calls.view(other))?.ai.waiting_for,
    ]
    provider.failsFor(minute)
    await calls.end(id, other)
    assert.deepEqual(await waiting(), [null, 'slot'])
    await provider.clock.advance(1000)
    assert.deepEqual(await waiting(), ['retry', null])
    await provider.clock.advance(2500)
    assert.equal(calls.breaker.state, 'open')
    assert.deepEqual(await waiting(), ['provider', 'provider'])
    await provider.clock.advance(5 * minute)
    assert.deepEqual(await waiting(), [null, null])
    assert.equal((await calls.view(id))?.state, 'ARCHIVED')
    await finish(calls, t)
  })
})

describe('the next attempt', () => {
  for (const [name, retryAfterMs] of [
    ['a wait of a minute', minute],
    ['none', 0],
  ] as const)
    test(`has a time that is to come or none, and then what is waited for, where the provider asks for ${name}`, async (t) => {
      // Guards against a time that lies in the past for as long as the provider is down, or a slot is not free.
      const provider = new Provider()
      provider.error = () => new ProviderUnavailable('503', { retryAfterMs })
      const calls = provider.calls(t, 3, 1)
      const ids = [id, callId('c2'), callId('c3')]
      provider.failsFor(5 * minute)
      await calls.end(...ids)
      const looks = { retry: 0, slot: 0, provider: 0, running: 0 }
      for (let look = 0; look < 700; look++) {
        for (const each of ids) {
          const view = await calls.view(each)
          if (view?.state !== 'PROCESSING_AI') continue
          const { next_attempt_at: next, waiting_for: reason } = view.ai
          looks[reason ?? 'running']++
          if (next === null) assert(reason !== 'retry' || look === 0, 'a retry has a time')
          else assert(Date.parse(next) > provider.clock.now(), `${reason}: ${next} is over`)
          assert.equal(next !== null, reason === 'retry')
        }
        await provider.clock.advance(500)
      }
      assert(looks.provider > 0 && looks.slot > 0 && looks.running > 0, JSON.stringify(looks))
      for (const each of ids) assert.equal((await calls.view(each))?.state, 'ARCHIVED')
      await finish(calls, t)
    })
})

describe('a retry', () => {
  test('gives a failed call fresh attempts, a fresh budget and a key of its own', async (t) => {
    // Guards against a retry that fails at once because the attempts of the drive before count.
    const keys: string[] = []
    let isDown = true
    const calls = new AnalysedCalls(async ({ idempotencyKey }) => {
      keys.push(idempotencyKey)
      if (isDown) throw new ProviderUnavailable('503')
      return result
    })
    calls.clock.takeOverTimeouts(t)
    const key = `voicestream:c1#${calls.clock.now()}`
    await calls.end(id)
    await calls.clock.advance(minute)
    assert.equal((await calls.view(id))?.state, 'FAILED')
    assert.deepEqual(await calls.redrive(id).promise, { kind: 'redriven', redrives: 1 })
    await calls.clock.advance(minute)
    const failed = await calls.view(id)
    assert.deepEqual(
      [failed?.state, failed?.ai.attempts, failed?.ai.attempts_total, failed?.ai.redrives],
      ['FAILED', 5, 10, 1],
    )
    isDown = false
    await calls.redrive(id).promise
    await calls.clock.advance(1)
    const archived = await calls.view(id)
    assert.deepEqual(
      [archived?.state, archived?.ai.attempts, archived?.ai.attempts_total, archived?.ai.redrives],
      ['ARCHIVED', 1, 11, 2],
    )
    assert.deepEqual(keys, [key, `${key}.1`].flatMap((ofDrive) => Array(5).fill(ofDrive)).concat(`${key}.2`))
    const ends = calls.events.flatMap((event) => (event.event === 'state_changed' ? [event.reason] : []))
    assert.deepEqual(ends.slice(2), ['analysis_failed', 'retried', 'analysis_failed', 'retried', 'analysed'])
    calls.deadlines.stop()
  })

  test('that cannot be stored is not told as done, and changes nothing', async (t) => {
    // Guards against an answer before the commit (V3), and an actor that is ahead of its journal (V6).
    const calls = new AnalysedCalls(() => Promise.reject(new ProviderUnavailable('503')))
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(minute)
    calls.journal.failures = 1
    await assert.rejects(calls.redrive(id).promise)
    const view = await calls.view(id)
    assert.deepEqual([view?.state, view?.ai.redrives], ['FAILED', 0])
    calls.journal.isFull = true
    await assert.rejects(calls.redrive(id).promise)
    calls.journal.isFull = false
    assert.deepEqual(await calls.redrive(id).promise, { kind: 'redriven', redrives: 1 })
    calls.deadlines.stop()
    await calls.analyses.stop()
  })
})
