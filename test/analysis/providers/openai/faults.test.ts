/** How an OpenAI-shaped server fails, and what that means for the call: try again, give up, or wait for people. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Compile } from 'typebox/compile'
import { AccountRefused, ProviderRejected, ProviderUnavailable } from '../../../../src/analysis/provider.js'
import { readTranscription } from '../../../../src/analysis/providers/openai/heard.js'
import { limits } from '../../../../src/limits.js'
import { AnalysisResult } from '../../../../src/protocol/analysis.js'
import { answer, chatAnswer, findings, type Reply, wellBehaved } from '../../../support/openai-server.js'
import { never, requestFor, startBench, tone } from './openai-run.js'

const secret = 'What the caller said, word for word'
const error = (status: number, members: object, headers: Record<string, string> = {}): Reply =>
  answer({ error: { message: secret, param: null, ...members } }, status, headers)

type Kind = 'again' | 'never' | 'people'

/** Rows of the table of statuses, and ways to fail that have none. */
const failures: readonly (readonly [name: string, reply: Reply, kind: Kind, retryAfterMs?: number])[] = [
  ['400', error(400, { type: 'invalid_request_error', code: null }), 'never'],
  ['401', error(401, { code: 'invalid_api_key' }), 'people'],
  ['403', error(403, {}), 'people'],
  ['404', answer({ detail: secret }, 404), 'people'],
  ['413 of a piece that cannot be halved', answer(secret, 413), 'never'],
  ['415', answer(secret, 415), 'never'],
  ['422', answer({ detail: [{ msg: secret }] }, 422), 'never'],
  ['408', answer(secret, 408), 'again'],
  ['409', answer(secret, 409), 'again'],
  [
    '429 rate_limit_exceeded',
    error(429, { code: 'rate_limit_exceeded' }, { 'Retry-After': '7' }),
    'again',
    7000,
  ],
  [
    '429 with milliseconds',
    error(429, { code: 'slow_down' }, { 'Retry-After-Ms': '1500', 'Retry-After': '9' }),
    'again',
    1500,
  ],
  ['429 for an hour', error(429, {}, { 'Retry-After': '3600' }), 'again', 60_000],
  [
    '429 until a date',
    answer('', 429, {
      Date: 'Sun, 22 Nov 2026 10:00:00 GMT',
      'Retry-After': 'Sun, 22 Nov 2026 10:00:30 GMT',
    }),
    'again',
    30_000,
  ],
  [
    '429 insufficient_quota',
    error(429, { type: 'insufficient_quota', code: 'credit_balance_exhausted' }),
    'people',
  ],
  ['429 project_spend_limit_exceeded', error(429, { code: 'project_spend_limit_exceeded' }), 'people'],
  ['500', answer(secret, 500), 'again'],
  ['502 of a proxy', answer('<html>Bad gateway</html>', 502), 'again'],
  ['503 server_is_overloaded', error(503, { code: 'server_is_overloaded' }), 'again'],
  ['504', answer(secret, 504), 'again'],
  ['500 that asks not to', answer(secret, 500, { 'X-Should-Retry': 'false' }), 'never'],
  ['400 that asks to', answer(secret, 400, { 'X-Should-Retry': 'true' }), 'again'],
  ['a redirect', answer('', 307, { Location: 'http://127.0.0.1:1/elsewhere' }), 'people'],
  ['200 with an error', answer({ error: { message: secret } }), 'again'],
  ['200 without a text', answer({ segments: [] }), 'again'],
  ['200 with half an object', answer('{"text": "half', 200), 'again'],
  ['200 with null', answer('null'), 'again'],
  ['200 with a list', answer([{ text: secret }]), 'again'],
  ['200 with a number', answer('7'), 'again'],
  [
    '200 in gzip, which nobody asked for',
    answer(gzipSync('{"text":"x"}'), 200, { 'Content-Encoding': 'gzip' }),
    'again',
  ],
  ['200 with a page', answer('<html>sign in</html>'), 'again'],
  ['an answer past its bound', { kind: 'flood', bytes: limits.providerAnswerBytesMax }, 'again'],
  ['a connection that breaks before the head', { kind: 'reset' }, 'again'],
  ['a connection that breaks within the body', { kind: 'reset', after: '{"text":' }, 'again'],
]

