/** The real service, and a server that says at once that it will not be back soon. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, OpenAiServer } from '../support/openai-server.js'
import { eventually, get, startService } from '../support/service.js'
import { postTone } from '../support/tone-calls.js'

test('a call that is alone waits for a server that asks for an hour, with the budget of a hosted one', async (t) => {
  // Guards against a Retry-After that is waited for again and again until the attempts are over: the call would be FAILED.
  const server = await OpenAiServer.start()
  t.after(() => server.stop())
  server.script = () => answer({ error: { code: 'maintenance' } }, 503, { 'Retry-After': '3600' })
  const service = await startService(t, {
    settings: {
      ...server.settings,
      AI_BUDGET_MS: 600_000,
      DEFAULT_ENCODING: 'pcm_s16le',
    },
  })
  await postTone(service, 'alone', 2)
  const { body } = await eventually(
    () => get(service, '/v1/call/alone'),
    (view) => (view.body['ai'] as { waiting_for: unknown }).waiting_for === 'provider',
  )
  assert.equal(body['state'], 'PROCESSING_AI')
  const { attempts, attempts_total } = body['ai'] as Record<string, unknown>
  assert.deepEqual([attempts, attempts_total], [0, 1])
  assert.equal(server.requests.length, 1)
})
