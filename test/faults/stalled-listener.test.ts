/** A listener of a live call that takes nothing is cut off, and neither the call nor another listener waits for it (V11). */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { eventually, startService } from '../support/service.js'

/** 768 KB a second, so that the buffers of the kernel are soon full. */
const media = { encoding: 'pcm_s16le', sample_rate: 48_000, channels: 8 }
const packetMs = 20
const data = Buffer.alloc(48 * packetMs * 8 * 2, 1).toString('base64')

test('a listener that takes nothing is cut off, while the call and another listener go on', async (t) => {
  const service = await startService(t)
  const client = new HttpClient(t, service)
  const listeners = () => readMetric(service, 'voicestream_listeners')
  assert.equal((await client.post('/v1/call/start/loud', { media })).status, 202)
  let isOver = false
  let sequence = 0
  const talking = (async () => {
    const startedAt = performance.now()
    for (; !isOver; sequence++) {
      await delay(Math.max(0, startedAt + sequence * packetMs - performance.now()))
      const packet = { call_id: 'loud', sequence, data, timestamp: 1 + sequence / 50 }
      assert.equal((await client.bulk(JSON.stringify(packet))).body['accepted'], 1)
    }
  })()
  await eventually(
    async () => sequence,
    (count) => count > 2,
  )
  const path = '/v1/call/loud/audio.wav?live=true'
  const socket = connect(service.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  await eventually(listeners, (count) => count === 1)

  const leaving = new AbortController()
  const healthy = await fetch(service.url + path, { signal: leaving.signal })
  let heardBytes = 0
  const hearing = (async () => {
    for await (const part of healthy.body ?? []) heardBytes += part.length
  })().catch(() => {})
  await eventually(listeners, (count) => count === 2)
  await eventually(listeners, (count) => count === 1, 60_000)
  assert(heardBytes > 1024 * 1024, 'the stalled one had time to fill its buffers')
  const before = heardBytes
  await eventually(
    async () => heardBytes,
    (bytes) => bytes > before + 500_000,
  )
  isOver = true
  await talking
  leaving.abort()
  await hearing
  const { body } = await client.call('loud')
  assert.deepEqual([body['total_received'], body['missing_count']], [sequence, 0])
})
