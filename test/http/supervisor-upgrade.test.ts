import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { limits } from '../../src/limits.js'
import { handshakeKey as key } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { exchangeRaw, RawConnection, rawRequest } from '../support/raw-connection.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const upgrade = (lines: readonly string[]) =>
  rawRequest({
    method: 'GET',
    path: '/ws/supervisor',
    lines: ['Connection: Upgrade', 'Upgrade: websocket', ...lines],
  })

describe('the supervisor socket', () => {
  const service = suiteService()
  const connected = () => readMetric(service(), 'voicestream_supervisors')

  test('speaks version 13 and no other', async () => {
    for (const version of ['8', '7', '0', '14', '13, 8', '']) {
      const lines = [key, `Sec-WebSocket-Version: ${version}`]
      const { answers } = await exchangeRaw(service(), upgrade(lines))
      assert.equal(answers[0]?.status, 426, version)
      assert.equal(answers[0]?.headers.get('sec-websocket-version'), '13')
      // RFC 9110 §15.5.22: a 426 names what to upgrade to.
      assert.equal(answers[0]?.headers.get('upgrade'), 'websocket')
      assert.equal(answers[0]?.headers.get('content-type'), 'application/problem+json')
      assert.equal(JSON.parse(answers[0]?.body ?? '{}').status, 426)
    }
    const { answers } = await exchangeRaw(service(), upgrade([key]))
    assert.equal(answers[0]?.status, 426, 'no version')
    assert.equal(await connected(), 0)
  })

  // uWebSockets.js answers 101 to these.
  test('refuses a handshake that is none', async () => {
    const handshake = (lines: readonly string[]) =>
      exchangeRaw(service(), rawRequest({ method: 'GET', path: '/ws/supervisor', lines }))
    const version = 'Sec-WebSocket-Version: 13'
    for (const lines of [
      [key, version],
      [key, version, 'Connection: Upgrade'],
      [key, version, 'Upgrade: websocket'],
      [key, version, 'Connection: keep-alive', 'Upgrade: websocket'],
      [key, version, 'Connection: Upgrade', 'Upgrade: h2c'],
    ])
      assert.equal((await handshake(lines)).answers[0]?.status, 426, lines.join())
    for (const bad of ['dGhlIHNhbXBsZSBub25jZ!==', 'dGhlIHNhbXBsZSBub25jZXh4', 'x'.repeat(24)]) {
      const { answers } = await exchangeRaw(service(), upgrade([`Sec-WebSocket-Key: ${bad}`, version]))
      assert.equal(answers[0]?.status, 400, bad)
    }
    assert.equal(await connected(), 0)
    const lines = [key, version, 'Connection: keep-alive, Upgrade', 'Upgrade: WebSocket']
    assert.equal((await handshake(lines)).answers[0]?.status, 101)
  })

  test('answers a handshake with the accept key of RFC 6455', async (t) => {
    const connection = await RawConnection.open(service())
    t.after(() => connection.socket.destroy())
    connection.write(upgrade([key, 'Sec-WebSocket-Version: 13']))
    const [answer] = await connection.answered(1)
    assert.equal(answer?.status, 101)
    assert.equal(answer?.headers.get('sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    await eventually(connected, (count) => count === 1)
    await connection.end()
    await eventually(connected, (count) => count === 0)
  })

  test('is no place for a request that is not an upgrade', async (t) => {
    const client = new HttpClient(t, service())
    for (const method of ['GET', 'POST', 'DELETE']) {
      const { status, headers } = await client.send(method, '/ws/supervisor', {})
      assert(status >= 400 && status < 500, `${method}: ${status}`)
      assert.equal(headers['content-type'], 'application/problem+json')
    }
    const { answers } = await exchangeRaw(
      service(),
      upgrade(['Sec-WebSocket-Key: short', 'Sec-WebSocket-Version: 13']),
    )
    assert(answers[0] !== undefined && answers[0].status >= 400 && answers[0].status < 500)
    assert.equal((await client.get('/v1/calls')).status, 200)
  })

  // The guards of ordinary requests must stand before an upgrade too.
  test('refuses a handshake whose end is ambiguous, and hides no other request', async (t) => {
    const client = new HttpClient(t, service())
    const body = JSON.stringify(packet(0))
    const hidden = rawRequest({
      path: '/v1/call/stream/behind',
      lines: [`Content-Length: ${body.length}`],
      body,
    })
    const lines = [key, 'Sec-WebSocket-Version: 13', 'Content-Length: 0', `Content-Length: ${hidden.length}`]
    const { answers } = await exchangeRaw(service(), upgrade(lines) + hidden, 2)
    assert.deepEqual(
      answers.map(({ status }) => status).filter((status) => status !== 400),
      [],
    )
    assert.equal((await client.call('behind')).status, 404)
  })

  test('closes for a message beyond its bound, and for nobody else', async (t) => {
    const client = new HttpClient(t, service())
    const [loud, quiet] = await Promise.all([0, 1].map(() => SupervisorClient.connect(t, service())))
    assert(loud !== undefined && quiet !== undefined)
    const closed = once(loud.socket, 'close')
    loud.socket.send('x'.repeat(limits.supervisorInboundBytesMax + 1))
    await closed
    await client.packet('quiet', packet(0))
    await quiet.until(() => quiet.of('quiet').length === 1)
    assert.equal(quiet.socket.readyState, WebSocket.OPEN)
    await eventually(connected, (count) => count === 1)
  })

  test('forgets a supervisor who went away without a word', async (t) => {
    const client = new HttpClient(t, service())
    const gone = await SupervisorClient.connect(t, service())
    await eventually(connected, (count) => count >= 1)
    gone.socket.terminate()
    await eventually(connected, (count) => count === 0)
    assert.equal((await client.packet('gone', packet(0))).status, 202)
  })

  test('takes no frame for more than one message, and no broken frame for anything', async (t) => {
    const client = new HttpClient(t, service())
    const broken: Record<string, Buffer> = {
      'a frame without a mask': Buffer.from([0x81, 0x01, 0x61]),
      'a reserved bit': Buffer.from([0xc1, 0x81, 0, 0, 0, 0, 0x61]),
      'a reserved opcode': Buffer.from([0x83, 0x81, 0, 0, 0, 0, 0x61]),
      'a fragmented ping': Buffer.from([0x09, 0x81, 0, 0, 0, 0, 0x61]),
      'text that is no UTF-8': Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]),
      'a length of 2^63': Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    }
    let closed = 0
    for (const [name, bytes] of Object.entries(broken)) {
      const connection = await RawConnection.open(service())
      t.after(() => connection.socket.destroy())
      connection.write(upgrade([key, 'Sec-WebSocket-Version: 13']))
      assert.equal((await connection.answered(1))[0]?.status, 101, name)
      connection.write(bytes)
      await connection.end()
      closed++
      assert.equal((await client.get('/health/ready')).status, 200, name)
    }
    assert.equal(closed, 6)
    await eventually(connected, (count) => count === 0)
  })
})
