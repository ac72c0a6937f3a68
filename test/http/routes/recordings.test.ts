/** What a call sounded like and what was said on it, over HTTP. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { parseWav } from '../../../src/audio/wav-file.js'
import { HttpClient } from '../../support/http-client.js'
import { assertProblem } from '../../support/problems.js'
import { eventually } from '../../support/service.js'
import { suiteService } from '../../support/suite-service.js'

const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
const headerBytes = 58
const samplesOf = (sequence: number) => Buffer.alloc(160, 1 + (sequence % 250))

/** A call of packets of 20 ms, without some of them, to the end of its analysis. */
async function record(
  client: HttpClient,
  callId: string,
  count: number,
  isMissing: (sequence: number) => boolean = () => false,
): Promise<Buffer> {
  assert.equal((await client.post(`/v1/call/start/${callId}`, { media })).status, 202)
  const audio: Buffer[] = []
  const lines: string[] = []
  for (let sequence = 0; sequence < count; sequence++) {
    audio.push(isMissing(sequence) ? Buffer.alloc(160, 0xff) : samplesOf(sequence))
    const data = samplesOf(sequence).toString('base64')
    if (!isMissing(sequence))
      lines.push(JSON.stringify({ call_id: callId, sequence, data, timestamp: 1 + sequence / 50 }))
  }
  for (let at = 0; at < lines.length; at += 5000)
    assert.equal((await client.bulk(lines.slice(at, at + 5000).join('\n'))).status, 202)
  assert.equal((await client.complete(callId, count)).status, 202)
  return Buffer.concat(audio)
}

const ended = (client: HttpClient, callId: string) =>
  eventually(
    () => client.call(callId),
    ({ body }) => body['state'] === 'ARCHIVED',
  )

/** Bytes, which the client for JSON would decode. */
async function download(port: number, path: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
}

describe('the recording of a call', () => {
  const service = suiteService()

  test('is a WAV file with silence where packets are missing, whole and in parts', async (t) => {
    const client = new HttpClient(t, service())
    const audio = await record(client, 'recorded', 3000, (sequence) => sequence % 7 === 3 || sequence > 2990)
    await ended(client, 'recorded')
    const { port } = service()
    const path = '/v1/call/recorded/audio.wav'
    const whole = await download(port, path)
    assert.equal(whole.status, 200)
    assert.equal(whole.headers.get('content-type'), 'audio/wav')
    assert.equal(whole.headers.get('accept-ranges'), 'bytes')
    assert.equal(Number(whole.headers.get('content-length')), headerBytes + audio.length)
    assert.ok(whole.bytes.subarray(headerBytes).equals(audio), 'sample by sample')

    for (const [range, first, last] of [
      ['bytes=0-57', 0, 57],
      ['bytes=400000-', 400_000, whole.bytes.length - 1],
      ['bytes=-1', whole.bytes.length - 1, whole.bytes.length - 1],
      ['bytes=123456-234567', 123_456, 234_567],
    ] as const) {
      const part = await download(port, path, { range })
      assert.equal(part.status, 206, range)
      assert.equal(part.headers.get('content-range'), `bytes ${first}-${last}/${whole.bytes.length}`)
      assert.ok(part.bytes.equals(whole.bytes.subarray(first, last + 1)), range)
    }
    const behind = await download(port, path, { range: 'bytes=999999999-' })
    assert.equal(behind.status, 416)
    assert.equal(behind.headers.get('content-range'), `bytes */${whole.bytes.length}`)

    // RFC 9110 §14.2: a HEAD with a range is answered as one without.
    for (const headers of [{}, { range: 'bytes=0-57' }]) {
      const head = await client.send('HEAD', path, headers)
      assert.deepEqual(
        [head.status, head.headers['content-length'], head.text],
        [200, String(whole.bytes.length), ''],
      )
    }
  })

  test('cannot be had while packets may come', async (t) => {
    const client = new HttpClient(t, service())
    await client.post('/v1/call/start/live', { media })
    assertProblem(await client.get('/v1/call/live/audio.wav'), 409)
  })

  test('cannot be had of text, nor of what is no audio, nor of an unknown call', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('text', { sequence: 0, data: 'hello', timestamp: 1 })
    assertProblem(await client.get('/v1/call/text/audio.wav'), 404)
    assertProblem(await client.get('/v1/call/nobody/audio.wav'), 404)
    await client.post('/v1/call/start/noise', { media })
    await client.packet('noise', { sequence: 0, data: 'no base64', timestamp: 1 })
    await client.complete('noise', 1)
    await ended(client, 'noise')
    const { detail } = assertProblem(await client.get('/v1/call/noise/audio.wav'), 404)
    assert.match(detail, /packet 0 is not audio: it is not base64/)
  })

  test('is read no faster than its reader takes it, and a reader who leaves frees it', async (t) => {
    const client = new HttpClient(t, service())
    await record(client, 'long', 60_000)
    await ended(client, 'long')
    const before = await residentBytes(client)
    const sockets = Array.from({ length: 20 }, () => {
      const socket = connect(service().port, '127.0.0.1')
      socket.pause()
      socket.write('GET /v1/call/long/audio.wav HTTP/1.1\r\nHost: localhost\r\n\r\n')
      t.after(() => socket.destroy())
      return socket
    })
    await eventually(
      async () => sockets.every(({ bytesWritten }) => bytesWritten > 0),
      (all) => all,
    )
    // 20 × 9.6 MB would be 192 MB.
    const after = await residentBytes(client)
    assert.ok(after - before < 100e6, `${after - before} bytes`)
    for (const socket of sockets) socket.destroy()
    const whole = await download(service().port, '/v1/call/long/audio.wav')
    assert.equal(whole.bytes.length, headerBytes + 60_000 * 160)
  })
})

