/**
 * The picture of thousands of calls beside supervisors that ask for it and never read (V11).
 *
 * Guards against a scan that waits for its slowest reader: the picture came after 113 s instead of 1.7.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { FeedClient } from '../support/feed-client.js'
import { connectUnread } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { eventually, packet, type Service } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

/** Their rows are several times what the kernel takes for a socket that nobody reads. */
const callCount = 12_000
const stalledCount = 3

const service = suiteService()

async function begin(client: HttpClient, first: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ call_id: `call-${first + i}`.padEnd(100, '-'), ...packet(0) }),
  )
  const { body } = await client.bulk(lines.join('\n'))
  assert.equal(body['accepted'], count)
}

/** Until a supervisor that connects now has all of the picture. */
async function pictureMs(t: TestContext, target: Service): Promise<number> {
  const startedAt = performance.now()
  const client = new FeedClient(t, target, { start: 'snapshot' })
  await client.live()
  const ms = performance.now() - startedAt
  const rows = new Set(client.snapshots.flatMap(({ calls }) => calls.map(({ call_id }) => call_id)))
  assert.equal(rows.size, callCount)
  client.client.dispose()
  return ms
}

async function slowest(count: number, measure: () => Promise<number>): Promise<number> {
  let most = 0
  for (let i = 0; i < count; i++) most = Math.max(most, await measure())
  return most
}

test('supervisors that ask for a picture and never read delay nobody else’s', async (t) => {
  const client = new HttpClient(t, service())
  for (let first = 0; first < callCount; first += 4000) await begin(client, first, 4000)
  await pictureMs(t, service())
  const alone = await slowest(3, () => pictureMs(t, service()))

  const stalled = Array.from({ length: stalledCount }, () => connectUnread(t, service(), '?since=snapshot'))
  await eventually(
    () => readMetric(service(), 'voicestream_supervisors'),
    (count) => count === stalledCount,
  )
  await eventually(
    () => readMetric(service(), 'voicestream_supervisor_queued_bytes'),
    (bytes) => bytes > limits.snapshotPartBytesMax,
  )
  const beside = await slowest(3, () => pictureMs(t, service()))
  t.diagnostic(`a picture of ${callCount} calls: ${alone.toFixed(0)} ms alone, ${beside.toFixed(0)} beside`)
  assert.equal(
    await readMetric(service(), 'voicestream_supervisors_dropped_total'),
    0,
    'they were still there',
  )
  assert(beside < 4 * alone, `${beside.toFixed(0)} ms, and ${alone.toFixed(0)} ms alone`)

  // Who reads again has all of it, too.
  const socket = stalled[0]
  assert(socket)
  let text = ''
  socket.on('data', (bytes) => {
    text = (text + bytes.toString('latin1')).slice(-4096)
  })
  socket.resume()
  await eventually(
    async () => text,
    (last) => last.includes('"event":"live"'),
  )
})
