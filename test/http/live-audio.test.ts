/**
 * A call that is heard while it goes on. Guards against a listener that a call, a sender or another listener waits for, that
 * hears what was erased, or that nobody can see.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeG711 } from '../../src/audio/g711.js'
import { parseWav } from '../../src/audio/wav-file.js'
import { limits } from '../../src/limits.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { assertProblem } from '../support/problems.js'
import { eventually, logged, type Service, startService } from '../support/service.js'
import { beginTalk, spokenMedia, talk } from '../support/talking.js'

interface Heard {
  readonly status: number
  /** Once the file has ended, or its listener has left. */
  readonly whole: Promise<Buffer>
  bytes: number
  leave(): void
}

async function listen(service: Service, call: string, query = '', headers = {}): Promise<Heard> {
  const leaving = new AbortController()
  const url = `${service.url}/v1/call/${call}/audio.wav?live=true${query}`
  const answer = await fetch(url, { headers, signal: leaving.signal })
  const heard = { status: answer.status, bytes: 0, leave: () => leaving.abort() }
  const parts: Uint8Array[] = []
  const whole = (async () => {
    try {
      for await (const part of answer.body ?? []) {
        parts.push(part)
        heard.bytes += part.length
      }
    } catch (error) {
      if (!leaving.signal.aborted) throw error
    }
    return Buffer.concat(parts)
  })()
  return Object.assign(heard, { whole })
}

/** Which packets a channel was, in the order in which they were heard; every sound is of one that was sent. */
function packetsHeard(file: Buffer, channel: number): number[] {
  const { frames, channels, encoding } = parseWav(file)
  assert.equal(encoding, 'pcm_s16le')
  const first = channel === 0 ? 1 : 129
  const parts = new Map(Array.from({ length: 125 }, (_, part) => [decodeG711('mulaw', first + part), part]))
  const runs: { readonly level: number; length: number }[] = []
  for (let at = channel * 2; at < frames.length; at += channels * 2) {
    const level = frames.readInt16LE(at)
    if (runs.at(-1)?.level === level) (runs.at(-1) as { length: number }).length++
    else runs.push({ level, length: 1 })
  }
  return runs.flatMap(({ level, length }, i) => {
    if (level === 0) return []
    const low = parts.get(level)
    assert(low !== undefined, `${level} was never said in channel ${channel}`)
    const next = runs[i + 1]
    const high = parts.get(next?.level ?? 0) ?? 0
    // After a stall of the machine what is skipped may begin and end within a packet.
    return low < 100 && high >= 100 && length === 80 && next?.length === 80 ? [low + (high - 100) * 100] : []
  })
}

/** On a machine that stalls for seconds what is too late is skipped; nothing else is. */
function assertHeard(packets: readonly number[], least: number): void {
  assert(packets.length >= least, `${packets.length} packets were heard`)
  let skips = 0
  for (const [i, packet] of packets.slice(1).entries()) {
    const last = packets[i] as number
    assert(packet > last, `${packet} after ${last}`)
    if (packet > last + 1) skips++
  }
  assert(skips <= 2, `${skips} skips`)
}