describe('the recording of a call of two tracks', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 100 } })

  test('is one WAV file with a channel for each voice, aligned by their clocks; `track` gives one of them', async (t) => {
    // Guards against a page that plays one side of a conversation, and against sides that answer before they are asked.
    const client = new HttpClient(t, service())
    const tracks = [0, 1].map((track) => ({ track, name: ['inbound', 'outbound'][track], media }))
    assert.equal((await client.post('/v1/call/start/both', { media, tracks })).status, 202)
    const sampleOf = (track: number, sequence: number) => 1 + ((sequence * 2 + track) % 250)
    const lateMs = 60
    const lines: string[] = []
    for (let track = 0; track < 2; track++)
      for (let sequence = 0; sequence < 500; sequence++)
        if (!(track === 1 && sequence === 7))
          lines.push(
            JSON.stringify({
              call_id: 'both',
              track,
              sequence,
              data: Buffer.alloc(160, sampleOf(track, sequence)).toString('base64'),
              timestamp: 1000 + sequence / 50 + (track * lateMs) / 1000,
            }),
          )
    assert.equal((await client.bulk(lines.join('\n'))).body['accepted'], 999)
    assert.equal((await client.post('/v1/call/complete/both', { totals: { 0: 500, 1: 500 } })).status, 202)
    await ended(client, 'both')
    const { port } = service()
    const path = '/v1/call/both/audio.wav'
    const whole = await download(port, path)
    const { encoding, channels, frames } = parseWav(whole.bytes)
    assert.deepEqual([whole.status, encoding, channels, frames.length], [200, 'mulaw', 2, 2 * 503 * 160])
    const frameOf = (packet: number) => [...frames.subarray(packet * 320, packet * 320 + 2)]
    assert.deepEqual(frameOf(0), [sampleOf(0, 0), 0xff], 'the second voice begins 60 ms later')
    assert.deepEqual(frameOf(3), [sampleOf(0, 3), sampleOf(1, 0)])
    assert.deepEqual(frameOf(10), [sampleOf(0, 10), 0xff], 'what is missing is silence in its channel alone')
    assert.deepEqual(frameOf(11), [sampleOf(0, 11), sampleOf(1, 8)])
    assert.deepEqual(frameOf(502), [0xff, sampleOf(1, 499)])

    for (const [range, first, last] of [
      ['bytes=0-57', 0, 57],
      ['bytes=100001-120002', 100_001, 120_002],
      ['bytes=-3', whole.bytes.length - 3, whole.bytes.length - 1],
    ] as const) {
      const part = await download(port, path, { range })
      assert.equal(part.status, 206, range)
      assert.ok(part.bytes.equals(whole.bytes.subarray(first, last + 1)), range)
    }
    const head = await client.send('HEAD', path, {})
    assert.equal(head.headers['content-length'], String(whole.bytes.length))
    for (const track of [0, 1]) {
      const own = parseWav((await download(port, `${path}?track=${track}`)).bytes)
      assert.deepEqual([own.channels, own.frames.length], [1, 500 * 160])
      assert.equal(own.frames[0], sampleOf(track, 0))
    }
  })
})