const kinds = { again: ProviderUnavailable, never: ProviderRejected, people: AccountRefused } as const

describe('a server that fails', () => {
  for (const [name, reply, kind, retryAfterMs] of failures)
    test(`with ${name}: ${kind === 'again' ? 'the call tries again' : kind === 'never' ? 'the call gives up' : 'people must look'}`, async (t) => {
      const { server, provider } = await startBench(t, () => reply)
      await assert.rejects(provider.analyse(requestFor({ packets: tone(1) }), never()), (thrown: Error) => {
        assert.ok(thrown instanceof kinds[kind], `${thrown.constructor.name}: ${thrown.message}`)
        if (kind === 'again') assert.ok(!(thrown instanceof AccountRefused))
        if (retryAfterMs !== undefined)
          assert.equal((thrown as ProviderUnavailable).retryAfterMs, retryAfterMs)
        assert.doesNotMatch(`${thrown.message}${thrown.stack}`, /What the caller said|key-of-the-test/)
        return true
      })
      assert.equal(server.requests.length, 1, 'the fault was met, once')
    })

  for (const reply of [{ kind: 'silence' }, { kind: 'stall', body: '{"text":' }] as const)
    test(`with ${reply.kind}: its socket is free once the attempt is over`, async (t) => {
      const { server, provider } = await startBench(t, () => reply)
      const attempt = new AbortController()
      const run = provider.analyse(requestFor({ packets: tone(1) }), attempt.signal)
      const ended = assert.rejects(run, /the deadline/)
      while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
      attempt.abort(new ProviderUnavailable('the deadline'))
      await ended
      while (server.openSockets > 0) await new Promise((resolve) => setImmediate(resolve))
      assert.equal(server.openSockets, 0)
    })

  test('that is not there: the call tries again', async (t) => {
    const { provider } = await startBench(t, wellBehaved, { baseUrl: 'http://127.0.0.1:1/v1' })
    await assert.rejects(
      provider.analyse(requestFor({ packets: tone(1) }), never()),
      (thrown) => thrown instanceof ProviderUnavailable && /ECONNREFUSED/.test(thrown.message),
    )
  })

  for (const baseUrl of [
    'http://169.254.169.254/v1',
    'http://[fe80::1]/v1',
    'http://[::ffff:169.254.169.254]/v1',
  ])
    test(`at ${baseUrl} is never connected to`, async (t) => {
      const { provider } = await startBench(t, wellBehaved, { baseUrl })
      await assert.rejects(
        provider.analyse(requestFor({ packets: tone(1) }), never()),
        (thrown) => thrown instanceof AccountRefused && /link-local/.test(thrown.message),
      )
    })

  test('to find a form for its answer is asked in a simpler one', async (t) => {
    const { server, provider } = await startBench(t, (request) => {
      if (request.file !== null) return wellBehaved(request, 0)
      const { response_format } = JSON.parse(request.body.toString()) as {
        response_format?: { type: string }
      }
      if (response_format?.type === 'json_schema')
        return error(400, { message: 'either json_schema or grammar, not both' })
      if (response_format?.type === 'json_object')
        return error(400, { message: 'response_format is unknown' })
      return chatAnswer(`Certainly! ${JSON.stringify(findings)} Anything else?`)
    })
    const result = await provider.analyse(requestFor({ packets: tone(1) }), never())
    assert.equal(server.requests.length, 4)
    assert.equal(result.summary, findings.summary)
  })

  test('to fit the schema is told once what is wrong', async (t) => {
    const { server, provider } = await startBench(t, (request, index) =>
      request.file !== null
        ? wellBehaved(request, index)
        : chatAnswer(index === 1 ? { ...findings, sentiment: 'splendid' } : findings),
    )
    const result = await provider.analyse(requestFor({ packets: tone(1) }), never())
    assert.equal(result.sentiment, 'positive')
    const repair = JSON.parse(server.requests[2]?.body.toString() ?? '') as {
      messages: { content: string }[]
    }
    assert.match(repair.messages.at(-1)?.content ?? '', /does not fit: \/sentiment/)
  })

  test('to fit the schema twice has failed the call', async (t) => {
    const { provider } = await startBench(t, (request, index) =>
      request.file !== null ? wellBehaved(request, index) : chatAnswer('no'),
    )
    await assert.rejects(
      provider.analyse(requestFor({ packets: tone(1) }), never()),
      (thrown) => thrown instanceof ProviderRejected && /^schema/.test(thrown.message),
    )
  })

  test('to find audio in a call is not blamed: the call is', async (t) => {
    const { server, provider } = await startBench(t)
    await assert.rejects(
      provider.analyse(requestFor({ packets: ['audio_chunk_0'] }), never()),
      (thrown) =>
        thrown instanceof ProviderRejected && /packet 0 is not audio: it is not base64/.test(thrown.message),
    )
    assert.equal(server.requests.length, 0)
  })
})