describe('a call that goes on', { concurrency: 2 }, () => {
  test('is heard in order, a channel a voice, until it is over; its file then ends', async (t) => {
    const service = await startService(t, { settings: { GRACE_PERIOD_MS: 100 } })
    const client = new HttpClient(t, service)
    const sent = await beginTalk(client, 'live', [0, 1])
    const heard = await listen(service, 'live')
    assert.equal(heard.status, 200)
    assert.equal(await readMetric(service, 'voicestream_listeners'), 1)
    await eventually(
      async () => heard.bytes,
      (bytes) => bytes > 4 * 8000 * 4,
    )
    await sent.stop()
    const total = sent.count
    assert.equal(
      (await client.post('/v1/call/complete/live', { totals: { 0: total, 1: total } })).status,
      202,
    )
    const file = await heard.whole
    for (const channel of [0, 1]) {
      const packets = packetsHeard(file, channel)
      assertHeard(packets, 150)
      assert.equal(packets.at(-1), total - 1, 'to the last one')
    }
    assert.equal(await readMetric(service, 'voicestream_listeners'), 0)
    await logged(service, ({ msg }) => msg === 'a live call is listened to no more')
  })

  test('is heard from ten seconds ago where that is asked', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    const sent = await beginTalk(client, 'past', [0])
    await eventually(
      async () => sent.count,
      (count) => count > 600,
      30_000,
    )
    const firsts = []
    for (const behind of [10, 2]) {
      const before = sent.count
      const heard = await listen(service, 'past', `&behind=${behind}`)
      await eventually(
        async () => heard.bytes,
        (bytes) => bytes > 2 * 8000 * 2,
      )
      heard.leave()
      const [first = before] = packetsHeard(await heard.whole, 0)
      firsts.push(before - first)
    }
    await sent.stop()
    const [early = 0, late = 0] = firsts
    assert(early > 400 && early < 650, `${early} packets ago`)
    assert(late < early - 250, `${late} packets ago`)
  })

  test('is not heard any more once it is erased, nor is the next call of its name', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    const sent = await beginTalk(client, 'erased', [0])
    const heard = await listen(service, 'erased', '&behind=1')
    await eventually(
      async () => heard.bytes,
      (bytes) => bytes > 8000,
    )
    await sent.stop()
    const before = heard.bytes
    assert.equal((await client.send('DELETE', '/v1/call/erased', {})).status, 204)
    const again = talk(client, 'erased', [0])
    const file = await heard.whole
    assertHeard(packetsHeard(file, 0), 10)
    assert(file.length < before + 4 * 16_000, 'it ended')
    await again.stop()
  })

  test('ends its file when another voice joins, which is heard by who asks again', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    const one = await beginTalk(client, 'joined', [0])
    const heard = await listen(service, 'joined')
    await one.stop()
    const both = talk(client, 'joined', [0, 1], one.count)
    assert.equal(parseWav(await heard.whole).channels, 1)
    const again = await listen(service, 'joined')
    await eventually(
      async () => again.bytes,
      (bytes) => bytes > 8000,
    )
    again.leave()
    await both.stop()
    assert.equal(parseWav(await again.whole).channels, 2)
  })

  test('is heard by as many as there is room for, and room is made by who leaves', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    const loud = { encoding: 'pcm_s16le', sample_rate: 192_000, channels: 8 }
    assert.equal((await client.post('/v1/call/start/loud', { media: loud })).status, 202)
    const heldSamples = 192_000 * 8 * 3.8
    const room = Math.floor(limits.liveSamplesMax / heldSamples)
    const heard = await Promise.all(Array.from({ length: room + 2 }, () => listen(service, 'loud')))
    assert.deepEqual(heard.map(({ status }) => status).sort(), [...Array(room).fill(200), 503, 503])
    for (const { leave } of heard) leave()
    await eventually(
      () => readMetric(service, 'voicestream_listeners'),
      (count) => count === 0,
    )
    const again = await listen(service, 'loud')
    assert.equal(again.status, 200)
    again.leave()
  })

  test('is refused where there is nothing to hear, and where it is over', async (t) => {
    const service = await startService(t, { settings: { GRACE_PERIOD_MS: 100 } })
    const client = new HttpClient(t, service)
    await client.packet('text', { sequence: 0, data: 'hello', timestamp: 1 })
    assertProblem(await client.get('/v1/call/text/audio.wav?live=true'), 404)
    assertProblem(await client.get('/v1/call/nobody/audio.wav?live=true'), 404)
    assertProblem(await client.get('/v1/call/text/audio.wav?live=yes'), 422)
    assertProblem(await client.get('/v1/call/text/audio.wav?live=true&behind=31'), 422)
    await client.post('/v1/call/start/over', { media: spokenMedia })
    await client.packet('over', { sequence: 0, data: Buffer.alloc(160).toString('base64'), timestamp: 1 })
    await client.complete('over', 1)
    assertProblem(await client.get('/v1/call/over/audio.wav?live=true'), 409)
  })

  test('names who listens, in the log and, with LISTEN_NOTICE, on the call', async (t) => {
    const service = await startService(t, { settings: { ...credentialSettings, LISTEN_NOTICE: 'true' } })
    const client = new HttpClient(t, service)
    const [ingest, supervisor] = [bearer(tokens.ingest[0]), bearer(tokens.supervisor[0])]
    await client.post('/v1/call/start/seen', { media: spokenMedia }, ingest)
    const listeners = async () => (await client.send('GET', '/v1/call/seen', supervisor)).body['listeners']
    assert.deepEqual(await listeners(), [])
    const heard = await listen(service, 'seen', '', supervisor)
    assert.deepEqual(await listeners(), ['supervisor-1'])
    heard.leave()
    await eventually(listeners, (names) => Array.isArray(names) && names.length === 0)
    const [line] = await logged(service, ({ msg }) => msg === 'a live call is listened to')
    assert.deepEqual([line?.['call_id'], line?.['credential']], ['seen', 'supervisor-1'])
    assertProblem(await client.send('GET', '/v1/call/seen/audio.wav?live=true', ingest), 403)
  })

  test('does not hold up the end of the service', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    const sent = await beginTalk(client, 'drained', [0])
    const heard = await listen(service, 'drained')
    await sent.stop()
    service.kill('SIGTERM')
    assert.equal(await service.exited, 0)
    await heard.whole
  })
})
