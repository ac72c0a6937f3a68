/** Without credentials the host says who is asked: one that is not ours is refused, from the first request on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Origins } from '../../src/http/gate/origins.js'
import { exchangeRaw, rawRequest } from '../support/raw-connection.js'
import { suiteService } from '../support/suite-service.js'

const packet = '{"sequence":0,"data":"hidden","timestamp":1}'
const hidden = (callId: string) =>
  rawRequest({ path: `/v1/call/stream/${callId}`, lines: [`Content-Length: ${packet.length}`], body: packet })
const refused = 'Host: rebound.example\r\n\r\n'

describe('a host that the service does not answer to', () => {
  const service = suiteService()
  const state = async (callId: string) => (await fetch(`${service().url}/v1/call/${callId}`)).status

  // Guards against a page whose name leads to loopback: what it sends behind its refusal must not count either.
  test('is refused, and closes its connection', async () => {
    const { answers, isClosedByService } = await exchangeRaw(
      service(),
      `GET /v1/calls HTTP/1.1\r\n${refused}`,
      2,
    )
    assert.deepEqual(
      answers.map(({ status }) => status),
      [403],
    )
    assert.equal(answers[0]?.headers.get('connection'), 'close')
    assert.equal(isClosedByService, true)
  })

  test('lets no request pass that stands behind it, on any route', async () => {
    const routes = [
      'GET /v1/calls',
      'HEAD /v1/calls',
      'GET /',
      'GET /nothing',
      'GET /ws/supervisor',
      'POST /v1/packets',
      'DELETE /v1/call/x',
      'PUT /v1/calls',
    ]
    for (const [index, route] of routes.entries()) {
      const callId = `hidden-${index}`
      // In one write with what stands behind it the connection may end without the answer; nothing else may come.
      const bytes = `${route} HTTP/1.1\r\n${refused}${hidden(callId)}`
      const { answers, isClosedByService } = await exchangeRaw(service(), bytes, 2)
      assert.deepEqual(
        answers.map(({ status }) => status).filter((status) => status !== 403),
        [],
        route,
      )
      assert.equal(isClosedByService, true, route)
      assert.equal(await state(callId), 404, route)
    }
  })
})

describe('a host that nobody can have', () => {
  // The host that was right before is remembered, and before the first one that was nothing: an empty one fitted.
  test('is refused before the first good one, and after it', () => {
    const origins = new Origins({ allowedOrigins: '', allowedHosts: '', ownHost: '127.0.0.1', hasTls: false })
    for (const round of ['before', 'after']) {
      for (const host of ['', ' ', ':80', null]) assert(!origins.isOwnHost(host), `${round}: ${host}`)
      assert(origins.isOwnHost('localhost'))
    }
  })

  const service = suiteService()

  test('is refused as the very first of a service: empty, doubled or none', async () => {
    for (const host of ['Host: ', 'Host: localhost\r\nHost: localhost', 'X-None: 1']) {
      const { answers } = await exchangeRaw(service(), `GET /v1/calls HTTP/1.1\r\n${host}\r\n\r\n`)
      const [answer] = answers
      // uWebSockets.js refuses what has no host at all.
      assert([400, 403].includes(answer?.status ?? 0), `${host}: ${answer?.status}`)
    }
  })
})
