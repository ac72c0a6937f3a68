/** Who may do what: every route of the service with every kind of credential. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { bearer, credentialSettings, tokens } from '../../support/credentials.js'
import { type Answer, HttpClient } from '../../support/http-client.js'
import { assertProblem } from '../../support/problems.js'
import { packet } from '../../support/service.js'
import { suiteService } from '../../support/suite-service.js'
import { SupervisorClient } from '../../support/supervisor-client.js'

type Access = 'public' | 'ingest' | 'supervisor' | 'admin'

/** By hand: a route that is opened by mistake must not open here with it. */
const accessOf: Readonly<Record<string, Access>> = {
  'get /': 'public',
  'get /health/live': 'public',
  'get /health/ready': 'public',
  'get /metrics': 'supervisor',
  'get /ws/supervisor': 'public',
  // Their handshakes ask for a token: `media-sockets`.
  'get /v1/media/{dialect}': 'public',
  'get /v1/ari': 'public',
  // Its signature covers the body: `media-proofs`.
  'post /v1/media/twilio/status': 'public',
  'post /v1/supervisor/ticket': 'supervisor',
  'post /v1/call/stream/{call_id}': 'ingest',
  'post /v1/call/start/{call_id}': 'ingest',
  'post /v1/call/complete/{call_id}': 'ingest',
  'post /v1/packets': 'ingest',
  'post /v1/call/retry/{call_id}': 'admin',
  'post /v1/call/{call_id}/alerts/{alert_id}/acknowledge': 'supervisor',
  'get /v1/call/{call_id}': 'supervisor',
  'delete /v1/call/{call_id}': 'admin',
  'get /v1/calls': 'supervisor',
  'get /v1/calls.csv': 'supervisor',
  'get /v1/floor': 'supervisor',
  'get /v1/call/{call_id}/packets': 'supervisor',
  'get /v1/call/{call_id}/gaps': 'supervisor',
  'get /v1/call/{call_id}/audio.wav': 'supervisor',
  'get /v1/call/{call_id}/transcript': 'supervisor',
}
const rolesFor: Readonly<Record<Access, readonly string[]>> = {
  public: ['ingest', 'supervisor', 'admin'],
  ingest: ['ingest'],
  supervisor: ['supervisor', 'admin'],
  admin: ['admin'],
}

interface Operation {
  readonly name: string
  readonly access: Access
  ask(headers: Readonly<Record<string, string>>): Promise<Answer>
}

async function operations(client: HttpClient): Promise<readonly Operation[]> {
  const { body } = await client.get('/openapi.json')
  const found = Object.entries(body['paths'] as Record<string, Record<string, object>>).flatMap(
    ([path, methods]) => Object.keys(methods).map((method) => ({ method, path })),
  )
  return found.map(({ method, path }) => {
    const name = `${method} ${path}`
    const access = accessOf[name]
    assert(access !== undefined, `${name}: this test does not know who may use it`)
    const at = path.replace('{call_id}', 'somebody')
    const type = path === '/v1/packets' ? 'application/x-ndjson' : 'application/json'
    return {
      name,
      access,
      ask: (headers) =>
        method === 'get'
          ? client.send('GET', at, headers)
          : client.send(method.toUpperCase(), at, { 'content-type': type, ...headers }, '{}'),
    }
  })
}