describe('the quirks of servers', () => {
  test('numbers may be strings, and −1 where they are not known (vLLM)', () => {
    const segments = [{ start: '0.5', end: '1.5', text: ' Hello. ', avg_logprob: -1, compression_ratio: -1 }]
    assert.deepEqual(
      readTranscription(
        { text: JSON.stringify({ text: 'Hello.', duration: '2', segments }), headers: {} },
        2,
      ),
      [{ start: 0.5, end: 1.5, text: 'Hello.', confidence: null }],
    )
  })

  test('there may be no segments, or only text', () => {
    const whole = [{ start: 0, end: 3, text: 'Hello.', confidence: null }]
    assert.deepEqual(readTranscription({ text: '{"text":"Hello."}', headers: {} }, 3), whole)
    assert.deepEqual(readTranscription({ text: '{"text":"Hello.","segments":null}', headers: {} }, 3), whole)
    assert.deepEqual(readTranscription({ text: 'Hello.\n', headers: {} }, 3), whole)
    assert.deepEqual(readTranscription({ text: '"Hello."', headers: {} }, 3), whole)
  })

  test('what the server itself holds for silence is not told', () => {
    const segments = [
      {
        start: 0,
        end: 1,
        text: 'Thanks for watching!',
        avg_logprob: -1.4,
        no_speech_prob: 0.9,
        compression_ratio: 1,
      },
      { start: 1, end: 2, text: 'Hello.', avg_logprob: -0.1, no_speech_prob: 0.9, compression_ratio: 1 },
    ]
    assert.deepEqual(
      readTranscription({ text: JSON.stringify({ text: 'x', segments }), headers: {} }, 2).map(
        ({ text }) => text,
      ),
      ['Hello.'],
    )
  })

  test('times never leave their piece, and text never controls a terminal', () => {
    const segments = [{ start: -5, end: 1e30, text: '\u001b[31mred\u0000\u2028' }]
    assert.deepEqual(readTranscription({ text: JSON.stringify({ text: 'x', segments }), headers: {} }, 2), [
      { start: 0, end: 2, text: '[31mred', confidence: null },
    ])
  })

  test('what is said about a call is bounded, and a result after all', async (t) => {
    const long = {
      ...findings,
      score: 7,
      confidence: -3,
      turns: [
        { turn: 0, sentiment: 'negative', score: -1e300 },
        { turn: 99, sentiment: 'negative', score: 0 },
        { turn: -1, sentiment: 'negative', score: 0 },
      ],
      summary: `\u0000${'a'.repeat(9999)}`,
      topics: Array(99).fill('t'.repeat(999)),
      action_items: ['', '\u001b', ...Array(99).fill('x')],
    }
    const { provider } = await startBench(t, (request, index) =>
      request.file === null ? chatAnswer(long) : wellBehaved(request, index),
    )
    const result = await provider.analyse(requestFor({ packets: tone(1) }), never())
    assert(Compile(AnalysisResult).Check(result))
    assert.deepEqual([result.score, result.confidence], [1, 0])
    assert.deepEqual(result.turns, [{ first_segment: 0, last_segment: 0, sentiment: 'negative', score: -1 }])
    assert.equal(result.summary, 'a'.repeat(limits.summaryCharactersMax))
    assert.deepEqual(
      result.topics,
      Array(limits.findingsListedMax).fill('t'.repeat(limits.findingCharactersMax)),
    )
    assert(result.action_items?.every((item) => item === 'x'))
  })
})
