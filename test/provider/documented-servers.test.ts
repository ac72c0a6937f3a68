/**
 * docs/ai.md gives configuration lines for each kind of server. Guards against lines that the service refuses, or with which it asks a path,
 * a model or a form that this kind of server does not know.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import { createProvider } from '../../src/composition/provider.js'
import { type Config, readConfig } from '../../src/config/config.js'
import { never, requestFor, tone } from '../analysis/providers/openai/openai-run.js'
import {
  answer,
  chatAnswer,
  findings,
  OpenAiServer,
  type ReceivedRequest,
  type Reply,
  type Script,
  wellBehaved,
} from '../support/openai-server.js'

const document = readFileSync('docs/ai.md', 'utf8')
const blocks = new Map(
  [...document.matchAll(/^### (.+)\n[^#]*?```env\n([^`]*)```/gm)].map(([, name = '', lines = '']) => [
    name,
    lines,
  ]),
)

const asked = (request: ReceivedRequest) =>
  JSON.parse(request.body.toString()) as { model: string; response_format?: { type: string } }
const segment = {
  start: 0,
  end: 1,
  text: ' Hello.',
  avg_logprob: -0.2,
  compression_ratio: 1,
  no_speech_prob: 0,
}

/** Knows no schema, as many models behind a gateway. */
const withoutSchemas = (request: ReceivedRequest, message: string): Reply =>
  asked(request).response_format?.type === 'json_schema'
    ? answer({ error: { message } }, 400)
    : chatAnswer(findings)

interface Kind {
  readonly paths: readonly [transcription: string, chat: string]
  readonly script: Script
  /** Of the transcript. */
  readonly text: string
  readonly attempts?: number
}

const kinds: Readonly<Record<string, Kind>> = {
  OpenAI: {
    paths: ['/v1/audio/transcriptions', '/v1/chat/completions'],
    text: 'Second 0.',
    script: (request, index) => {
      if (request.file !== null) return wellBehaved(request, index)
      const { response_format: format } = asked(request)
      return format?.type === 'json_schema' ? chatAnswer(findings) : answer({}, 400)
    },
  },
  Groq: {
    paths: ['/openai/v1/audio/transcriptions', '/openai/v1/chat/completions'],
    text: 'Hello.',
    script: (request) =>
      request.file === null
        ? withoutSchemas(request, 'This model does not support response format `json_schema`')
        : answer({ text: ' Hello.', segments: [segment], x_groq: { id: 'req_1' } }),
  },
  'speaches (faster-whisper)': {
    paths: ['/v1/audio/transcriptions', '/v1/chat/completions'],
    text: 'Hello.',
    script: (request) => {
      if (request.file === null) return chatAnswer(`\`\`\`json\n${JSON.stringify(findings)}\n\`\`\``)
      if (!request.fields.has('timestamp_granularities[]')) return answer('Internal Server Error', 500)
      return answer({ task: 'transcribe', duration: 1, text: 'Hello.', segments: [segment], words: null })
    },
  },
  'whisper.cpp and llama.cpp': {
    paths: ['/v1/audio/transcriptions', '/v1/chat/completions'],
    text: 'Hello.',
    script: (request) => {
      if (request.file === null)
        return withoutSchemas(request, 'Either "json_schema" or "grammar" can be specified')
      if (request.file.toString('latin1', 0, 4) !== 'RIFF')
        return answer({ error: 'failed to read WAV' }, 400)
      return answer({ task: 'transcribe', text: ' Hello.\n', segments: [{ id: 0, ...segment, tokens: [1] }] })
    },
  },
  vLLM: {
    paths: ['/v1/audio/transcriptions', '/v1/chat/completions'],
    text: 'Hello.',
    script: (request) =>
      request.file === null
        ? chatAnswer(findings)
        : answer({
            duration: '1.0',
            text: ' Hello.',
            segments: [{ ...segment, start: '0', end: '1', avg_logprob: -1, compression_ratio: -1 }],
          }),
  },
  LocalAI: {
    paths: ['/v1/audio/transcriptions', '/v1/chat/completions'],
    text: 'Hello.',
    script: (request) =>
      request.file === null ? chatAnswer(findings) : answer({ segments: null, text: 'Hello.' }),
  },
  'LiteLLM and OpenRouter': {
    paths: ['/v1/audio/transcriptions', '/api/v1/chat/completions'],
    text: 'Hello.',
    // OpenRouter tells some errors with 200.
    attempts: 2,
    script: (request, index) =>
      request.file !== null
        ? answer({ text: 'Hello.', usage: { type: 'duration', seconds: 1 } })
        : index === 1
          ? answer({ error: { code: 502, message: 'Provider returned error' } })
          : chatAnswer(findings),
  },
}

/** The documented settings, but for the host. */
async function startKind(t: TestContext, lines: string, script: Script) {
  const server = await OpenAiServer.start(script)
  const config = readConfig({ args: [], environment: {}, dotEnv: lines })
  createProvider(config).close?.()
  const moved = (url: string) =>
    url === '' ? '' : `${new URL(server.baseUrl).origin}${new URL(url).pathname}`
  const provider = createProvider({
    ...config,
    AI_BASE_URL: moved(config.AI_BASE_URL),
    AI_CHAT_BASE_URL: moved(config.AI_CHAT_BASE_URL),
  })
  t.after(async () => {
    provider.close?.()
    await server.stop()
  })
  return { server, config, provider }
}

const bearer = (key: string) => (key === '' ? undefined : `Bearer ${key}`)

function assertAsked(server: OpenAiServer, config: Config, [transcription, chat]: Kind['paths']): void {
  const hasChatServer = config.AI_CHAT_BASE_URL !== ''
  for (const request of server.requests) {
    const isChat = request.file === null
    assert.equal(request.path, isChat ? chat : transcription)
    const model = isChat ? asked(request).model : request.fields.get('model')
    assert.equal(model, isChat ? config.AI_CHAT_MODEL : config.AI_TRANSCRIPTION_MODEL)
    const key = isChat && hasChatServer ? config.AI_CHAT_API_KEY : config.AI_API_KEY
    assert.equal(request.headers.authorization, bearer(key), 'its own key, and no other’s')
  }
}

describe('docs/ai.md', () => {
  test('has lines for every kind of server that is played here, and for no other', () => {
    assert.deepEqual([...blocks.keys()], Object.keys(kinds))
  })

  for (const [name, { paths, script, text, attempts = 1 }] of Object.entries(kinds))
    test(`has lines for ${name} with which a call is analysed`, async (t) => {
      const { server, config, provider } = await startKind(t, blocks.get(name) ?? '', script)
      const call = requestFor({ packets: tone(1) })
      for (let attempt = 1; attempt < attempts; attempt++)
        await assert.rejects(provider.analyse(call, never()))
      const result = await provider.analyse({ ...call, attempt: attempts }, never())
      assert.equal(result.transcription, text)
      assert.deepEqual([result.sentiment, result.summary], [findings.sentiment, findings.summary])
      assert.equal(result.transcript?.segments[0]?.coverage, 1)
      assert(server.requests.length >= 2)
      assertAsked(server, config, paths)
      assert(config.AI_ATTEMPT_TIMEOUT_MS < config.AI_BUDGET_MS)
    })
})
