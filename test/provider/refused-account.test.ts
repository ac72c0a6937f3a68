/** The real service with a key that the provider does not take: all calls wait, one asks now and then, and people are told for what. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, OpenAiServer, wellBehaved } from '../support/openai-server.js'
import { eventually, get, getText, logged, startService } from '../support/service.js'
import { postTone } from '../support/tone-calls.js'

test('a key that is refused fails no call, and the log and the metrics say that it is the key', async (t) => {
  // Guards against each call that ends FAILED at once, for as long as the key is wrong, without a line in the log.
  let isRefused = true
  const server = await OpenAiServer.start((request, index) =>
    isRefused
      ? answer({ error: { code: 'invalid_api_key', message: 'no' } }, 401)
      : wellBehaved(request, index),
  )
  t.after(() => server.stop())
  const service = await startService(t, {
    settings: {
      ...server.settings,
      AI_BREAKER_PROBE_MS: 50,
      DEFAULT_ENCODING: 'pcm_s16le',
    },
  })
  const ids = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const id of ids) await postTone(service, id, 1)
  for (const id of ids)
    await eventually(
      () => get(service, `/v1/call/${id}`),
      ({ body }) => (body['ai'] as { waiting_for: unknown }).waiting_for === 'provider',
    )
  await eventually(
    async () => server.requests.length,
    (count) => count >= 4,
  )
  assert(server.requests.length <= 2 * ids.length, `${server.requests.length} requests`)
  const metrics = await getText(service, '/metrics')
  assert.match(metrics, /voicestream_ai_breaker_opens_total\{cause="key"\} 1\n/)
  assert.match(metrics, /voicestream_ai_breaker_opens_total\{cause="quota"\} 0\n/)
  const [line] = await logged(service, ({ kind }) => kind === 'key')
  assert.deepEqual([line?.['level'], line?.['reason']], [50, 'transcription: 401 invalid_api_key'])
  isRefused = false
  for (const id of ids) {
    const { body } = await eventually(
      () => get(service, `/v1/call/${id}`),
      (view) => ['ARCHIVED', 'FAILED'].includes(String(view.body['state'])),
      70_000,
    )
    assert.equal(body['state'], 'ARCHIVED', JSON.stringify(body['ai']))
  }
})
