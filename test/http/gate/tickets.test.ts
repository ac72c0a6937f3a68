/** One-use tickets, with which a browser opens the supervisor socket. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { VoiceStreamError } from '../../../src/errors.js'
import { Tickets } from '../../../src/http/gate/tickets.js'
import { limits } from '../../../src/limits.js'
import { bearer, credentialSettings, tokens } from '../../support/credentials.js'
import { HttpClient } from '../../support/http-client.js'
import { suiteService } from '../../support/suite-service.js'

describe('a ticket', () => {
  test('counts once, and only for its 30 s', () => {
    let now = 1000
    const tickets = new Tickets({ now: () => now })
    const ticket = tickets.issue(null)
    assert.equal(ticket.expiresAt, 31_000)
    assert.match(ticket.text, /^[A-Za-z0-9_-]{43}$/, '256 bits')
    assert.notEqual(tickets.redeem(ticket.text), null)
    assert.equal(tickets.redeem(ticket.text), null, 'it is used up')
    const late = tickets.issue(null)
    now = late.expiresAt
    assert.equal(tickets.redeem(late.text), null, 'it is too old')
    assert.equal(tickets.redeem(''), null)
  })

  test('is refused where too many are open, until they are too old', () => {
    let now = 0
    const tickets = new Tickets({ now: () => now })
    for (let i = 0; i < limits.ticketsMax; i++) tickets.issue(null)
    assert.throws(
      () => tickets.issue(null),
      (error) => error instanceof VoiceStreamError && error.code === 'rate_limited',
    )
    assert.equal(tickets.openCount, limits.ticketsMax)
    now = limits.ticketMs
    tickets.issue(null)
    assert.equal(tickets.openCount, 1)
  })
})

describe('a browser', () => {
  const service = suiteService({ settings: { ...credentialSettings, AUTH_FAILURES_PER_MIN: 0 } })
  const suiteClient = (t: TestContext) => new HttpClient(t, service())
  const own = () => `http://127.0.0.1:${service().port}`

  async function issue(t: TestContext, token: string): Promise<string> {
    const { status, body, headers } = await suiteClient(t).post('/v1/supervisor/ticket', '', bearer(token))
    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'no-store')
    const left = Date.parse(String(body['expires_at'])) - Date.now()
    assert(left > 0 && left <= 30_000 + 1000, `${left} ms`)
    return String(body['ticket'])
  }
  /** The status of the handshake: 101 when the socket is open. */
  async function open(query: string, headers: Readonly<Record<string, string>>): Promise<number> {
    const socket = new WebSocket(`ws://127.0.0.1:${service().port}/ws/supervisor${query}`, { headers })
    const status = await Promise.race([
      once(socket, 'open').then(() => 101),
      once(socket, 'unexpected-response').then(([, answer]) => {
        answer.destroy()
        return Number(answer.statusCode)
      }),
    ])
    socket.on('error', () => {})
    socket.terminate()
    return status
  }

  test('opens the socket with a ticket of a supervisor or an administrator, once', async (t) => {
    for (const token of [tokens.supervisor[0], tokens.admin[1]]) {
      const ticket = await issue(t, token)
      assert.equal(await open(`?ticket=${ticket}`, { origin: own() }), 101)
      assert.equal(await open(`?ticket=${ticket}`, { origin: own() }), 401, 'used up')
    }
  })

  test('gets no ticket without a token, or with one of a PBX', async (t) => {
    const client = suiteClient(t)
    assert.equal((await client.post('/v1/supervisor/ticket', '')).status, 401)
    assert.equal((await client.post('/v1/supervisor/ticket', '', bearer(tokens.ingest[0]))).status, 403)
  })

  test('opens nothing with a token, a made-up ticket or none in its address', async () => {
    const origin = own()
    assert.equal(await open(`?ticket=${tokens.supervisor[0]}`, { origin }), 401)
    assert.equal(await open(`?token=${tokens.supervisor[0]}`, { origin }), 401)
    assert.equal(await open(`?ticket=${'x'.repeat(43)}`, { origin }), 401)
    assert.equal(await open('?ticket=', { origin }), 401)
    assert.equal(await open('', { origin }), 401)
  })

  test('uses up no ticket from a page of another origin, nor without any', async (t) => {
    const ticket = await issue(t, tokens.supervisor[0])
    const host = `127.0.0.1:${service().port}`
    for (const origin of [
      'null',
      'http://evil.example',
      `http://evil.example:${service().port}`,
      `http://${host}.evil.example`,
      `https://${host}`,
      'http://127.0.0.1:1',
      'http://127.0.0.1',
      `http://${host}/`,
      'file://',
    ])
      assert.equal(await open(`?ticket=${ticket}`, { origin }), 403, origin)
    assert.equal(await open(`?ticket=${ticket}`, {}), 403, 'no origin')
    assert.equal(await open(`?ticket=${ticket}`, { origin: own() }), 101, 'it is still good')
  })

  test('of no foreign page opens the socket with a header either', async () => {
    assert.equal(await open('', { origin: 'http://evil.example', ...bearer(tokens.supervisor[0]) }), 403)
    assert.equal(await open('', bearer(tokens.supervisor[0])), 101, 'a program has no origin')
  })
})
