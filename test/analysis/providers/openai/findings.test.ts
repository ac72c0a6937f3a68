/**
 * The forms in which models and servers dress what they found, and what none of them may change in its meaning. Guards against a
 * call that is FAILED although the right object is there, and against one that is given a meaning that nobody found.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderRejected, ProviderUnavailable } from '../../../../src/analysis/provider.js'
import { answer, chatAnswer, findings, type Reply } from '../../../support/openai-server.js'
import { never, requestFor, startBench } from './openai-run.js'

const text = JSON.stringify(findings)
const other = JSON.stringify({ ...findings, sentiment: 'negative' })
const message = (members: object, choice: object = {}) =>
  answer({ choices: [{ finish_reason: 'stop', message: { role: 'assistant', ...members }, ...choice }] })
const call = { packets: ['Hello.'], media: { encoding: 'text', sample_rate: 8000, channels: 1 } } as const
const chunk = (delta: object, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ delta, finish_reason }] })}\n\n`
const stream = (body: string) => answer(body, 200, { 'Content-Type': 'text/event-stream' })

const dressed: readonly (readonly [name: string, reply: Reply])[] = [
  ['thoughts with braces', chatAnswer(`<think>It may be {"sentiment": "negative"} or {x}.</think>\n${text}`)],
  ['thoughts that hold an object that fits', chatAnswer(`<think>${other}</think>${text}`)],
  ['thoughts whose beginning the template ate', chatAnswer(`so { it is "good</think>${text}`)],
  ['thoughts that are left open', chatAnswer(`<think>first { then\n${text}`)],
  [
    'harmony channels',
    chatAnswer(`<|channel|>analysis<|message|>{a}<|end|><|channel|>final<|message|>${text}<|return|>`),
  ],
  ['a fence', chatAnswer(`Here it is:\n\`\`\`json\n${text}\n\`\`\`\nAnything {else}?`)],
  [
    'more members than asked',
    chatAnswer({ ...findings, reasoning: 'it was good', language: { code: 'en' } }),
  ],
  ['more members in a turn', chatAnswer({ ...findings, turns: [{ ...findings.turns[0], text: 'Hello.' }] })],
  ['a wrapper', chatAnswer({ findings })],
  ['a wrapper that is no text', message({ content: { findings } })],
  ['itself as a JSON text', chatAnswer(JSON.stringify(text))],
  [
    'no lists, where there is nothing',
    chatAnswer({ ...findings, turns: undefined, topics: undefined, action_items: undefined }),
  ],
  ['a text in place of a list', chatAnswer({ ...findings, topics: 'support', action_items: 'send a mail' })],
  ['a label with a full stop', chatAnswer({ ...findings, sentiment: '**Positive**.' })],
  ['quotes of Python', chatAnswer(text.replaceAll('"', "'"))],
  [
    'an apostrophe in quotes of Python',
    chatAnswer(text.replaceAll('"', "'").replace("'send a mail'", '"Ann\'s mail"')),
  ],
  ['remarks', chatAnswer(text.replace(/^\{/, '{ // what was found\n /* all of it */ '))],
  [
    'arguments that are no text (Ollama)',
    message({ content: '', tool_calls: [{ function: { name: 'findings', arguments: findings } }] }),
  ],
  ['the answer of a completion (llama.cpp)', answer({ content: text, stop: true })],
  ['the answer of Ollama', answer({ response: text, done: true })],
  ['a list of one', chatAnswer(`[${text}]`)],
  ['numbers as texts', chatAnswer({ ...findings, score: '0.5', confidence: '0.9' })],
  [
    'labels in capitals',
    chatAnswer({
      ...findings,
      sentiment: ' Positive',
      turns: [{ ...findings.turns[0], sentiment: 'POSITIVE' }],
    }),
  ],
  ['null for lists', chatAnswer({ ...findings, topics: null, action_items: null, turns: null })],
  ['a comma too many', chatAnswer(text.replace(/\}$/, ',}'))],
  ['line ends within texts', chatAnswer(text.replace('Somebody was', 'Somebody\nwas'))],
  [
    'content in parts',
    message({
      content: [
        { type: 'thinking', thinking: [{ type: 'text', text: other }] },
        { type: 'text', text: text.slice(0, 30) },
        { type: 'text', text: text.slice(30) },
      ],
    }),
  ],
  ['content as an object', message({ content: findings })],
  ['the parsed object beside a null', message({ content: null, parsed: findings })],
  [
    'a call of a tool',
    message({ content: null, tool_calls: [{ function: { name: 'findings', arguments: text } }] }),
  ],
  ['a call of a function', message({ content: null, function_call: { name: 'findings', arguments: text } })],
  ['all of it as reasoning (vLLM)', message({ content: null, reasoning_content: text })],
  ['reasoning beside it', message({ content: text, reasoning_content: other, reasoning: other })],
  ['a refusal that is empty', message({ content: text, refusal: '' })],
  ['the text of a completion', answer({ choices: [{ text }] })],
  [
    'a message without choices (Ollama)',
    answer({ message: { role: 'assistant', content: text }, done: true }),
  ],
  [
    'a stream',
    stream(
      `${chunk({ role: 'assistant' })}${chunk({ content: text.slice(0, 20) })}${chunk({ content: text.slice(20) }, 'stop')}data: [DONE]\n\n`,
    ),
  ],
  ['NaN beside it', answer(`{"choices":[{"message":{"content":${JSON.stringify(text)}},"logprobs":NaN}]}`)],
]

