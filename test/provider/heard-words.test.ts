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
  const { error, transcription, sentiment } = failed.body['ai'] as Record<string, unknown>
  assert.deepEqual([error, sentiment], ['chat: the model refused', null])
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
  const whole = await get(service, '/v1/call/said/transcript')
  assert.deepEqual([whole.body['findings'], whole.body['sentiment']], [undefined, 'positive'])
  assert.deepEqual(await found(), ['said'])

  service.kill('SIGTERM')
  await service.exited
  const verified = await runCommand(['verify', '--data-dir', service.dataDir])
  assert.equal(verified.code, 0, verified.out.toString())
})
