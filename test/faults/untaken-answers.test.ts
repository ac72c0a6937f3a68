/**
 * Askers that never take their answers, beside packets (V11). Guards against answers that lie in uWebSockets.js without a bound:
 * it goes on with the next request of a connection although nobody takes the last answer, and 20 connections that had sent 1,000
 * requests ahead held 640 MiB. And against reads with bounds of their own each: 64 listeners held a page of 2 MiB each, and nobody
 * cut them off while others waited.
 */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { rawRequest } from '../support/raw-connection.js'
import { packet, type Service, startService } from '../support/service.js'
import { forgetPeak, mebibytes, residentOf } from '../torture/memory.js'
import { sleep } from '../torture/stage.js'

const mib = 1024 * 1024

function connectUnread(t: TestContext, { port }: Service, request: string): Socket {
  const socket = connect({ host: '127.0.0.1', port })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.pause()
  socket.write(request)
  return socket
}

/** What the service grows by at most, while packets are answered as ever. */
async function growthDuring(t: TestContext, service: Service, work: () => Promise<void>): Promise<number> {
  const pid = service.child.pid as number
  const client = new HttpClient(t, service)
  const before = residentOf(pid).bytes
  forgetPeak(pid)
  let isOn = true
  const packets = (async () => {
    for (let sequence = 0; isOn || sequence === 0; sequence++)
      assert.equal((await client.packet('beside', packet(sequence))).status, 202)
  })()
  await work().finally(() => {
    isOn = false
  })
  await packets
  const grown = residentOf(pid).peakBytes - before
  t.diagnostic(`${mebibytes(grown)} MiB`)
  return grown
}

test('answers to requests that were sent ahead and are never read stay within a bound', async (t) => {
  const service = await startService(t)
  const request = rawRequest({ method: 'GET', path: '/openapi.json' })
  const answered = () => readMetric(service, 'voicestream_responses_total{status="200"}')
  const grown = await growthDuring(t, service, async () => {
    for (let i = 0; i < 20; i++) connectUnread(t, service, request.repeat(1000))
    // Until they are no more than those to these questions.
    for (let last = -1, count = 0; count > last + 1; ) {
      last = count
      await sleep(250)
      count = await answered()
    }
  })
  const answers = await answered()
  assert(answers >= 20 * 5, `${answers} answers were made`)
  assert(grown < 64 * mib, `${mebibytes(grown)} MiB`)
})

const callBytes = 12 * mib

/** A call whose audio no socket takes in one go. */
async function recordLongCall(client: HttpClient): Promise<void> {
  const data = Buffer.alloc(24_000).toString('base64')
  const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
  const started = await client.post('/v1/call/start/long', { media })
  assert(started.status < 300, started.text)
  const count = Math.ceil(callBytes / 24_000)
  for (let first = 0; first < count; first += 100) {
    const lines = Array.from({ length: Math.min(100, count - first) }, (_, i) =>
      JSON.stringify({ call_id: 'long', sequence: first + i, data, timestamp: 1_700_000_000 }),
    )
    const { status } = await client.bulk(lines.join('\n'))
    assert.equal(status, 202)
  }
  await client.complete('long', count)
}

test('listeners that take nothing hold no more than the bound, and are cut off while others wait', async (t) => {
  const service = await startService(t)
  const client = new HttpClient(t, service)
  await recordLongCall(client)
  while ((await client.send('HEAD', '/v1/call/long/audio.wav', {})).status !== 200) await sleep(100)

  const held = () => readMetric(service, 'voicestream_reads_held_bytes')
  let most = 0
  const grown = await growthDuring(t, service, async () => {
    const request = rawRequest({ method: 'GET', path: '/v1/call/long/audio.wav' })
    const sockets = Array.from({ length: limits.recordingsReadMax }, () => connectUnread(t, service, request))
    for (let i = 0; i < 8; i++) {
      await sleep(250)
      most = Math.max(most, await held())
    }
    // Somebody else's read is answered while they are cut off: at once, or when it is sent again.
    let status = 0
    for (let tries = 0; status !== 200 && tries < 5; tries++)
      status = (await client.get('/v1/call/long/packets?limit=1000')).status
    assert.equal(status, 200)
    for (const socket of sockets) socket.destroy()
  })
  assert(most > limits.untakenBytesMax / 2, `${mebibytes(most)} MiB are held`)
  assert(most <= limits.untakenBytesMax, `${mebibytes(most)} MiB are held`)
  assert(grown < limits.untakenBytesMax + 64 * mib, `${mebibytes(grown)} MiB`)
  while ((await held()) > 0) await sleep(50)
})