describe('the right object', () => {
  for (const [name, reply] of dressed)
    test(`with ${name} is taken at once`, async (t) => {
      const { server, provider } = await startBench(t, () => reply)
      const result = await provider.analyse(requestFor(call), never())
      assert.deepEqual([result.sentiment, result.score, result.confidence], ['positive', 0.5, 0.9])
      assert.equal(result.summary, findings.summary)
      assert.equal(server.requests.length, 1)
    })

  test('with a number that is none is taken without it', async (t) => {
    const turns = '[{"turn":0,"sentiment":"positive","score":NaN}]'
    const { provider } = await startBench(t, () =>
      chatAnswer(
        text
          .replace('"score":0.5', '"score":NaN')
          .replace('"confidence":0.9', '"confidence":null')
          .replace(/"turns":\[.*?\]/, `"turns":${turns}`),
      ),
    )
    const result = await provider.analyse(requestFor(call), never())
    assert.deepEqual(
      [result.sentiment, result.score, result.confidence, result.turns],
      ['positive', undefined, 0, []],
    )
  })
})

const meant: readonly (readonly [name: string, reply: Reply, requests: number, error: RegExp])[] = [
  ['another label', chatAnswer({ ...findings, sentiment: 'splendid' }), 2, /^schema/],
  ['no sentiment', chatAnswer({ ...findings, sentiment: undefined }), 2, /^schema/],
  ['a score in words', chatAnswer({ ...findings, score: 'high' }), 2, /^schema/],
  [
    'a label of a turn that nobody knows',
    chatAnswer({ ...findings, turns: [{ turn: 0, sentiment: 'ok', score: 0 }] }),
    2,
    /^schema/,
  ],
  ['a list in place of a summary', chatAnswer({ ...findings, summary: ['a'] }), 2, /^schema/],
  ['half an object', chatAnswer(text.slice(0, -20)), 2, /^schema/],
  ['nothing but braces', chatAnswer('{'.repeat(20_000)), 2, /^schema/],
  ['a refusal', message({ content: null, refusal: 'I cannot.' }), 1, /refused/],
  [
    'a refusal beside thoughts',
    message({ content: null, refusal: 'I cannot.', reasoning_content: text }),
    1,
    /refused/,
  ],
  ['a refusal as a part', message({ content: [{ type: 'refusal', refusal: 'I cannot.' }] }), 1, /refused/],
  ['a filter’s end', message({ content: '' }, { finish_reason: 'content_filter' }), 1, /refused/],
  [
    'thoughts that used up its length',
    message({ content: '' }, { finish_reason: 'length' }),
    1,
    /cut off before its content/,
  ],
]

