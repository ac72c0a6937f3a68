/** Steps of an analysis in the real store: kill -9 repeats none that was kept, and an erasure leaves nothing of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand } from '../support/command.js'
import { found } from '../support/data-files.js'
import { answer, OpenAiServer, type Script, wellBehaved } from '../support/openai-server.js'
import { eventually, get, post, startService } from '../support/service.js'
import { postTone } from '../support/tone-calls.js'

const canary = 'what-was-said-on-this-call'

/** Each piece is heard as the canary; the chat model is down. */
const saying: Script = (request, index) =>
  request.file === null
    ? answer({ error: { message: canary, code: 'server_is_overloaded' } }, 503)
    : index % 3 === 2
      ? answer({ error: { message: canary } }, 500)
      : answer({ text: canary, segments: [{ start: 0, end: 1, text: `${canary} ${index}` }] })

const settings = (server: OpenAiServer) => ({
  AI_PROVIDER: 'openai',
  AI_BASE_URL: server.baseUrl,
  AI_API_KEY: `key-${canary}`,
  AI_TRANSCRIPTION_MODEL: 'whisper-1',
  AI_CHAT_MODEL: 'gpt-4o-mini',
  AI_PIECE_MS: 60_000,
  AI_BACKOFF_BASE_MS: 100,
  AI_BREAKER_FAILURES: 0,
  DEFAULT_ENCODING: 'pcm_s16le',
})

const pieces = (server: OpenAiServer) => server.requests.filter(({ file }) => file !== null).length

test('kill -9 in the middle of a long call costs no piece that was kept', async (t) => {
  // Guards against steps in memory only: a restart in the third hour would pay for all three again.
  const server = await OpenAiServer.start()
  t.after(() => server.stop())
  let isHeld = true
  server.script = (request, index) =>
    isHeld && index >= 3 ? { kind: 'silence' } : wellBehaved(request, index)
  const service = await startService(t, { settings: settings(server) })
  await postTone(service, 'long', 380)
  await eventually(
    async () => server.requests.length,
    (count) => count === 4,
  )
  service.kill('SIGKILL')
  await service.exited
  isHeld = false
  const next = await startService(t, { dataDir: service.dataDir, settings: settings(server) })
  const view = await eventually(
    () => get(next, '/v1/call/long'),
    ({ body }) => body['state'] === 'ARCHIVED',
  )
  const bytes = server.requests.flatMap(({ file }, index) =>
    file === null || index === 3 ? [] : [file.length - 44],
  )
  assert.equal(
    bytes.reduce((sum, size) => sum + size, 0),
    380 * 16_000,
    'every sample was heard once',
  )
  assert.equal((view.body['ai'] as { attempts_total: number }).attempts_total, 2)
  const verified = await runCommand(['verify', '--data-dir', service.dataDir])
  assert.equal(verified.code, 0, verified.out.toString())
})

test('a failed call that is retried pays for nothing twice, and its erasure leaves nothing of it', async (t) => {
  const server = await OpenAiServer.start(saying)
  t.after(() => server.stop())
  const service = await startService(t, { settings: settings(server) })
  await postTone(service, 'victim', 200)
  const state = (wanted: string) =>
    eventually(
      () => get(service, '/v1/call/victim'),
      ({ body }) => body['state'] === wanted,
    )
  const failed = await state('FAILED')
  assert.equal((failed.body['ai'] as { error: string }).error, 'chat: 503 server_is_overloaded')
  const paid = pieces(server)
  assert(paid >= 3)
  assert(found(service.dataDir, [canary]).length > 0, 'the steps are in the files')
  assert.equal(found(service.dataDir, [`key-${canary}`]).length, 0, 'and the key is not')

  await post(service, '/v1/call/retry/victim', {})
  await eventually(
    () => get(service, '/v1/call/victim'),
    ({ body }) => {
      const { redrives } = body['ai'] as { redrives: number }
      return redrives === 1 && body['state'] === 'FAILED'
    },
  )
  assert.equal(pieces(server), paid, 'no piece was asked for again')

  assert.equal((await fetch(`${service.url}/v1/call/victim`, { method: 'DELETE' })).status, 204)
  await eventually(
    async () => found(service.dataDir, [canary]),
    (left) => left.length === 0,
    60_000,
  )
  for (const line of service.log) assert(!JSON.stringify(line).includes(canary), JSON.stringify(line))
})
