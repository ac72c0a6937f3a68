/**
 * The real service with REDACT: a card that is read out over two pieces of a call and an address are in no event, row, search,
 * file, prompt, line of the log or byte of the database, while the analysis waits and after it. Guards against a place that words
 * reach before redaction: the answers of the provider that are kept, above all, each of which has only a part of the number.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallTranscript } from '../../src/protocol/transcript.js'
import { found } from '../support/data-files.js'
import { answer, chatAnswer, findings, OpenAiServer, type ReceivedRequest } from '../support/openai-server.js'
import { get, getText, startService } from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'
import { postTone } from '../support/tone-calls.js'

/** Nothing else on these calls has such words. */
const secrets = ['nine', 'seven', 'eight', 'kowalska', '4929 8372', '6158 0473']

const said: readonly (readonly string[])[] = [
  ['My address is anna dot kowalska at example dot com.', 'My card is four nine two nine'],
  ['eight three seven two six one', 'five eight zero four seven three, thank you.'],
  ['I said 4929 8372 6158 0473 and no more.'],
]

const secondsOf = ({ file }: ReceivedRequest) => ((file?.length ?? 44) - 44) / 16_000

test('what is masked is nowhere to be found', async (t) => {
  /** By the key of a request, so that one which is repeated says the same. */
  const pieces = new Map<unknown, readonly string[]>()
  let chats = 0
  const server = await OpenAiServer.start((request) => {
    // The first time words wait for their meaning, they are stored and found without it.
    if (request.file === null)
      return chats++ === 0 ? answer({ error: { message: 'busy' } }, 503) : chatAnswer(findings)
    const key = request.headers['idempotency-key']
    const texts = pieces.get(key) ?? said[pieces.size] ?? []
    pieces.set(key, texts)
    const seconds = secondsOf(request)
    // Its last one ends with the piece.
    const from = (index: number) => (index === 0 ? 0.5 : seconds - 3)
    const segments = texts.map((text, id) => ({
      id,
      start: from(id),
      end: from(id) + 3,
      text,
      avg_logprob: -0.2,
    }))
    return answer({ duration: seconds, text: texts.join(' '), segments })
  })
  t.after(() => server.stop())
  const service = await startService(t, {
    settings: {
      ...server.settings,
      REDACT: 'card,number,iban,email',
      AI_PIECE_MS: 60_000,
      AI_BACKOFF_BASE_MS: 100,
      AI_BREAKER_FAILURES: 0,
      DEFAULT_ENCODING: 'pcm_s16le',
      LOG_LEVEL: 'debug',
    },
  })
  const supervisor = await SupervisorClient.connect(t, service)
  await postTone(service, 'spoken', 190)
  const state = () => get(service, '/v1/call/spoken')
  await supervisor.until(() => supervisor.of('spoken').some(({ event }) => event === 'ai_completed'), 60_000)
  assert(pieces.size >= said.length, `${pieces.size} pieces`)
  assert(chats >= 2, 'the findings were asked for again')

  const path = '/v1/call/spoken/transcript'
  const { body } = await get(service, path)
  const { segments, transcription } = body as unknown as CallTranscript
  assert.deepEqual(
    segments.map(({ text }) => text),
    [
      'My address is [email].',
      'My card is [number]',
      '[number]',
      '[number], thank you.',
      'I said [number] and no more.',
    ],
  )
  for (const { text, start, end, redactions = [] } of segments) {
    assert.equal(redactions.length, 1)
    for (const { kind, from, to, ...times } of redactions) {
      assert.equal(text.slice(from, to), `[${kind}]`)
      assert.deepEqual(times, { start, end })
    }
  }
  const shown = [
    transcription,
    JSON.stringify(body),
    JSON.stringify((await state()).body),
    JSON.stringify((await get(service, '/v1/calls')).body),
    JSON.stringify(supervisor.events),
    ...(await Promise.all(
      ['vtt', 'srt', 'text'].map((format) => getText(service, `${path}?format=${format}`)),
    )),
    ...server.requests.filter(({ file }) => file === null).map(({ body: prompt }) => prompt.toString()),
  ]
  assert(shown.every((text) => text.includes('[number]') || text.includes('[email]')))
  for (const secret of secrets) {
    for (const text of shown)
      assert(!text.toLowerCase().includes(secret), `${secret} in ${text.slice(0, 500)}`)
    const { body: hits } = await get(service, `/v1/calls?q=${secret}`)
    assert.deepEqual(hits['calls'], [], secret)
  }
  const { body: hits } = await get(service, '/v1/calls?q=thank')
  assert.equal((hits['calls'] as unknown[]).length, 1, 'the other words are found')
  service.kill('SIGTERM')
  await service.exited
  assert.deepEqual(found(service.dataDir, secrets), [])
  assert(found(service.dataDir, ['[number]']).length > 0, 'the masks are in the files')
  for (const line of [...service.log.map((entry) => JSON.stringify(entry)), ...service.errors])
    for (const secret of secrets) assert(!line.includes(secret), line)
})
