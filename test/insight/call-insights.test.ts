/** The main thread's half of listening: a thread that dies costs nobody anything, and calls that have ended leave nothing behind. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CallInsights, type HeardLife } from '../../src/insight/call-insights.js'
import { limits } from '../../src/limits.js'
import type { CallId } from '../../src/protocol/call-id.js'
import type { Media } from '../../src/protocol/media.js'
import { FakeClock } from '../support/fake-clock.js'
import { usualTerms } from '../support/heard-calls.js'
import { eventually } from '../support/service.js'

const muLaw: Media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
const life = (callId: string, media: Media = muLaw): HeardLife => ({
  callId: callId as CallId,
  createdAt: 1,
  details: { media },
  alerts: [],
})
const packet = (sequence: number) => ({
  sequence,
  data: new Uint8Array(160).fill(0xff),
  isRaw: true,
  receivedAt: 1_700_000_000_000 + sequence * 20,
})

describe('the insights of calls', () => {
  test('goes on after the death of its thread, a minute later, and costs nothing until then', async (t) => {
    const clock = new FakeClock()
    const deaths: Error[] = []
    const insights = new CallInsights({
      clock,
      terms: usualTerms,
      channelsMax: 10,
      news: () => {},
      died: (error) => deaths.push(error),
    })
    t.after(() => insights.stop())
    // No call can say this over the interface: the thread fails at once.
    const place = insights.append(life('bad', { ...muLaw, sample_rate: -8000 }), packet(0))
    assert(place > 0)
    insights.committed(place)
    await eventually(
      async () => deaths.length,
      (count) => count === 1,
    )
    assert.equal(insights.channels, 0)
    assert.equal(insights.append(life('good'), packet(0)), 0, 'nobody listens')
    await clock.advance(limits.insightRestMs)
    const again = insights.append(life('good'), packet(1))
    assert(again > 0)
    insights.committed(again)
    const facts = await insights.facts('good' as CallId)
    assert.equal(facts?.voices.length ?? 0, 1)
    assert.equal(insights.deaths, 1)
  })

  test('has a thread only where there is audio, and no more voices than it may', async (t) => {
    const insights = new CallInsights({
      clock: new FakeClock(),
      terms: usualTerms,
      channelsMax: 1,
      news: () => {},
      died: () => assert.fail('it has died'),
    })
    t.after(() => insights.stop())
    const text: Media = { encoding: 'text', sample_rate: 8000, channels: 1 }
    assert.equal(insights.append(life('text', text), packet(0)), 0)
    assert(insights.append(life('one'), packet(0)) > 0)
    assert.equal(insights.append(life('two'), packet(0)), 0)
    assert.equal(insights.isSkipped('two' as CallId), true)
    insights.end('one' as CallId)
    assert.equal(insights.channels, 0)
    assert(insights.append(life('three'), packet(0)) > 0)
  })
})
