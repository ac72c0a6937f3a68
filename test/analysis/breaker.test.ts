/** The circuit breaker on a fake clock: what it asks the provider, when, and what it makes of the answers. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import pLimit from 'p-limit'
import { type OwnFailures, ProviderBreaker } from '../../src/analysis/breaker.js'
import { AccountRefused, ProviderRejected, ProviderUnavailable } from '../../src/analysis/provider.js'
import { SimulatedProvider } from '../../src/analysis/providers/simulated-provider.js'
import { AttemptReleased } from '../../src/analysis/retry-task.js'
import { readConfig } from '../../src/config/config.js'
import { limits } from '../../src/limits.js'
import { FakeClock, turns } from '../support/fake-clock.js'

const failuresMax = 4
const probeMs = 5000
const down = () => Promise.reject(new ProviderUnavailable('503'))
const up = async () => 'a result'

class Asked {
  readonly clock = new FakeClock()
  /** Who was asked for, and when, from the beginning. */
  readonly requests: (readonly [name: string, at: number])[] = []
  readonly told: (readonly [what: string, at: number])[] = []
  /** Who has to mend it. */
  readonly causes: string[] = []
  readonly ends = new Map<string, string>()
  readonly breaker: ProviderBreaker
  readonly #begin = this.clock.now()
  answer: (name: string) => Promise<unknown> = up
  underWay = 0
  mostUnderWay = 0

  constructor(concurrency = 64, failuresInRowMax = failuresMax) {
    const slots = pLimit(concurrency)
    this.breaker = new ProviderBreaker(
      { failuresMax: failuresInRowMax, ownFailuresMax: 4, probeMs, shareMs: 12_000 },
      {
        clock: this.clock,
        withSlot: (attempt) => slots(attempt),
        opened: (reason, cause) => {
          this.told.push([`opened: ${reason}`, this.now])
          this.causes.push(cause)
        },
        closed: (downMs) => this.told.push([`closed after ${downMs}`, this.now]),
      },
    )
  }

  get now(): number {
    return this.clock.now() - this.#begin
  }

  /** One attempt of a call; how it ends is kept. */
  ask(name: string, signal = new AbortController().signal, own: OwnFailures = { row: 0, count: 0 }): void {
    this.breaker
      .guard(
        async () => {
          this.requests.push([name, this.now])
          this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay)
          try {
            return await this.answer(name)
          } finally {
            this.underWay--
          }
        },
        own,
        signal,
      )
      .then(
        () => this.ends.set(name, 'answered'),
        (error: Error) => this.ends.set(name, error instanceof AttemptReleased ? 'released' : error.name),
      )
  }

  /** A call that waits for the provider again whenever its attempt is released. */
  async insist(name: string): Promise<void> {
    this.ask(name)
    for (;;) {
      await turns(1)
      if (this.ends.get(name) === 'answered') return
      if (this.ends.get(name) === 'released') {
        this.ends.delete(name)
        this.ask(name)
      }
    }
  }

  async open(): Promise<void> {
    this.answer = down
    for (let i = 0; this.breaker.state !== 'open'; i++) {
      this.ask(`opening ${i}`)
      await turns()
    }
    this.requests.length = 0
  }
}

