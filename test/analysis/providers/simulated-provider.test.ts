import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type AnalysisRequest, ProviderUnavailable } from '../../../src/analysis/provider.js'
import { SimulatedProvider } from '../../../src/analysis/providers/simulated-provider.js'
import type { AnalysisResult } from '../../../src/protocol/analysis.js'
import type { StoredPacket } from '../../../src/store/journal.js'
import { callId } from '../../support/calls.js'
import { FakeClock, turns } from '../../support/fake-clock.js'

const options = { failureRate: 0.25, latencyMinMs: 1000, latencyMaxMs: 3000, seed: 1 }

function requestOf(
  packets: readonly StoredPacket[] = [],
  missingCount = 0,
): AnalysisRequest & { read: number } {
  const request = {
    callId: callId('c1'),
    read: 0,
    tracks: [
      {
        track: 0,
        name: null,
        media: { encoding: 'text' as const, sample_rate: 8000, channels: 1 },
        expectedTotal: null,
        async *packetPages() {
          for (const packet of packets) {
            request.read++
            yield [packet]
          }
        },
      },
    ],
    packetCount: packets.length,
    heard: () => {},
    redact: null,
    checkpoints: { load: async () => new Map<string, string>(), save: async () => {}, note: async () => {} },
    missingCount,
    missingRanges: [],
    attempt: 1,
    idempotencyKey: 'k',
  }
  return request
}

type Told = { at: number; result: AnalysisResult | null; error: unknown }

/** Asks `count` times, one after the other, and says what came and when. */
async function ask(t: TestContext, provider: SimulatedProvider, count: number): Promise<Told[]> {
  const clock = new FakeClock()
  clock.takeOverTimeouts(t)
  const told: Told[] = []
  const signal = new AbortController().signal
  const run = async () => {
    for (let i = 0; i < count; i++) {
      const at = clock.now()
      const [result, error] = await provider.analyse(requestOf(), signal).then(
        (answer) => [answer, null] as const,
        (cause: unknown) => [null, cause] as const,
      )
      told.push({ at: clock.now() - at, result, error })
    }
  }
  const running = run()
  while (told.length < count) {
    await clock.advance(10_000)
    assert(clock.timerCount <= 1)
  }
  await running
  t.mock.restoreAll()
  return told
}

const shape = (told: readonly Told[]) => told.map(({ at, result, error }) => [at, result, String(error)])

describe('the simulated provider', () => {
  test('does the same for the same seed, and something else for another', async (t) => {
    const first = shape(await ask(t, new SimulatedProvider(options), 20))
    assert.deepEqual(shape(await ask(t, new SimulatedProvider(options), 20)), first)
    assert.notDeepEqual(shape(await ask(t, new SimulatedProvider({ ...options, seed: 2 }), 20)), first)
  })

  test('fails as often as it is told to, and in a way that may be tried again', async (t) => {
    for (const failureRate of [0, 0.25, 1]) {
      const told = await ask(t, new SimulatedProvider({ ...options, failureRate }), 400)
      const failed = told.filter(({ result }) => result === null)
      assert(Math.abs(failed.length / 400 - failureRate) < 0.08, `${failed.length} of 400 at ${failureRate}`)
      if (failureRate === 0 || failureRate === 1) assert.equal(failed.length, 400 * failureRate)
      for (const { error } of failed) {
        assert(error instanceof ProviderUnavailable)
        assert.match(error.message, /503/)
      }
    }
  })

  test('takes as long as it is told to, spread over the whole range', async (t) => {
    const told = await ask(t, new SimulatedProvider(options), 200)
    const taken = told.map(({ at }) => at)
    assert(taken.every((ms) => ms >= 1000 && ms <= 3000))
    assert(Math.min(...taken) < 1200 && Math.max(...taken) > 2800)
  })

  test('reads every packet and says in its result that it is simulated', async () => {
    const packets = [...Array(2500).keys()].map((sequence) => ({
      sequence,
      data: Buffer.from('four'),
      timestamp: 1,
      receivedAt: 1,
    }))
    const request = requestOf(packets, 7)
    const quick = new SimulatedProvider({ ...options, failureRate: 0, latencyMinMs: 0, latencyMaxMs: 0 })
    const result = await quick.analyse(request, new AbortController().signal)
    assert.equal(request.read, 2500)
    assert.match(result.transcription, /^Simulated .*2500 packets, 10000 bytes of data, 7 missing/)
    assert(['positive', 'neutral', 'negative'].includes(result.sentiment))
    assert(result.confidence >= 0 && result.confidence <= 1)
  })

  test('ends at once when its signal fires, with the signal’s reason', async (t) => {
    const clock = new FakeClock()
    clock.takeOverTimeouts(t)
    const stop = new AbortController()
    const asked = new SimulatedProvider(options).analyse(requestOf(), stop.signal)
    const reason = new Error('shutting down')
    stop.abort(reason)
    await assert.rejects(asked, reason)
    assert.equal(clock.timerCount, 0)
  })

  test('does not begin when its signal has fired already', async (t) => {
    // Guards against a listener that is never told: the drain would wait for the whole latency.
    const clock = new FakeClock()
    clock.takeOverTimeouts(t)
    let error: unknown = null
    const reason = new Error('shutting down')
    new SimulatedProvider(options).analyse(requestOf(), AbortSignal.abort(reason)).catch((cause) => {
      error = cause
    })
    await turns()
    assert.equal(error, reason)
    assert.equal(clock.timerCount, 0)
  })
})