describe('with credentials', () => {
  const service = suiteService({ settings: { ...credentialSettings, AUTH_FAILURES_PER_MIN: 0 } })

  test('a route asks for a token of its role: 401 without one or with an unknown one, 403 for another role', async (t) => {
    const all = await operations(new HttpClient(t, service()))
    assert.deepEqual(all.map(({ name }) => name).sort(), Object.keys(accessOf).sort())
    for (const { name, access, ask } of all) {
      for (const headers of [{}, bearer('no-such-token-at-all-000')]) {
        const answer = await ask(headers)
        if (access === 'public') assert(![401, 403].includes(answer.status), name)
        else {
          assertProblem(answer, 401)
          assert.equal(answer.headers['www-authenticate'], 'Bearer', name)
        }
      }
      for (const [role, ofRole] of Object.entries(tokens))
        for (const token of ofRole) {
          const answer = await ask(bearer(token))
          if (!rolesFor[access].includes(role)) assertProblem(answer, 403)
          else assert(![401, 403].includes(answer.status), `${name} as ${role}: ${answer.status}`)
        }
    }
  })

  test('HEAD of a route asks for what GET asks', async (t) => {
    const client = new HttpClient(t, service())
    assert.equal((await client.send('HEAD', '/v1/calls', {})).status, 401)
    assert.equal((await client.send('HEAD', '/v1/calls', bearer(tokens.ingest[0]))).status, 403)
    assert.equal((await client.send('HEAD', '/v1/calls', bearer(tokens.admin[0]))).status, 200)
  })

  test('a refused packet is not stored, and one with a token is', async (t) => {
    const client = new HttpClient(t, service())
    const send = (headers: Record<string, string>) =>
      client.post('/v1/call/stream/guarded', packet(0), headers)
    assert.equal((await send({})).status, 401)
    assert.equal((await send(bearer(tokens.supervisor[0]))).status, 403)
    const read = () => client.send('GET', '/v1/call/guarded', bearer(tokens.supervisor[1]))
    assert.equal((await read()).status, 404)
    assert.equal((await send(bearer(tokens.ingest[1]))).status, 202)
    assert.equal((await read()).body['total_received'], 1)
  })

  test('a token counts only whole, once, and with its scheme', async (t) => {
    const client = new HttpClient(t, service())
    const [token] = tokens.supervisor
    const ask = (authorization: string | readonly string[]) =>
      client.send('GET', '/v1/calls', { authorization })
    for (const header of [
      '',
      'Bearer',
      'Bearer ',
      token,
      `Basic ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token.slice(0, -1)}`,
      `Bearer ${token.toUpperCase()}`,
      `Bearer ${token},${token}`,
      `Bearer ${'x'.repeat(3000)}`,
      'Bearer \u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9',
      [`Bearer ${token}`, `Bearer ${token}`],
    ])
      assert.equal((await ask(header)).status, 401, String(header))
    for (const header of [`Bearer ${token}`, `bearer ${token}`, `Bearer   ${token}`])
      assert.equal((await ask(header)).status, 200, header)
  })

  test('no token is taken from the query', async (t) => {
    const client = new HttpClient(t, service())
    const [token] = tokens.supervisor
    for (const name of ['token', 'access_token', 'ticket', 'authorization'])
      assert.equal((await client.get(`/v1/calls?${name}=${token}`)).status, 401, name)
  })

  test('the documents say what each operation asks for', async (t) => {
    const { body } = await new HttpClient(t, service()).get('/openapi.json')
    const { securitySchemes } = body['components'] as { securitySchemes: Record<string, { scheme: string }> }
    assert.equal(securitySchemes['bearer']?.scheme, 'bearer')
    const paths = body['paths'] as Record<string, Record<string, { security: unknown; responses: object }>>
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { security, responses }] of Object.entries(methods)) {
        const access = accessOf[`${method} ${path}`]
        assert.deepEqual(security, access === 'public' ? [] : [{ bearer: [access] }], path)
        assert.equal('401' in responses && '403' in responses, access !== 'public', path)
      }
  })
})

describe('with credentials of one role only', () => {
  const service = suiteService({ settings: { INGEST_TOKENS: tokens.ingest[0] } })

  test('the other roles’ routes are closed, not open', async (t) => {
    const client = new HttpClient(t, service())
    for (const path of ['/v1/calls', '/v1/call/x', '/metrics']) {
      assert.equal((await client.get(path)).status, 401, path)
      assert.equal((await client.send('GET', path, bearer(tokens.ingest[0]))).status, 403, path)
      assert.equal((await client.send('GET', path, bearer(tokens.admin[0]))).status, 401, path)
    }
  })
})

describe('METRICS_PUBLIC', () => {
  const service = suiteService({ settings: { ...credentialSettings, METRICS_PUBLIC: 'true' } })

  test('opens /metrics and nothing else', async (t) => {
    const client = new HttpClient(t, service())
    assert.equal((await client.get('/metrics')).status, 200)
    assert.equal((await client.get('/v1/calls')).status, 401)
  })
})

describe('without credentials', () => {
  const service = suiteService()

  test('on a loopback address everything is open', async (t) => {
    for (const { name, ask } of await operations(new HttpClient(t, service())))
      assert(![401, 403].includes((await ask({})).status), name)
  })
})

describe('the supervisor socket', () => {
  const service = suiteService({ settings: { ...credentialSettings, AUTH_FAILURES_PER_MIN: 0 } })
  const refused = async (headers: Readonly<Record<string, string>>) => {
    const socket = new WebSocket(`ws://127.0.0.1:${service().port}/ws/supervisor`, { headers })
    const [, answer] = await once(socket, 'unexpected-response', { signal: AbortSignal.timeout(5000) })
    answer.destroy()
    return answer.statusCode as number
  }

  test('opens for a supervisor and an administrator, and for nobody else', async (t) => {
    assert.equal(await refused({}), 401)
    assert.equal(await refused(bearer('no-such-token-at-all-000')), 401)
    assert.equal(await refused(bearer(tokens.ingest[0])), 403)
    for (const token of [tokens.supervisor[1], tokens.admin[0]])
      await SupervisorClient.connect(t, service(), bearer(token))
  })
})