async function residentBytes(client: HttpClient): Promise<number> {
  const { text } = await client.get('/metrics')
  return Number(/^voicestream_process_resident_memory_bytes (\S+)/m.exec(text)?.[1])
}

describe('the transcript of a call', () => {
  const service = suiteService()

  test('comes as JSON, WebVTT, SubRip and text', async (t) => {
    const client = new HttpClient(t, service())
    await record(client, 'said', 4, (sequence) => sequence === 1)
    await ended(client, 'said')
    const { status, body } = await client.get('/v1/call/said/transcript')
    assert.equal(status, 200)
    assert.equal(body['coverage'], 0.75)
    const [segment] = body['segments'] as { text: string; coverage: number }[]
    assert.match(segment?.text ?? '', /^Simulated transcription of 3 packets/)
    for (const [format, type, start] of [
      ['vtt', 'text/vtt', 'WEBVTT\n\n00:00:00.000 --> '],
      ['srt', 'application/x-subrip', '1\n00:00:00,000 --> '],
      ['text', 'text/plain', '[00:00:00.000] Channel 0: Simulated'],
    ] as const) {
      const { headers, text } = await client.get(`/v1/call/said/transcript?format=${format}`)
      assert.match(String(headers['content-type']), new RegExp(`^${type}`))
      assert.ok(text.startsWith(start), text)
    }
    assertProblem(await client.get('/v1/call/said/transcript?format=doc'), 422)
  })

  test('is not there before the analysis', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('unsaid', { sequence: 0, data: 'hello', timestamp: 1 })
    assertProblem(await client.get('/v1/call/unsaid/transcript'), 404)
    assertProblem(await client.get('/v1/call/nobody/transcript'), 404)
  })
})

describe('the recording of a call that nobody completed', () => {
  const service = suiteService({ settings: { CALL_IDLE_TIMEOUT_MS: 5000, GRACE_PERIOD_MS: 100 } })

  test('is whole also after somebody left while it was measured', async (t) => {
    // Guards against a measure of half a call that is kept, and served to the next listener as the whole.
    const client = new HttpClient(t, service(), 1)
    const count = 30_000
    const lines = Array.from({ length: count }, (_, sequence) =>
      JSON.stringify({
        call_id: 'long',
        sequence,
        data: samplesOf(sequence).toString('base64'),
        timestamp: 1,
      }),
    )
    assert.equal((await client.post('/v1/call/start/long', { media })).status, 202)
    for (let at = 0; at < count; at += 10_000)
      assert.equal((await client.bulk(lines.slice(at, at + 10_000).join('\n'))).body['accepted'], 10_000)
    await ended(client, 'long')
    const path = '/v1/call/long/audio.wav'
    const socket = connect(service().port, '127.0.0.1')
    let answered = 0
    socket.on('data', (bytes: Buffer) => {
      answered += bytes.length
    })
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    // The reader has answered for the first of 30 pages by then, and not for the last.
    await client.get('/v1/call/long/packets?limit=1')
    socket.destroy()
    assert.equal(answered, 0, 'it left before the call was measured')
    // Behind the page that was still asked for, so that what was measured would be kept by now.
    for (let look = 0; look < 5; look++) await client.get('/v1/call/long/packets?limit=1')
    const { status, bytes } = await download(service().port, path)
    assert.deepEqual([status, bytes.length], [200, headerBytes + count * 160])
  })
})