describe('the breaker opens', () => {
  test('at so many failures in a row, of whatever calls, and the last of them does not count', async () => {
    const asked = new Asked()
    asked.answer = down
    for (const name of ['a', 'b', 'a2', 'c']) {
      assert.equal(asked.breaker.state, 'closed')
      asked.ask(name)
      await turns()
    }
    assert.equal(asked.breaker.state, 'open')
    assert.deepEqual(Object.fromEntries(asked.ends), {
      a: 'ProviderUnavailable',
      b: 'ProviderUnavailable',
      a2: 'ProviderUnavailable',
      c: 'released',
    })
    assert.deepEqual(asked.told, [['opened: 503', 0]])
  })

  test('not where an answer came between, were it a refusal', async () => {
    // Guards against a breaker that takes a call that cannot be analysed for an outage.
    const asked = new Asked()
    for (const between of [up, () => Promise.reject(new ProviderRejected('400'))]) {
      for (const answer of [down, down, down, between, down, down, down, up]) {
        asked.answer = answer
        asked.ask('a')
        await turns()
      }
      assert.equal(asked.breaker.state, 'closed')
    }
    assert.deepEqual(asked.told, [])
  })

  test('at four failures of one call, when nobody was answered between them', async () => {
    // Guards against an outage that one call meets alone, and in which it uses up its attempts.
    const asked = new Asked(64, 10)
    const own = { row: 0, count: 0 }
    for (const answer of [down, down, down, up, down, down, down]) {
      asked.answer = answer
      asked.ask('a', undefined, own)
      await turns()
      assert.equal(asked.breaker.state, 'closed')
    }
    asked.ask('a', undefined, own)
    await turns()
    assert.equal(asked.breaker.state, 'open')
    assert.equal(asked.ends.get('a'), 'released')
  })

  test('at fewer that were slow to come, because the budget of a call has no room for four', async () => {
    // Guards against a provider that hangs: three deadlines of 20 s use up the 60 s of a call.
    for (const takesMs of [11_900, 20_000]) {
      const asked = new Asked(64, 10)
      asked.answer = async () => {
        await new Promise<void>((resolve) => void asked.clock.after(takesMs, resolve))
        return down()
      }
      const own = { row: 0, count: 0 }
      let failures = 0
      for (; asked.breaker.state === 'closed'; failures++) {
        asked.ask('a', undefined, own)
        await asked.clock.advance(takesMs)
      }
      assert.equal(failures, takesMs > 12_000 ? 2 : 4)
    }
  })

  test('never at the simulated provider’s default rate of failures and the default setting', async (t) => {
    const config = readConfig({ args: [], environment: {}, dotEnv: null })
    // The simulated latency is none of the breaker's business.
    t.mock.method(globalThis, 'setTimeout', ((task: () => void) => queueMicrotask(task)) as never)
    const provider = new SimulatedProvider({
      failureRate: config.AI_SIMULATED_FAILURE_RATE,
      latencyMinMs: 0,
      latencyMaxMs: 0,
      seed: config.AI_SIMULATED_SEED,
    })
    const request = {
      callId: 'c1',
      packetPages: async function* () {},
      packetCount: 0,
      missingCount: 0,
      missingRanges: [],
      attempt: 1,
      idempotencyKey: 'k',
    }
    let failures = 0
    let opened = 0
    const breaker = new ProviderBreaker(
      { failuresMax: config.AI_BREAKER_FAILURES, ownFailuresMax: 4, probeMs, shareMs: 12_000 },
      {
        clock: new FakeClock(),
        withSlot: (attempt) => attempt(),
        opened: () => opened++,
        closed: () => {},
      },
    )
    for (let i = 0; i < 20_000; i++) {
      const { signal } = new AbortController()
      const attempt = () => provider.analyse(request as never, signal)
      await breaker.guard(attempt, { row: 0, count: 0 }, signal).catch(() => failures++)
    }
    assert(failures > 4000, `${failures} failures`)
    assert.equal(opened, 0)
  })

  test('at once when the provider is exhausted, and no call is to blame', async () => {
    const asked = new Asked()
    asked.answer = () => Promise.reject(new AccountRefused('no credit', 'quota', { retryAfterMs: 20_000 }))
    asked.ask('a')
    await turns()
    assert.equal(asked.breaker.state, 'open')
    assert.equal(asked.ends.get('a'), 'released')
    assert.deepEqual(asked.told, [['opened: no credit', 0]])
    asked.ask('b')
    asked.answer = up
    await asked.clock.advance(19_999)
    assert.equal(asked.ends.get('b'), undefined, 'it asked for time')
    await asked.clock.advance(1)
    assert.equal(asked.ends.get('b'), 'answered')
  })
})

describe('an outage', () => {
  test('is told again where another one has to end it', async () => {
    // Guards against a log that says 503 for as long as the key is refused.
    const asked = new Asked()
    await asked.open()
    for (const name of ['a', 'b']) void asked.insist(name)
    asked.answer = () => Promise.reject(new AccountRefused('401', 'key'))
    await asked.clock.advance(60_000)
    assert.deepEqual(asked.causes, ['provider', 'key'])
    asked.answer = up
    await asked.clock.advance(limits.probeMsMax)
    assert.equal(asked.breaker.state, 'closed')
  })
})

