/** An outage of half an hour in fake time, as an OpenAI-shaped server tells it: all calls end well. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderUnavailable } from '../../src/analysis/provider.js'
import type { ProviderAnswer } from '../../src/analysis/providers/openai/connection.js'
import { OpenAiProvider } from '../../src/analysis/providers/openai/openai-provider.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { callId } from '../support/calls.js'
import { FakeClock } from '../support/fake-clock.js'
import { HeldJournal } from '../support/held-journal.js'
import { findings } from '../support/openai-server.js'

const minute = 60_000
const failuresMax = 10

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): ProviderAnswer => ({
  status,
  headers,
  text: typeof body === 'string' ? body : JSON.stringify(body),
  latencyMs: 1,
  bytesReceived: 1,
})
const good = answer(200, { choices: [{ message: { content: JSON.stringify(findings) } }] })

/** How a server says that it is down. */
const outages: readonly (readonly [name: string, fail: () => ProviderAnswer])[] = [
  ['503 server_is_overloaded', () => answer(503, { error: { code: 'server_is_overloaded' } })],
  ['502 of a proxy', () => answer(502, '<html></html>')],
  ['429 rate_limit_exceeded', () => answer(429, {}, { 'retry-after': '8' })],
  ['429, to be asked again in 20 s', () => answer(429, {}, { 'retry-after': '20' })],
  ['503, to be asked again in half an hour', () => answer(503, '', { 'retry-after': '1800' })],
  [
    '429, to be asked again in 2099',
    () => answer(429, {}, { 'retry-after': 'Thu, 01 Jan 2099 00:00:00 GMT' }),
  ],
  [
    'no connection',
    () => {
      throw new ProviderUnavailable('no answer: ECONNREFUSED')
    },
  ],
  ['insufficient_quota', () => answer(429, { error: { type: 'insufficient_quota' } })],
  ['project_spend_limit_exceeded', () => answer(429, { error: { code: 'project_spend_limit_exceeded' } })],
]

describe('an outage of 30 minutes that the server tells with', () => {
  for (const [name, fail] of outages)
    test(`${name} fails no call`, async (t) => {
      const clock = new FakeClock()
      clock.takeOverTimeouts(t)
      let isDown = false
      let failed = 0
      const keys = new Set<string>()
      const chat = {
        post: async ({ idempotencyKey }: { idempotencyKey: string }) => {
          keys.add(idempotencyKey)
          if (!isDown) return good
          failed++
          return fail()
        },
        close: () => {},
      }
      const provider = new OpenAiProvider(
        { transcription: chat, chat },
        { transcriptionModel: 'w', chatModel: 'c', language: '', pieceTargetMs: 300_000 },
      )
      const calls = new AnalysedCalls(
        (request, signal) => provider.analyse(request, signal),
        64,
        new HeldJournal(),
        clock,
        { failuresMax, ownFailuresMax: 4, probeMs: 1000, shareMs: 12_000 },
      )
      await calls.end(callId('before'))
      await clock.advance(1000)
      isDown = true
      const ids = Array.from({ length: 20 }, (_, n) => callId(`c${n}`))
      for (const id of ids) {
        await calls.end(id)
        await clock.advance(minute)
      }
      await clock.advance(10 * minute)
      for (const id of ids) assert.equal((await calls.view(id))?.ai.waiting_for, 'provider')
      assert.equal(calls.breaker.state, 'open')
      isDown = false
      await clock.advance(2 * minute)
      for (const id of ids) {
        const view = await calls.view(id)
        assert.equal(view?.state, 'ARCHIVED', `${id}: ${view?.ai.error}`)
      }
      assert(failed > 20 && failed < 60, `${failed} requests in half an hour`)
      assert.equal(calls.outages.length, 2)
      calls.deadlines.stop()
      await calls.analyses.stop()
    })
})
