/** The real service and a model that refuses to say what a call means: what was said is there all the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand } from '../support/command.js'
import { answer, OpenAiServer, wellBehaved } from '../support/openai-server.js'
import { eventually, get, post, startService } from '../support/service.js'
import { postTone } from '../support/tone-calls.js'

test('words that were heard are read and found whatever becomes of their meaning, which a retry asks for alone', async (t) => {
  // Guards against a transcript of 404 because the chat model refused, timed out or never fitted.
  let refuses = true
  const server = await OpenAiServer.start((request, index) => {
    if (request.file === null && refuses)
      return answer({ choices: [{ message: { content: null, refusal: 'I will not.' } }] })
    return wellBehaved(request, index)
  })
  t.after(() => server.stop())
  const service = await startService(t, {
    settings: {
      ...server.settings,
      DEFAULT_ENCODING: 'pcm_s16le',
    },
  })
  const state = (wanted: string) =>
    eventually(
      () => get(service, '/v1/call/said'),
      ({ body }) => body['state'] === wanted,
    )
  const found = async () => {
    const { body } = await get(service, '/v1/calls?q=second')
    return (body['calls'] as { call_id: string }[]).map(({ call_id }) => call_id)
  }
  await postTone(service, 'said', 3)
  const failed = await state('FAILED')
  const { error, transcription, sentiment, findings } = failed.body['ai'] as Record<string, unknown>
  assert.deepEqual([error, sentiment, findings], ['chat: the model refused', null, 'failed'])
  assert.match(String(transcription), /Second 0\./)
  const words = await get(service, '/v1/call/said/transcript')
  assert.equal(words.status, 200)
  assert.equal((words.body['segments'] as unknown[]).length, 3)
  assert.deepEqual(
    [words.body['findings'], words.body['findings_error'], words.body['sentiment']],
    ['failed', 'chat: the model refused', null],
  )
  assert.deepEqual(await found(), ['said'])

  refuses = false
  const heard = server.requests.filter(({ file }) => file !== null).length
  assert.equal((await post(service, '/v1/call/retry/said', '')).status, 202)
  await state('ARCHIVED')
  assert.equal(server.requests.filter(({ file }) => file !== null).length, heard, 'nothing is heard again')
  assert.equal(
    server.requests.filter(({ file }) => file === null).length,
    2,
    'the findings are asked for once more',
  )
  const whole = await get(service, '/v1/call/said/transcript')
  assert.deepEqual([whole.body['findings'], whole.body['sentiment']], ['done', 'positive'])
  assert.deepEqual(await found(), ['said'])

  service.kill('SIGTERM')
  await service.exited
  const verified = await runCommand(['verify', '--data-dir', service.dataDir])
  assert.equal(verified.code, 0, verified.out.toString())
})

const ended = (service: { readonly url: string }, callId: string, wanted: string) =>
  eventually(
    () => get(service, `/v1/call/${callId}`),
    ({ body }) => body['state'] === wanted,
  )
const analysisOf = (body: Record<string, unknown>) => body['ai'] as Record<string, unknown>
const pieceSettings = { DEFAULT_ENCODING: 'pcm_s16le', AI_PIECE_MS: 60_000, AI_BACKOFF_BASE_MS: 100 }

for (const [how, refusal] of [
  ['refused', answer({ error: { message: 'This piece?', code: 'content_filter' } }, 400)],
  ['never answered', answer({ error: {} }, 500)],
] as const)
  test(`a call of which a piece was ${how} has the words of the others, and a retry pays for that piece alone`, async (t) => {
    // Guards against an hour of words that nobody can read because of the one minute that a server refuses.
    let refuses = true
    const server = await OpenAiServer.start((request, index) => {
      // The requests come one after the other, the second piece's in second place.
      const isMeant = how === 'refused' ? index === 1 : index >= 1
      return refuses && isMeant && request.file !== null ? refusal : wellBehaved(request, index)
    })
    t.after(() => server.stop())
    const settings = { ...server.settings, ...pieceSettings, AI_BREAKER_FAILURES: 0 }
    const service = await startService(t, { settings })
    await postTone(service, 'partly', 200)
    const failed = analysisOf((await ended(service, 'partly', 'FAILED')).body)
    assert.deepEqual([failed['findings'], failed['incomplete'], failed['sentiment']], ['failed', true, null])
    assert.match(String(failed['error']), /^transcription: [45]00/)
    const { status, body } = await get(service, '/v1/call/partly/transcript')
    assert.equal(status, 200)
    const unheard = body['unheard'] as { channel: number; start: number; end: number }[]
    const segments = body['segments'] as { start: number }[]
    assert.equal(unheard.length, 1)
    const [{ start, end } = { start: 0, end: 0 }] = unheard
    assert(start > 30 && end <= 200 && end > start + 30, `${start}–${end}`)
    assert(segments.length > 20 && segments.every((segment) => segment.start < start || segment.start >= end))
    assert.equal(
      segments.some((segment) => segment.start >= end),
      how === 'refused',
    )
    const lines = await fetch(`${service.url}/v1/call/partly/transcript?format=text`)
    assert.match(await lines.text(), /Channel 0: \[not transcribed\]/)
    const { body: found } = await get(service, '/v1/calls?q=second')
    assert.equal((found['calls'] as unknown[]).length, 1)

    refuses = false
    const before = server.requests.length
    assert.equal((await post(service, '/v1/call/retry/partly', '')).status, 202)
    const whole = analysisOf((await ended(service, 'partly', 'ARCHIVED')).body)
    assert.deepEqual([whole['findings'], whole['incomplete'], whole['error']], ['done', undefined, null])
    const paid = server.requests
      .slice(before)
      .flatMap(({ file }) => (file === null ? [] : [file.length - 44]))
    const rest = how === 'refused' ? end - start : 200 - start
    assert.equal(
      paid.reduce((sum, bytes) => sum + bytes, 0),
      rest * 16_000,
    )
    const again = await get(service, '/v1/call/partly/transcript')
    assert.equal(again.body['unheard'], undefined)
    // The server hears whole seconds of each piece.
    assert((again.body['segments'] as unknown[]).length >= 197)
  })

test('words of a call that waits for a model which is down are read and found meanwhile, also after a restart', async (t) => {
  // Guards against words of days that nobody can read while the chat server is away.
  let isDown = true
  const server = await OpenAiServer.start((request, index) =>
    request.file === null && isDown ? answer({ error: {} }, 503) : wellBehaved(request, index),
  )
  t.after(() => server.stop())
  const settings = { ...server.settings, ...pieceSettings, AI_BREAKER_FAILURES: 1 }
  let service = await startService(t, { settings })
  await postTone(service, 'waits', 3)
  const words = () =>
    eventually(
      () => get(service, '/v1/call/waits/transcript'),
      ({ status }) => status === 200,
    )
  const seen = async () => {
    const { body } = await words()
    const { body: view } = await get(service, '/v1/call/waits')
    const { body: found } = await get(service, '/v1/calls?q=second')
    assert.deepEqual([body['findings'], body['findings_error']], ['pending', 'chat: 503'])
    assert.equal((body['segments'] as unknown[]).length, 3)
    assert.deepEqual([view['state'], analysisOf(view)['findings']], ['PROCESSING_AI', 'pending'])
    assert.equal((found['calls'] as unknown[]).length, 1)
  }
  await seen()
  service.kill('SIGKILL')
  await service.exited
  service = await startService(t, { dataDir: service.dataDir, settings })
  await seen()
  isDown = false
  const view = await ended(service, 'waits', 'ARCHIVED')
  assert.equal(analysisOf(view.body)['findings'], 'done')
  assert.equal(server.requests.filter(({ file }) => file !== null).length, 1, 'it is heard once')
  service.kill('SIGTERM')
  await service.exited
  const verified = await runCommand(['verify', '--data-dir', service.dataDir])
  assert.equal(verified.code, 0, verified.out.toString())
})

test('a server that refuses every piece is asked for three of them', async (t) => {
  const server = await OpenAiServer.start(() => answer({ error: { message: 'no' } }, 400))
  t.after(() => server.stop())
  const service = await startService(t, { settings: { ...server.settings, ...pieceSettings } })
  await postTone(service, 'none', 380)
  const view = await ended(service, 'none', 'FAILED')
  assert.deepEqual([analysisOf(view.body)['transcription'], server.requests.length], [null, 3])
  assert.equal((await get(service, '/v1/call/none/transcript')).status, 404)
})