describe('a wait that the provider asks for', () => {
  const asks = (retryAfterMs: number) => () =>
    Promise.reject(new ProviderUnavailable('429', { retryAfterMs }))

  test('opens the breaker where no budget has room for it, and is kept', async () => {
    // Guards against an outage that the server announces, and that fails the calls until ten have met it.
    const asked = new Asked()
    asked.answer = asks(12_000)
    asked.ask('a')
    await turns()
    assert.deepEqual(asked.told, [['opened: 429', 0]])
    assert.equal(asked.ends.get('a'), 'released')
    asked.ask('b')
    asked.answer = up
    await asked.clock.advance(11_999)
    assert.equal(asked.ends.get('b'), undefined)
    await asked.clock.advance(1)
    assert.equal(asked.ends.get('b'), 'answered')
  })

  test('is a failure like any other where a call has time for it', async () => {
    const asked = new Asked()
    asked.answer = asks(11_999)
    asked.ask('a')
    await turns()
    assert.equal(asked.breaker.state, 'closed')
    assert.equal(asked.ends.get('a'), 'ProviderUnavailable')
  })

  test('opens nothing where the breaker is never to open', async () => {
    // Guards P15: with the breaker off every call ends within its budget.
    const asked = new Asked(64, 0)
    asked.answer = asks(3_600_000)
    for (const name of ['a', 'b', 'c', 'd', 'e']) asked.ask(name)
    await turns()
    assert.equal(asked.breaker.state, 'closed')
    assert.deepEqual(new Set(asked.ends.values()), new Set(['ProviderUnavailable']))
  })
})

describe('while the breaker is open', () => {
  test('nothing is asked but one probe at a time, at growing distances, of one call after another', async () => {
    const asked = new Asked()
    await asked.open()
    for (const name of ['a', 'b', 'c']) void asked.insist(name)
    await asked.clock.advance(300_000)
    assert.deepEqual(asked.requests, [
      ['a', 5000],
      ['b', 15_000],
      ['c', 35_000],
      ['a', 75_000],
      ['b', 135_000],
      ['c', 195_000],
      ['a', 255_000],
    ])
    assert.equal(asked.breaker.parkedCount, 3)
    assert.deepEqual(asked.told, [['opened: 503', 0]], 'an outage is told once')
    asked.answer = up
    await asked.clock.advance(limits.probeMsMax)
  })

  test('what was under way before is the provider’s fault, too, and ends no probe', async () => {
    // Guards against an outage that costs each of the 64 requests under way an attempt.
    const asked = new Asked()
    const fail = new Map<string, () => void>()
    asked.answer = (name) =>
      new Promise((_, reject) => fail.set(name, () => reject(new ProviderUnavailable('timeout'))))
    for (const name of ['early', 'late', 'later']) asked.ask(name)
    await turns()
    fail.get('early')?.()
    await turns()
    assert.equal(asked.ends.get('early'), 'ProviderUnavailable')
    await asked.open()
    fail.get('late')?.()
    await turns()
    assert.equal(asked.ends.get('late'), 'released')
    asked.answer = () => new Promise((resolve) => void asked.clock.after(1000, () => resolve('late')))
    asked.ask('probe')
    await asked.clock.advance(probeMs)
    assert.equal(asked.breaker.state, 'half_open')
    fail.get('later')?.()
    await turns()
    assert.equal(asked.ends.get('later'), 'released')
    await asked.clock.advance(1000)
    assert.equal(asked.breaker.state, 'closed')
    assert.equal(asked.ends.get('probe'), 'answered')
  })

  test('a call that is given up waits no longer, and its probe goes to the next one', async () => {
    const asked = new Asked()
    await asked.open()
    const stop = new AbortController()
    asked.ask('given up', stop.signal)
    asked.ask('next')
    stop.abort(new Error('over'))
    await turns()
    assert.equal(asked.ends.get('given up'), 'Error')
    assert.equal(asked.breaker.parkedCount, 1)
    asked.answer = up
    await asked.clock.advance(probeMs)
    assert.deepEqual(asked.requests, [['next', probeMs]])
  })

  test('a probe that could not ask says nothing, and the next one asks in its place', async () => {
    // Guards against a full journal that closes the breaker: every call that waits would find the provider down.
    const asked = new Asked()
    await asked.open()
    asked.answer = (name) => (name === 'unasked' ? Promise.reject(new Error('journal full')) : down())
    asked.ask('unasked')
    asked.ask('next')
    asked.ask('after it')
    await asked.clock.advance(probeMs)
    assert.deepEqual(asked.requests, [
      ['unasked', probeMs],
      ['next', probeMs],
    ])
    assert.equal(asked.ends.get('unasked'), 'Error')
    await asked.clock.advance(2 * probeMs)
    assert.deepEqual(asked.requests.at(-1), ['after it', 3 * probeMs])
  })
})

