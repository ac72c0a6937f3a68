/** P23 for an AI provider: no key, and nothing that a server says, in the log, the metrics or the answers of the service. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, chatAnswer, OpenAiServer, type Reply } from '../support/openai-server.js'
import { eventually, get, getText, startService } from '../support/service.js'
import { postTone } from '../support/tone-calls.js'

const canary = 'CANARY7d41'
const key = `${canary}-key-of-the-provider`

/** Servers quote what they were sent, and proxies what they were told. */
const saying: readonly Reply[] = [
  answer({ error: { message: `Incorrect API key: ${key}`, code: `${canary} ${key}`, type: key } }, 401),
  answer(`<html>${canary}</html>`, 502, { 'X-Request-Id': canary, 'Retry-After': canary }),
  answer({ error: { message: canary, type: 'insufficient_quota', code: canary, param: canary } }, 429),
  answer(`{"text": "${canary}`),
  answer(`${canary} is no JSON, { at all`, 500),
  answer('', 307, { Location: `http://${canary}.example/` }),
  chatAnswer(`${canary} {"sentiment": "${canary}"}`),
]

test('the log, the metrics and the views hold neither the key nor what a provider said of a failure', async (t) => {
  const server = await OpenAiServer.start((request, index) => {
    const reply = saying[index % saying.length] as Reply
    return request.file === null ? reply : index % 5 === 0 ? answer({ text: 'Hello.' }) : reply
  })
  t.after(() => server.stop())
  const service = await startService(t, {
    settings: {
      ...server.settings,
      AI_API_KEY: key,
      AI_BACKOFF_BASE_MS: 10,
      AI_BREAKER_FAILURES: 2,
      AI_BREAKER_PROBE_MS: 20,
      DEFAULT_ENCODING: 'pcm_s16le',
      LOG_LEVEL: 'debug',
    },
  })
  const ids = Array.from({ length: 12 }, (_, n) => `call-${n}`)
  for (const id of ids) await postTone(service, id, 1)
  await eventually(
    async () => server.requests.length,
    (count) => count >= 4 * saying.length,
    30_000,
  )
  const views = await Promise.all(
    ids.map(async (id) => JSON.stringify((await get(service, `/v1/call/${id}`)).body)),
  )
  const metrics = await getText(service, '/metrics')
  service.kill('SIGTERM')
  await service.exited

  assert(
    server.requests.every(({ headers }) => headers.authorization === `Bearer ${key}`),
    'it was sent',
  )
  const log = service.log.map((entry) => JSON.stringify(entry))
  assert(
    log.some((line) => /the AI provider (?:is down|refuses)/.test(line)),
    'the breaker told its reason',
  )
  assert(log.some((line) => /"AI_API_KEY":"set"/.test(line)))
  assert(
    views.some((view) => /"error":"\w+: \d{3}/.test(view)),
    'calls say what they met',
  )
  for (const text of [...log, ...service.errors, ...views, metrics])
    assert(!text.toLowerCase().includes(canary.toLowerCase()), text.slice(0, 400))
})