describe('an answer of the chat model', () => {
  for (const [name, reply, requests, error] of meant)
    test(`with ${name} is none, and the call’s`, async (t) => {
      const { server, provider } = await startBench(t, () => reply)
      await assert.rejects(provider.analyse(requestFor(call), never()), (thrown) => {
        assert.ok(thrown instanceof ProviderRejected, String(thrown))
        assert.match(thrown.message, error)
        return true
      })
      assert.equal(server.requests.length, requests)
    })

  for (const [name, reply] of [
    ['no body', answer('', 200, { 'Content-Type': 'application/json' })],
    ['no choices', answer({ choices: [] })],
    ['content of null', message({ content: null })],
    ['a stream that breaks off', stream(chunk({ content: text.slice(0, 20) }))],
    ['an error as an event', stream('data: {"error":{"message":"no","code":503}}\n\n')],
    ['an error of a gateway', answer({ error: { code: 502, message: 'no' } })],
  ] as const)
    test(`with ${name} is a failed attempt`, async (t) => {
      const { server, provider } = await startBench(t, () => reply)
      await assert.rejects(provider.analyse(requestFor(call), never()), (thrown) => {
        assert.ok(thrown instanceof ProviderUnavailable, String(thrown))
        return true
      })
      assert.equal(server.requests.length, 1)
    })
})