describe('an attempt of many steps', () => {
  test('closes the breaker with its first answer, and what it meets later is told like any other', async () => {
    // Guards against an outage that lasts, for everybody else, as long as one call of four hours takes.
    const asked = new Asked()
    await asked.open()
    const ends: string[] = []
    let fail = (_: Error) => {}
    const long = asked.breaker.guard(
      (isProbe, answered) =>
        new Promise<never>((_, reject) => {
          ends.push(`probe ${isProbe}`)
          asked.clock.after(100, answered)
          fail = reject
        }),
      { row: 0, count: 0 },
      new AbortController().signal,
    )
    long.catch((error: Error) => ends.push(error.name))
    await asked.clock.advance(probeMs)
    asked.answer = up
    asked.ask('another')
    await turns()
    assert.equal(asked.breaker.state, 'half_open')
    assert.equal(asked.ends.get('another'), undefined)
    await asked.clock.advance(100)
    assert.equal(asked.breaker.state, 'closed')
    assert.equal(asked.ends.get('another'), 'answered')
    fail(new AccountRefused('quota', 'quota'))
    await turns()
    assert.equal(asked.breaker.state, 'open')
    assert.deepEqual(ends, ['probe true', 'AttemptReleased'])
  })

  test('that ends while the breaker is open is no probe', async () => {
    const asked = new Asked()
    const attempts: { answered(): void; end(): void }[] = []
    const long = asked.breaker.guard(
      (_, answered) => new Promise<string>((end) => attempts.push({ answered, end: () => end('a result') })),
      { row: 0, count: 0 },
      new AbortController().signal,
    )
    await turns()
    attempts[0]?.answered()
    await turns()
    await asked.open()
    attempts[0]?.end()
    assert.equal(await long, 'a result')
    assert.equal(asked.breaker.state, 'open')
    assert.equal(asked.requests.length, 0)
  })
})

describe('when the breaker closes', () => {
  test('calls go on in the order in which they came, and never more than there are slots', async () => {
    // Guards against a herd that brings the provider down again.
    const asked = new Asked(3)
    await asked.open()
    const names = Array.from({ length: 20 }, (_, i) => `call ${i}`)
    for (const name of names) asked.ask(name)
    asked.answer = () => new Promise((resolve) => void asked.clock.after(100, () => resolve('ok')))
    await asked.clock.advance(probeMs + 99)
    assert.equal(asked.requests.length, 1)
    await asked.clock.advance(2000)
    assert.deepEqual(
      asked.requests.map(([name]) => name),
      names,
    )
    assert.equal(asked.mostUnderWay, 3)
    assert.deepEqual(asked.told.at(-1), [`closed after ${probeMs + 100}`, probeMs + 100])
  })

  test('what waited for a slot as it opened comes before what came later', async () => {
    const asked = new Asked(1)
    asked.answer = down
    for (let i = 0; i < failuresMax + 3; i++) asked.ask(`early ${i}`)
    asked.ask('late')
    await turns(30)
    assert.equal(asked.requests.length, failuresMax)
    asked.answer = up
    await asked.clock.advance(probeMs)
    assert.deepEqual(
      asked.requests.slice(failuresMax).map(([name]) => name),
      ['early 4', 'early 5', 'early 6', 'late'],
    )
  })

  test('an outage after it is one of its own', async () => {
    const asked = new Asked()
    await asked.open()
    asked.answer = up
    asked.ask('a')
    await asked.clock.advance(probeMs)
    assert.equal(asked.breaker.state, 'closed')
    await asked.open()
    asked.ask('b')
    await asked.clock.advance(probeMs)
    assert.deepEqual(asked.requests, [['b', 2 * probeMs]], 'the first wait again')
    assert.equal(asked.told.length, 3)
  })
})

describe('a restart during an outage', () => {
  async function suspected(t: TestContext): Promise<Asked> {
    const asked = new Asked()
    t.after(() => assert.equal(asked.told[0]?.[0], 'opened: it was down before the restart'))
    await asked.breaker.suspect()
    return asked
  }

  test('begins with one probe, at once', async (t) => {
    // Guards against a service that is restarted again and again while the provider is down, and burns attempts each time.
    const asked = await suspected(t)
    asked.answer = down
    for (const name of ['a', 'b', 'c']) asked.ask(name)
    await turns()
    assert.deepEqual(asked.requests, [['a', 0]])
    assert.equal(asked.ends.get('a'), 'released')
    await asked.clock.advance(2 * probeMs)
    assert.deepEqual(asked.requests.slice(1), [['b', 2 * probeMs]])
  })

  test('that is over costs one request', async (t) => {
    const asked = await suspected(t)
    for (const name of ['a', 'b', 'c']) asked.ask(name)
    await turns()
    assert.deepEqual([...asked.ends.values()], ['answered', 'answered', 'answered'])
    assert.equal(asked.breaker.state, 'closed')
  })

  test('is not believed once the provider was asked', async () => {
    const asked = new Asked()
    asked.ask('a')
    await turns()
    await asked.breaker.suspect()
    assert.equal(asked.breaker.state, 'closed')
    assert.deepEqual(asked.told, [])
  })
})
