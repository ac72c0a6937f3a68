/** Tokens are exchanged while the service runs. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bearer } from '../support/credentials.js'
import { supervisorHandshake } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { exchangeRaw } from '../support/raw-connection.js'
import { eventually, logged, packet, startService, temporaryFolder } from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const old = 'old-supervisor-token-canary'
const fresh = 'new-supervisor-token-canary'
const pbx = 'pbx-token-canary-0000000'

test('SIGHUP takes new tokens in and closes the sockets of those that are gone, within 5 s, with 4401', async (t) => {
  const path = join(temporaryFolder(t), 'tokens')
  const write = (lines: readonly string[]) => writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
  write([`ingest ${pbx} pbx`, `supervisor ${old} old`])
  const service = await startService(t, { settings: { TOKENS_FILE: path, AUTH_FAILURES_PER_MIN: 0 } })
  const client = new HttpClient(t, service)
  const status = async (token: string) => (await client.send('GET', '/v1/calls', bearer(token))).status
  const reloaded = (count: number) =>
    eventually(
      async () => service.log.filter(({ msg }) => /the tokens /.test(String(msg))),
      (lines) => lines.length === count,
    )
  assert.deepEqual([await status(old), await status(fresh)], [200, 401])

  write([`ingest ${pbx} pbx`, `supervisor ${old} old`, `supervisor ${fresh} new`])
  service.kill('SIGHUP')
  await reloaded(1)
  assert.deepEqual([await status(old), await status(fresh)], [200, 200])
  const leaving = await SupervisorClient.connect(t, service, bearer(old))
  const staying = await SupervisorClient.connect(t, service, bearer(fresh))
  const issued = await client.post('/v1/supervisor/ticket', '', bearer(old))

  // A file that became bad, or readable for others, changes nothing.
  write(['supervisor short'])
  service.kill('SIGHUP')
  await reloaded(2)
  write([`supervisor ${fresh} new`])
  chmodSync(path, 0o644)
  service.kill('SIGHUP')
  await reloaded(3)
  assert.deepEqual([await status(old), await status(fresh)], [200, 200])
  const refused = await logged(service, ({ msg }) => /could not be reloaded/.test(String(msg)), 2)
  assert.deepEqual(
    refused.map(({ reason, err }) => [typeof reason, err]),
    Array(2).fill(['string', undefined]),
    'a line says why, and no stack',
  )

  chmodSync(path, 0o600)
  write([`ingest ${pbx} pbx`, `supervisor ${fresh} new`])
  // The reload itself closes it, and no timer: the bound is for a socket that stays.
  const closed = once(leaving.socket, 'close', { signal: AbortSignal.timeout(30_000) })
  service.kill('SIGHUP')
  const [code] = await closed
  assert.equal(code, 4401)
  assert.deepEqual([await status(old), await status(fresh)], [401, 200])
  assert.equal(issued.status, 200)
  // Raw, because an HTTP client tells nothing of a 101.
  const late = await exchangeRaw(
    service,
    supervisorHandshake(`?ticket=${issued.body['ticket']}`, ['Origin: http://localhost']),
  )
  assert.equal(late.answers[0]?.status, 401, 'a ticket dies with its token')

  await client.post('/v1/call/stream/after', packet(0), bearer(pbx))
  await staying.until(() => staying.of('after').length === 1)
  assert(!JSON.stringify(service.log).includes('canary'))
})

test('SIGHUP gives nobody more: sockets and requests of a token count on', async (t) => {
  // Guards against counts that hang on what a reload makes anew.
  const path = join(temporaryFolder(t), 'tokens')
  writeFileSync(path, `supervisor ${old} old\nsupervisor ${fresh} new\n`, { mode: 0o600 })
  const perSecond = 30
  const settings = {
    TOKENS_FILE: path,
    SOCKETS_PER_CREDENTIAL_MAX: 1,
    SOCKETS_PER_ADDRESS_MAX: 10,
    RATE_LIMIT_READS_PER_S: perSecond,
  }
  const service = await startService(t, { settings })
  const client = new HttpClient(t, service)
  const handshake = async (token: string) => {
    const lines = [`Authorization: Bearer ${token}`]
    return (await exchangeRaw(service, supervisorHandshake('', lines))).answers[0]?.status
  }
  const readsOf = async (token: string) => {
    const asked = Array.from({ length: 2 * perSecond }, () => client.send('GET', '/v1/calls', bearer(token)))
    return (await Promise.all(asked)).filter(({ status }) => status === 200).length
  }
  await SupervisorClient.connect(t, service, bearer(old))
  assert.equal(await handshake(old), 429)
  const startedAt = performance.now()
  const before = await readsOf(fresh)

  service.kill('SIGHUP')
  await eventually(
    async () => service.log.filter(({ msg }) => /the tokens /.test(String(msg))),
    (lines) => lines.length === 1,
  )
  const after = await readsOf(fresh)
  const seconds = (performance.now() - startedAt) / 1000
  assert(before >= perSecond, 'the burst was used up before')
  assert(before + after <= perSecond * (1 + seconds) + 1, `${before} and ${after} reads in ${seconds} s`)
  assert.equal(await handshake(old), 429, 'the socket is still open, and counts')
})

test('SIGHUP does not end a service that has no tokens file', async (t) => {
  const service = await startService(t)
  service.kill('SIGHUP')
  await eventually(
    async () => service.log.filter(({ msg }) => /the tokens /.test(String(msg))),
    (lines) => lines.length === 1,
  )
  assert.equal((await new HttpClient(t, service).get('/v1/calls')).status, 200)
})
