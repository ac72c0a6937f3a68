/** How requests lie in a stream of bytes: split, cut off, one after the other without waiting. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { exchangeRaw, RawConnection, rawRequest } from '../support/raw-connection.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

function packetRequest(callId: string, sequence: number): string {
  const body = JSON.stringify({ ...packet(sequence), timestamp: 1 })
  return rawRequest({
    path: `/v1/call/stream/${callId}`,
    lines: [`Content-Length: ${body.length}`],
    body,
  })
}

describe('a packet request', () => {
  const service = suiteService()

  // uWebSockets.js wants the rest of a request line at once: split in there, it answers 505 and closes.
  // uWebSockets.js never says that such a body is whole, so it hung until it was cut off after 10 s. Found by the fuzz.
  test('without a body has its answer also when its head comes in two pieces', async () => {
    const head =
      'POST /v1/call/stream/empty HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const connection = await RawConnection.open(service())
    connection.write(head)
    await new Promise((resolve) => setTimeout(resolve, 20))
    connection.write('Content-Length: 0\r\n\r\n')
    const [answer] = await connection.answered(1, 3000)
    assert.equal(answer?.status, 400)
    await connection.end()
  })

  test('in two pieces is taken or refused, wherever it is split, and never half of it', async (t) => {
    const client = new HttpClient(t, service())
    const request = (sequence: number) => packetRequest('split', sequence)
    const lineEnd = request(1000).indexOf('\r\n') + 2
    let refused = 0
    let connection = await RawConnection.open(service())
    t.after(() => connection.socket.destroy())
    const size = request(1000).length
    for (let at = 1; at < size; at++) {
      const whole = request(1000 + at)
      assert.equal(whole.length, size, 'all requests are of one length')
      const before = connection.answers.length
      connection.write(whole.slice(0, at))
      // The first piece must have been read by itself: an answer on another connection shows that the loop went round.
      assert.equal((await client.get('/health/live')).status, 200)
      if (!connection.isClosed) connection.write(whole.slice(at))
      const answer = (await connection.answered(before + 1))[before]
      if (answer?.status === 505) {
        assert(at < lineEnd, `split at ${at}`)
        refused++
        connection = await RawConnection.open(service())
        connection.write(whole)
        assert.equal(JSON.parse((await connection.answered(1))[0]?.body ?? '{}').status, 'accepted')
        continue
      }
      const receipt = JSON.parse(answer?.body ?? '{}')
      assert.deepEqual(
        [receipt.status, receipt.sequence, receipt.total_received],
        ['accepted', 1000 + at, at],
      )
    }
    t.diagnostic(`${size - 1} places, ${refused} refused within the request line`)
    const { body } = await client.get('/v1/call/split/packets?limit=1000')
    const stored = body['packets'] as { sequence: number; data: string }[]
    assert.equal(stored.length, size - 1)
    for (const { sequence, data } of stored) assert.equal(data, `packet ${sequence}`)
  })

  test('whose body comes long after its head is answered as soon as it is stored', async (t) => {
    // Guards against an answer that counts as overdue from the head on: 503 for a packet that was stored at once.
    const requests = [...Array(40).keys()].map((sequence) => packetRequest('late-body', sequence))
    const connections = await Promise.all(requests.map(() => RawConnection.open(service())))
    t.after(() => {
      for (const { socket } of connections) socket.destroy()
    })
    const bodyAt = (request: string) => request.indexOf('\r\n\r\n') + 4
    for (const [index, request] of requests.entries())
      connections[index]?.write(request.slice(0, bodyAt(request)))
    await new Promise((resolve) => setTimeout(resolve, limits.answerMsMax + limits.overdueLookMs))
    // Spread over the service's looks for what is overdue.
    for (const [index, request] of requests.entries()) {
      connections[index]?.write(request.slice(bodyAt(request)))
      await new Promise((resolve) => setTimeout(resolve, (2 * limits.overdueLookMs) / requests.length))
    }
    for (const connection of connections) assert.equal((await connection.answered(1))[0]?.status, 202)
  })

  test('whose body comes byte by byte is the same', async (t) => {
    const client = new HttpClient(t, service())
    const connection = await RawConnection.open(service())
    t.after(() => connection.socket.destroy())
    const request = packetRequest('bytes', 0)
    const headEnd = request.indexOf('\r\n\r\n') + 4
    connection.write(request.slice(0, headEnd))
    for (const byte of request.slice(headEnd)) {
      assert.equal((await client.get('/health/live')).status, 200)
      connection.write(byte)
    }
    assert.equal((await connection.answered(1))[0]?.status, 202)
    const { body } = await client.get('/v1/call/bytes/packets')
    assert.equal((body['packets'] as { data: string }[])[0]?.data, 'packet 0')
  })

  test('in chunks is the same', async (t) => {
    const client = new HttpClient(t, service())
    const json = JSON.stringify(packet(0))
    const chunks = [...json].map((character) => `1\r\n${character}\r\n`).join('')
    const request = rawRequest({
      path: '/v1/call/stream/chunks',
      lines: ['Transfer-Encoding: chunked'],
      body: `${chunks}0\r\n\r\n`,
    })
    const { answers } = await exchangeRaw(service(), request)
    assert.equal(answers[0]?.status, 202)
    const { body } = await client.get('/v1/call/chunks/packets')
    assert.equal((body['packets'] as { data: string }[])[0]?.data, 'packet 0')
  })

  test('without a body is refused', async (t) => {
    const client = new HttpClient(t, service())
    for (const lines of [[], ['Content-Length: 0'], ['Transfer-Encoding: chunked']]) {
      const body = lines[0]?.startsWith('Transfer') ? '0\r\n\r\n' : ''
      const { answers } = await exchangeRaw(
        service(),
        rawRequest({ path: '/v1/call/stream/empty', lines, body }),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        [400],
      )
    }
    assert.equal((await client.call('empty')).status, 404)
  })

  // Guards against a packet made of what had come by the time the sender broke off.
  test('that breaks off in its body has no effect, wherever it does', async (t) => {
    const client = new HttpClient(t, service())
    const request = packetRequest('broken', 0)
    const headEnd = request.indexOf('\r\n\r\n') + 4
    let cuts = 0
    for (let end = headEnd; end < request.length; end++) {
      const { answers } = await exchangeRaw(service(), request.slice(0, end), 0)
      assert.deepEqual(answers, [])
      cuts++
    }
    assert(cuts > 30)
    assert.equal((await client.call('broken')).status, 404)
  })

  test('that breaks off in its chunks has no effect', async (t) => {
    const client = new HttpClient(t, service())
    const json = JSON.stringify(packet(0))
    const whole = `${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`
    let cuts = 0
    // Until the last chunk has come the body is not whole, even though the object is.
    for (const missing of [1, 2, 3, 4, 5, 6, 7, 10, 20]) {
      const body = whole.slice(0, -missing)
      const lines = ['Transfer-Encoding: chunked']
      const request = rawRequest({ path: `/v1/call/stream/chunked-${missing}`, lines, body })
      await exchangeRaw(service(), request, 0)
      // RFC 9112 §7.1: the last chunk itself says that the content is complete; only its line ends may be missing.
      if (missing > 4)
        assert.equal((await client.call(`chunked-${missing}`)).status, 404, `${missing} missing`)
      cuts++
    }
    assert.equal(cuts, 9)
  })
})

describe('requests that do not wait for the answer before', () => {
  const service = suiteService()

  // uWebSockets.js serves one request at a time on a connection and closes it when the next one comes too early.
  test('lose no packet that was acknowledged, and store none twice', async (t) => {
    const client = new HttpClient(t, service())
    let acknowledged = 0
    for (let round = 0; round < 20; round++) {
      const callId = `pipelined-${round}`
      const requests = [0, 1, 2].map((sequence) => packetRequest(callId, sequence)).join('')
      const { answers } = await exchangeRaw(service(), requests, 3)
      const seen = await eventually(
        () => client.get(`/v1/call/${callId}/packets`),
        ({ status }) => status === 200 || answers.length === 0,
      )
      const stored = ((seen.body['packets'] ?? []) as { sequence: number }[]).map(({ sequence }) => sequence)
      for (const { status, body } of answers) {
        assert.equal(status, 202)
        assert(stored.includes(JSON.parse(body).sequence), 'an acknowledged packet is stored')
        acknowledged++
      }
      assert.equal(new Set(stored).size, stored.length)
      // What the sender does about it: everything again, one by one.
      for (const sequence of [0, 1, 2]) {
        const { body } = await client.packet(callId, packet(sequence))
        assert.equal(body['status'], stored.includes(sequence) ? 'duplicate' : 'accepted')
      }
      assert.equal((await client.call(callId)).body['total_received'], 3)
    }
    t.diagnostic(`${acknowledged} of 60 were acknowledged`)
  })

  test('are all served when each waits, on one connection', async (t) => {
    const connection = await RawConnection.open(service())
    t.after(() => connection.socket.destroy())
    for (let sequence = 0; sequence < 200; sequence++) {
      connection.write(packetRequest('in-turn', sequence))
      assert.equal((await connection.answered(sequence + 1)).length, sequence + 1)
    }
    const { body } = await new HttpClient(t, service()).call('in-turn')
    assert.equal(body['total_received'], 200)
  })
})