describe('what a server does not take', () => {
  type Body = Record<string, unknown>
  const bodyOf = (buffer: Buffer) => JSON.parse(buffer.toString()) as Body
  const says = (status: number, error: unknown) => answer({ error }, status)
  const named: readonly (readonly [
    name: string,
    refuse: (body: Body) => Reply | null,
    without: readonly string[],
  ])[] = [
    [
      'max_tokens, at a deployment (Azure)',
      (body) =>
        'max_tokens' in body
          ? says(400, {
              code: 'unsupported_parameter',
              param: 'max_tokens',
              message:
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            })
          : null,
      ['max_tokens'],
    ],
    [
      'max_tokens, in words',
      (body) =>
        'max_tokens' in body
          ? says(400, {
              message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            })
          : null,
      ['max_tokens'],
    ],
    [
      'temperature and max_tokens',
      (body) =>
        'temperature' in body
          ? says(400, {
              code: 'unsupported_value',
              param: 'temperature',
              message: 'Only the default (1) value is supported.',
            })
          : 'max_tokens' in body
            ? says(400, { param: 'max_tokens' })
            : null,
      ['temperature', 'max_tokens'],
    ],
    [
      'temperature, of LiteLLM',
      (body) =>
        'temperature' in body
          ? says(400, {
              message: "litellm.UnsupportedParamsError: openai does not support parameters: ['temperature']",
              type: 'None',
              code: '400',
            })
          : null,
      ['temperature'],
    ],
    [
      'any bound, of a strict server',
      (body) =>
        'max_tokens' in body
          ? answer({ detail: [{ loc: ['body', 'max_tokens'], msg: 'extra' }] }, 422)
          : 'max_completion_tokens' in body
            ? answer({ detail: [{ loc: ['body', 'max_completion_tokens'], msg: 'extra' }] }, 422)
            : null,
      ['max_tokens', 'max_completion_tokens'],
    ],
    [
      'so many tokens (vLLM)',
      (body) =>
        'max_tokens' in body || 'max_completion_tokens' in body
          ? answer(
              {
                object: 'error',
                message: "'max_tokens' or 'max_completion_tokens' is too large: 8192.",
                code: 400,
              },
              400,
            )
          : null,
      ['max_tokens', 'max_completion_tokens'],
    ],
  ]
  for (const [name, refuse, without] of named)
    test(`${name}: it is asked once more without, and never again with it`, async (t) => {
      const { server, provider } = await startBench(
        t,
        (request) => refuse(bodyOf(request.body)) ?? chatAnswer(findings),
      )
      await provider.analyse(requestFor(call), never())
      const asked = server.requests.length
      assert.equal(asked, 1 + without.length)
      assert.equal(new Set(server.requests.map(({ headers }) => headers['idempotency-key'])).size, asked)
      await provider.analyse(requestFor(call), never())
      assert.equal(server.requests.length, asked + 1)
      const last = bodyOf(server.requests.at(-1)?.body as Buffer)
      for (const parameter of without) assert(!(parameter in last))
      assert.equal(
        'max_completion_tokens' in last,
        without.includes('max_tokens') && !without.includes('max_completion_tokens'),
      )
    })

  for (const [name, reply] of [
    ['Gemma on vLLM', says(400, { message: 'System role not supported' })],
    [
      'Mistral on vLLM',
      answer({ object: 'error', message: 'Only user and assistant roles are supported!', code: 400 }, 400),
    ],
    [
      'llama.cpp',
      says(500, {
        message: 'Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/...',
      }),
    ],
    [
      'Azure',
      says(400, {
        message: "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        param: 'messages[0].role',
      }),
    ],
  ] as const)
    test(`instructions of their own, as ${name}: they stand before what was said from then on`, async (t) => {
      const { server, provider } = await startBench(t, (request) => {
        const { messages } = bodyOf(request.body) as { messages: { role: string; content: string }[] }
        return messages.some(({ role }) => role === 'system') ? reply : chatAnswer(findings)
      })
      assert.equal((await provider.analyse(requestFor(call), never())).sentiment, 'positive')
      assert.equal((await provider.analyse(requestFor(call), never())).sentiment, 'positive')
      assert.equal(server.requests.length, 3)
      const { messages } = bodyOf(server.requests[2]?.body as Buffer) as {
        messages: { role: string; content: string }[]
      }
      assert.deepEqual(
        messages.map(({ role }) => role),
        ['user'],
      )
      assert.match(messages[0]?.content ?? '', /^You analyse a phone call[\s\S]*"turn":0/)
    })

  const forms: readonly (readonly [name: string, reply: Reply])[] = [
    ['400 of llama.cpp', says(400, { message: 'either json_schema or grammar' })],
    ['500 of llama.cpp', says(500, { message: 'Failed to parse grammar' })],
    [
      '404 of OpenRouter',
      says(404, { code: 404, message: 'No endpoints found that support response_format' }),
    ],
    [
      '400 json_validate_failed of Groq',
      says(400, { code: 'json_validate_failed', message: 'Failed to generate JSON' }),
    ],
    ['422 of FastAPI', answer({ detail: [{ loc: ['body', 'response_format', 'type'], msg: 'bad' }] }, 422)],
    [
      '400 that names it apart',
      says(400, { message: 'Invalid value.', param: 'response_format', code: 'unsupported_value' }),
    ],
    ['400 that names a part of it', says(400, { message: 'Invalid value.', param: 'response_format.type' })],
    ['501', says(501, { message: 'structured outputs are not implemented' })],
  ]
  for (const [name, reply] of forms)
    test(`a form of answer, with ${name}: it is asked for a simpler one`, async (t) => {
      const { server, provider } = await startBench(t, (request) =>
        'response_format' in bodyOf(request.body) ? reply : chatAnswer(findings),
      )
      const result = await provider.analyse(requestFor(call), never())
      assert.equal(result.sentiment, 'positive')
      assert.equal(server.requests.length, 3)
    })

  for (const [name, reply] of [
    ['413', answer('too large', 413)],
    ['400 context_length_exceeded', says(400, { code: 'context_length_exceeded', message: 'no' })],
    [
      '400 exceed_context_size_error (llama.cpp)',
      says(400, { type: 'exceed_context_size_error', message: 'no' }),
    ],
    ['400 of vLLM', says(400, { message: "This model's maximum context length is 4096 tokens." })],
  ] as const)
    test(`a call of this length, with ${name}: it is shown less of it`, async (t) => {
      const { server, provider } = await startBench(t, (request) =>
        request.body.length > 20_000 ? reply : chatAnswer(findings),
      )
      const packets = Array.from({ length: 500 }, (_, n) => `Sentence ${n}. ${'word '.repeat(40)}`)
      const result = await provider.analyse(requestFor({ ...call, packets }), never())
      assert.equal(result.sentiment, 'positive')
      assert(server.requests.length > 1 && server.requests.length < 5, `${server.requests.length}`)
    })
})
