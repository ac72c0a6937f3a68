import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric, residentBytes } from '../support/metrics.js'
import { rawRequest } from '../support/raw-connection.js'
import { eventually, packet, type Service } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { assertContiguous, SupervisorClient } from '../support/supervisor-client.js'

const mib = 1024 * 1024

/** A supervisor that never reads: nothing in this process takes a byte off its socket. */
async function connectStalled(t: TestContext, service: Service): Promise<Socket> {
  const before = await readMetric(service, 'voicestream_supervisors')
  const socket = connect({ host: '127.0.0.1', port: service.port })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(
    rawRequest({
      method: 'GET',
      path: '/ws/supervisor',
      lines: [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ],
    }),
  )
  await eventually(
    () => readMetric(service, 'voicestream_supervisors'),
    (count) => count > before,
  )
  return socket
}

/** The events of such a call list a hundred numbers of ten digits: 1.3 KiB each. */
const wordy = (n: number) => packet(2_000_000_000 + n)

// Guards against C2: the broadcast was awaited within the request, and one supervisor that did not read stopped all
// ingestion after 1,361 packets.
describe('a supervisor that never reads', () => {
  const service = suiteService()

  test('delays no packet, is closed at its bound, and a healthy one misses nothing', async (t) => {
    const client = new HttpClient(t, service(), 16)
    const healthy = await SupervisorClient.connect(t, service())
    const stalled = await connectStalled(t, service())
    const dropped = () => readMetric(service(), 'voicestream_supervisors_dropped_total')
    const bytesBefore = await residentBytes(service())

    // The bound, what the kernel and the HTTP layer take besides it, and some more.
    const eventsMax = Math.ceil((limits.supervisorQueueBytesMax + 16 * mib) / 1300)
    const latencies: number[] = []
    let sent = 0
    let atDrop = 0
    while (sent < eventsMax) {
      if (atDrop === 0 && sent % 512 === 0 && (await dropped()) > 0) atDrop = sent
      // Some more after the drop: nothing may come of it for anybody.
      if (atDrop > 0 && sent >= atDrop + 1024) break
      const batch = Array.from({ length: 16 }, (_, i) => wordy(sent + i))
      await Promise.all(
        batch.map(async (one) => {
          const startedAt = performance.now()
          const { status, body } = await client.packet('wordy', one)
          latencies.push(performance.now() - startedAt)
          assert.equal(status, 202)
          assert.equal(body['status'], 'accepted')
        }),
      )
      sent += batch.length
    }
    const slowest = Math.max(...latencies)
    t.diagnostic(`dropped after about ${atDrop} events; the slowest of ${sent} packets took ${slowest.toFixed(1)} ms`)
    assert(atDrop > 0, `${sent} events did not fill its queue`)
    assert(slowest < 250, `a packet took ${slowest} ms`)
    assert.equal(await dropped(), 1)

    await healthy.until(() => healthy.events.length === sent)
    assertContiguous(healthy.events)
    assert.equal(healthy.socket.readyState, WebSocket.OPEN)
    // The stalled one is gone even though it does not read its close frame.
    await eventually(
      () => readMetric(service(), 'voicestream_supervisors'),
      (count) => count === 1,
    )
    assert((await residentBytes(service())) - bytesBefore < 64 * mib)
    assert.equal(stalled.destroyed, false, 'it was the service that closed')
  })
})

// A commit can hold thousands of events. They come in one turn of the loop, in which no socket can be written out.
describe('a healthy supervisor', () => {
  const service = suiteService()

  test('misses nothing of what a bulk request brings at once', async (t) => {
    const client = new HttpClient(t, service())
    const healthy = await SupervisorClient.connect(t, service())
    const lines = Array.from({ length: 30_000 }, (_, n) => JSON.stringify({ call_id: 'wordy', ...wordy(n) }))
    let sent = 0
    for (let at = 0; at < lines.length; at += 10_000) {
      const { body } = await client.bulk(lines.slice(at, at + 10_000).join('\n'))
      assert.equal(body['accepted'], 10_000)
      sent += 10_000
    }
    const bytes = sent * 1300
    assert(bytes > 4 * limits.supervisorQueueBytesMax, 'the events are several times the bound of its queue')
    await healthy.until(() => healthy.events.length === sent)
    assertContiguous(healthy.events)
    assert.equal(await readMetric(service(), 'voicestream_supervisors_dropped_total'), 0)
  })
})
