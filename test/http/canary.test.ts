/**
 * P23: the log, the error answers and the metrics hold no packet data, no transcript and no credential. Everything that
 * comes in carries a canary, on every way in; then all that went out is searched for it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { bearer } from '../support/credentials.js'
import { handshakeKey as key } from '../support/handshake.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { exchangeRaw, rawRequest } from '../support/raw-connection.js'
import { eventually, packet, startService } from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const canary = 'CANARY7d41'
const pbx = `${canary}-ingest-token`
const supervisor = `${canary}-supervisor-token`
const administrator = `${canary}-admin-token`
const stranger = `${canary}-unknown-token`

type Headers = Readonly<Record<string, string>>

/** Requests that are refused, each with canaries wherever it has room for them. */
function refusedRequests(client: HttpClient): readonly Promise<Answer>[] {
  const stream = '/v1/call/stream/canaries'
  const post = (body: unknown, headers: Headers = {}, path = stream) =>
    client.post(path, body, { ...bearer(pbx), ...headers })
  const get = (path: string, headers: Headers = bearer(supervisor)) => client.send('GET', path, headers)
  return [
    post(`{"data": ${canary}`),
    post(`${canary}`),
    post(`{"${canary}": 1, "${canary}": 2}`),
    post({ sequence: canary, data: canary, timestamp: canary }),
    post({ sequence: 1, data: { [canary]: canary }, timestamp: 1, [canary]: canary }),
    post({ sequence: 1, data: canary, timestamp: -1 }),
    post(packet(1, canary.repeat(5000))),
    post(packet(1, canary.repeat(20_000))),
    post(packet(1, canary), { 'content-type': `text/${canary}` }),
    post(packet(1, canary), bearer(stranger)),
    post(packet(1, canary), bearer(supervisor)),
    post(packet(1, canary), { origin: `https://${canary}.example` }),
    post({ total_packets: canary }, {}, '/v1/call/complete/canaries'),
    post(`${canary}\n`, { 'content-type': 'application/json' }, '/v1/packets'),
    get(`/v1/calls?state=${canary}`),
    get(`/v1/calls?cursor=${canary}&token=${supervisor}`),
    get(`/v1/calls?limit=${canary}`),
    get(`/v1/call/canaries/packets?from=${canary}`),
    get(`/${canary}?${canary}=${canary}`),
    get('/v1/calls', { ...bearer(stranger), cookie: canary, 'x-request-id': `${canary} with a space` }),
    get('/v1/calls', { authorization: `Basic ${canary}` }),
    get('/v1/calls', { ...bearer(pbx), 'x-forwarded-for': canary, referer: canary, 'user-agent': canary }),
    get(`/ws/supervisor?ticket=${canary}`),
    client.send('DELETE', `/v1/calls?${canary}`, bearer(administrator)),
  ]
}

/** Bytes that are no whole request, and handshakes that are refused. */
async function refusedBytes(service: { readonly port: number }): Promise<readonly string[]> {
  const handshake = (query: string, lines: readonly string[]) =>
    rawRequest({
      method: 'GET',
      path: `/ws/supervisor${query}`,
      lines: ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', ...lines],
    })
  const body = JSON.stringify(packet(1, canary))
  const all = [
    handshake(`?ticket=${canary}`, [key, `Origin: http://${canary}.example`]),
    handshake(`?ticket=${canary}`, [key, 'Origin: http://localhost']),
    handshake(`?ticket=${canary}`, [key]),
    handshake('', [key, `Authorization: Bearer ${stranger}`]),
    handshake('', [`Sec-WebSocket-Key: ${canary}dGhlIHNhbXBsZS`]),
    rawRequest({ path: `/${canary}`, lines: [`Content-Length: ${canary}`], body }),
    rawRequest({ path: '/v1/packets', lines: [`Transfer-Encoding: ${canary}`], body }),
  ]
  const texts: string[] = []
  for (const bytes of all)
    for (const { status, headers, body: answered } of (await exchangeRaw(service, bytes)).answers) {
      assert(status >= 400, `${status} for ${bytes}`)
      texts.push(answered, JSON.stringify([...headers]))
    }
  return texts
}

test('the log, the error answers and the metrics hold none of what came in', async (t) => {
  const settings = {
    INGEST_TOKENS: pbx,
    SUPERVISOR_TOKENS: supervisor,
    ADMIN_TOKENS: administrator,
    AUTH_FAILURES_PER_MIN: 3,
    LOG_LEVEL: 'debug',
  }
  const service = await startService(t, { settings })
  const client = new HttpClient(t, service)
  const watcher = await SupervisorClient.connect(t, service, bearer(supervisor))
  watcher.socket.send(canary)

  for (let sequence = 0; sequence < 5; sequence++)
    assert.equal(
      (await client.post('/v1/call/stream/kept', packet(sequence, canary), bearer(pbx))).status,
      202,
    )
  // A duplicate with other content is logged.
  await client.post('/v1/call/stream/kept', packet(1, `${canary} otherwise`), bearer(pbx))
  const line = JSON.stringify({ call_id: 'kept', ...packet(5, canary) })
  const ndjson = { ...bearer(pbx), 'content-type': 'application/x-ndjson' }
  const bulk = await client.post('/v1/packets', `${line}\n{"data":"${canary}"\n`, ndjson)
  assert.deepEqual([bulk.body['accepted'], bulk.body['invalid']], [1, 1])
  await client.post('/v1/call/complete/kept', { total_packets: 6 }, bearer(pbx))
  const read = (path: string) => client.send('GET', path, bearer(supervisor))
  const { body } = await eventually(
    () => read('/v1/call/kept'),
    (answer) => answer.body['state'] === 'ARCHIVED',
  )
  const { transcription } = body['ai'] as { transcription: string }
  const { ticket } = (await client.post('/v1/supervisor/ticket', '', bearer(supervisor))).body
  const origin = `http://127.0.0.1:${service.port}`
  const page = new WebSocket(`ws://127.0.0.1:${service.port}/ws/supervisor?ticket=${ticket}`, { origin })
  await once(page, 'open')
  page.terminate()

  const refused = await Promise.all(refusedRequests(client))
  for (const { status, text } of refused) assert(status >= 400, `${status}: ${text}`)
  const answers = refused.flatMap(({ text, headers }) => [text, JSON.stringify(headers)])
  const raw = await refusedBytes(service)
  const { text: metrics } = await read('/metrics')
  service.kill('SIGTERM')
  await service.exited

  assert(watcher.of('kept').length > 5, 'supervisors did see the call')
  const log = [...service.log.map((entry) => JSON.stringify(entry)), ...service.errors]
  const statuses = new Set(service.log.filter(({ msg }) => msg === 'refused').map(({ status }) => status))
  assert.deepEqual([...statuses].sort(), [401, 403, 413, 429], 'each kind of refusal left its line')
  assert(service.log.some(({ msg }) => msg === 'starting'))
  assert(service.log.some(({ msg }) => /a duplicate differs/.test(String(msg))))
  assert(answers.length > 40 && raw.length >= 10 && metrics.length > 1000)
  const secrets = [canary, String(ticket), transcription].map((secret) => secret.toLowerCase())
  for (const secret of secrets) assert(secret.length >= 10, secret)
  for (const text of [...log, ...answers, ...raw, metrics])
    for (const secret of secrets) assert(!text.toLowerCase().includes(secret), text.slice(0, 400))
})
