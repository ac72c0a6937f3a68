/** A sender that keeps a request open with a byte now and then (slowloris). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { RawConnection, rawRequest } from '../support/raw-connection.js'
import { packet, startService } from '../support/service.js'

test('a body that comes a byte at a time is cut off at its deadline and leaves nothing', async (t) => {
  const service = await startService(t)
  const client = new HttpClient(t, service)
  const body = JSON.stringify(packet(0, 'x'.repeat(1000)))
  const connection = await RawConnection.open(service)
  t.after(() => connection.socket.destroy())
  const startedAt = performance.now()
  connection.write(
    rawRequest({ path: '/v1/call/stream/slow', lines: [`Content-Length: ${body.length}`], body: '' }),
  )
  let sent = 0
  const drip = setInterval(() => connection.write(body[sent++] ?? ' '), 250)
  t.after(() => clearInterval(drip))
  await connection.closed(limits.bodyMsMax + 5000)
  const seconds = (performance.now() - startedAt) / 1000
  assert(seconds > 3, `it was given ${seconds} s`)
  assert.deepEqual(connection.answers, [])
  assert.equal((await client.call('slow')).status, 404)
  assert.equal((await client.packet('quick', packet(0))).status, 202)
})
