import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { limits } from '../../src/limits.js'
import { connectUnread } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric, readMetrics, residentBytes } from '../support/metrics.js'
import { eventually, packet, type Service } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { assertContiguous, SupervisorClient } from '../support/supervisor-client.js'
import { assertUndisturbed } from '../support/yardstick.js'

const mib = 1024 * 1024

async function connectStalled(t: TestContext, service: Service): Promise<Socket> {
  const before = await readMetric(service, 'voicestream_supervisors')
  const socket = connectUnread(t, service)
  await eventually(
    () => readMetric(service, 'voicestream_supervisors'),
    (count) => count > before,
  )
  return socket
}

const wordyCall = 'w'.repeat(128)

const wordyLines = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => JSON.stringify({ call_id: wordyCall, ...packet(first + i) })).join(
    '\n',
  )

/** From then on each event of the call lists a hundred missing numbers of four digits: 0.8 KB. */
async function makeWordy(client: HttpClient): Promise<number> {
  const { body } = await client.bulk(wordyLines(0, 1000))
  assert.equal(body['accepted'], 1000)
  return 2000
}

// Guards against C2: the broadcast was awaited within the request, and one supervisor that did not read stopped all
// ingestion after 1,361 packets.
describe('a supervisor that never reads', () => {
  const service = suiteService()

  test('delays no packet, is closed at its bound, and a healthy one misses nothing', async (t) => {
    const client = new HttpClient(t, service(), 1)
    const probe = new HttpClient(t, service(), 1)
    const first = await makeWordy(client)
    const healthy = await SupervisorClient.connect(t, service())
    const dropped = () => readMetric(service(), 'voicestream_supervisors_dropped_total')

    const state = { isDone: false }
    let latencies: number[] = []
    let probes = 0
    const probing = (async () => {
      while (!state.isDone) {
        const startedAt = performance.now()
        const { body } = await probe.packet('probe', packet(probes++))
        latencies.push(performance.now() - startedAt)
        assert.equal(body['status'], 'accepted')
      }
    })()
    // A few hundred events at a time: the healthy one is never far behind.
    let sent = 0
    const send = async (count: number) => {
      const { body } = await client.bulk(wordyLines(first + sent, count))
      assert.equal(body['accepted'], count)
      sent += count
    }
    // Twice its bound and what the kernel and the HTTP layer take besides it; then slowly on, as long as it may lag.
    const floodBytes = 2 * (limits.supervisorLagBytesMax + 8 * mib)
    const flood = async (isOver: () => Promise<boolean>) => {
      const first = healthy.receivedBytes
      const received = () => healthy.receivedBytes - first
      while (!(await isOver())) {
        await send(received() < floodBytes ? 400 : 20)
        if (received() >= floodBytes) await new Promise((resolve) => setTimeout(resolve, 50))
      }
      return received()
    }
    // The same load without it.
    const aloneBytes = healthy.receivedBytes + floodBytes
    await flood(async () => healthy.receivedBytes >= aloneBytes && latencies.length > 20)
    const alone = latencies
    latencies = []

    const bytesBefore = await residentBytes(service())
    const stalled = await connectStalled(t, service())
    const until = Date.now() + 60_000
    const droppedAfter = await flood(async () => (await dropped()) > 0 || Date.now() > until)
    for (let i = 0; i < 3; i++) await send(400)
    state.isDone = true
    await probing

    t.diagnostic(`dropped after ${(droppedAfter / mib).toFixed(1)} MiB of events`)
    assert.equal(await dropped(), 1)
    assert(droppedAfter > limits.supervisorLagBytesMax, 'it was its bound')
    assertUndisturbed(t, 'a packet beside it', latencies, alone)

    await healthy.until(() => healthy.events.length === sent + probes)
    assertContiguous(healthy.events)
    assert.equal(healthy.socket.readyState, WebSocket.OPEN)
    // The stalled one is gone even though it does not read its close frame.
    await eventually(
      () => readMetric(service(), 'voicestream_supervisors'),
      (count) => count === 1,
    )
    // The ring may have filled meanwhile: that is every supervisor's, however long it took.
    const grown = (await residentBytes(service())) - bytesBefore
    assert(grown < limits.feedBytesMax + 64 * mib, `${grown / mib} MiB`)
    // It reads what the kernel had taken for it, and finds the connection closed: nobody else closes it.
    const closed = new Promise((resolve) => stalled.once('close', resolve))
    stalled.resume()
    await closed
  })
})

// A commit can hold thousands of events. They come in one turn of the loop, in which no socket can be written out.
describe('a healthy supervisor', () => {
  const service = suiteService()

  test('misses nothing of what bulk requests bring at once', async (t) => {
    const client = new HttpClient(t, service())
    const first = await makeWordy(client)
    const healthy = await SupervisorClient.connect(t, service())
    const each = 10_000
    let sent = 0
    const largeCommits = async () => {
      const readings = await readMetrics(service())
      const count = (name: string) => readings.get(`voicestream_commit_packets_${name}`) ?? 0
      return count('count') - count('bucket{le="1024"}')
    }
    // Until there was a commit of more than 1,024 packets, and three rounds at least.
    for (let round = 0; round < 3 || (round < 12 && (await largeCommits()) === 0); round++) {
      const parts = [0, each].map((offset) => client.bulk(wordyLines(first + sent + offset, each)))
      for (const { body } of await Promise.all(parts)) assert.equal(body['accepted'], each)
      sent += 2 * each
      // It has read everything before the next round: it is never slow.
      await healthy.until(() => healthy.events.length === sent)
    }
    t.diagnostic(`${await largeCommits()} commits of more than 1,024 packets`)
    assert((await largeCommits()) > 0)
    assertContiguous(healthy.events)
    assert.equal(await readMetric(service(), 'voicestream_supervisors_dropped_total'), 0)
  })
})
