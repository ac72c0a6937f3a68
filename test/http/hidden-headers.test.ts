/**
 * uWebSockets.js reads no header behind one without a name. Guards against a check that takes a header that is not there
 * for a good one: what is hidden must count as missing, and what is missing must be refused.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { handshakeLines } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { exchangeRaw } from '../support/raw-connection.js'
import { suiteService } from '../support/suite-service.js'

const nameless = ': x'
const upgrade = ['Host: 127.0.0.1', ...handshakeLines]

const text = (line: string, lines: readonly string[], body = '') =>
  `${[line, ...lines].join('\r\n')}\r\n\r\n${body}`

describe('behind a header without a name', () => {
  const guarded = suiteService({ settings: { ...credentialSettings, AUTH_FAILURES_PER_MIN: 0 } })
  const open = suiteService()

  async function statusOf(service: { readonly port: number }, bytes: string): Promise<number | undefined> {
    return (await exchangeRaw(service, bytes)).answers[0]?.status
  }

  function packetFrom(lines: readonly string[], callId: string): string {
    const body = '{"sequence":0,"data":"x","timestamp":1}'
    const head = ['Content-Type: application/json', `Content-Length: ${body.length}`, ...lines]
    return text(`POST /v1/call/stream/${callId} HTTP/1.1`, head, body)
  }

  test('a token counts as missing, and nothing is stored', async (t) => {
    const authorization = `Authorization: Bearer ${tokens.ingest[0]}`
    const host = 'Host: 127.0.0.1'
    assert.equal(await statusOf(guarded(), packetFrom([host, nameless, authorization], 'hidden')), 401)
    assert.equal(await statusOf(guarded(), packetFrom([host, authorization, nameless], 'seen')), 202)
    const client = new HttpClient(t, guarded())
    const reader = bearer(tokens.supervisor[0])
    assert.equal((await client.send('GET', '/v1/call/hidden', reader)).status, 404)
    assert.equal((await client.send('GET', '/v1/call/seen', reader)).status, 200)
  })

  test('the origin of a ticket counts as missing', async (t) => {
    const client = new HttpClient(t, guarded())
    const ticket = async () => {
      const { body } = await client.post('/v1/supervisor/ticket', '', bearer(tokens.supervisor[0]))
      return `GET /ws/supervisor?ticket=${body['ticket']} HTTP/1.1`
    }
    const origin = `Origin: http://127.0.0.1`
    assert.equal(await statusOf(guarded(), text(await ticket(), [...upgrade, nameless, origin])), 403)
    assert.equal(await statusOf(guarded(), text(await ticket(), [...upgrade, origin, nameless])), 101)
  })

  test('a host counts as missing, and a request wants one', async () => {
    const host = 'Host: 127.0.0.1'
    assert.equal(await statusOf(open(), packetFrom([nameless, host], 'hidden')), 400)
    assert.equal(await statusOf(open(), packetFrom([host, nameless], 'seen')), 202)
  })
})
