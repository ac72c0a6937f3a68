/** `voicestream.ingest.v1` on the real service: what is acknowledged is on disk, and nothing is lost or doubled by a resume. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { subprotocol } from '../../../src/media/native/wire.js'
import { get, type Service, startService, temporaryFolder } from '../../support/service.js'

// biome-ignore lint/suspicious/noExplicitAny: the schemas of answers are other tests’; here their figures are looked at.
type Answer = any

class Gateway {
  readonly socket: WebSocket
  readonly told: Record<string, unknown>[] = []
  acknowledged = 0

  constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/v1/media/native`, subprotocol)
    this.socket.on('error', () => {})
    this.socket.on('message', (data, isBinary) => {
      const bytes = data as Buffer
      if (isBinary) this.acknowledged = bytes.readUInt32LE(4)
      else this.told.push(JSON.parse(bytes.toString()))
    })
  }

  async open(): Promise<this> {
    await once(this.socket, 'open')
    this.socket.send(JSON.stringify({ type: 'hello', gateway: 'gw-1' }))
    return this
  }

  control(message: object): void {
    this.socket.send(JSON.stringify(message))
  }

  async answer(type: string, stream?: number): Promise<Answer> {
    for (let look = 0; look < 1000; look++) {
      const found = this.told.find(
        (message) => message['type'] === type && (stream === undefined || message['stream'] === stream),
      )
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`no ${type}: ${JSON.stringify(this.told)}`)
  }

  async acked(messages: number): Promise<void> {
    for (let look = 0; this.acknowledged < messages; look++) {
      assert(look < 1500, `${this.acknowledged} of ${messages} are acknowledged`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

export function block(stream: number, first: number, packets: number, fill: number): Buffer {
  const bytes = Buffer.alloc(16 + packets * 160, fill)
  bytes.writeUInt8(1, 0)
  bytes.writeUInt8(0, 1)
  bytes.writeUInt16LE(stream, 2)
  bytes.writeUInt32LE(first, 4)
  bytes.writeUInt32LE(first * 20, 8)
  bytes.writeUInt16LE(packets, 12)
  bytes.writeUInt16LE(160, 14)
  return bytes
}

function lost(stream: number, first: number, last: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(2, 0)
  bytes.writeUInt16LE(stream, 2)
  bytes.writeUInt32LE(first, 4)
  bytes.writeUInt32LE(last, 8)
  return bytes
}

async function totalOf(service: Service, call: string): Promise<number> {
  return ((await get(service, `/v1/call/${call}`)).body as { total_received: number }).total_received
}

const start = { media: { encoding: 'mulaw', sample_rate: 8000, channels: 1 }, agent: 'maria' }

describe('the native protocol', () => {
  test('opens streams of many calls, acknowledges blocks once they are stored, and completes calls', async (t) => {
    const service = await startService(t)
    const gateway = await new Gateway(service.port).open()
    const welcome = await gateway.answer('welcome')
    assert(typeof welcome['epoch'] === 'string' && welcome['unsettled_bytes'] > 0)
    for (const stream of [0, 1, 2])
      gateway.control({
        type: 'open',
        stream,
        call_id: `n${stream >> 1}`,
        track: stream & 1,
        start: stream === 1 ? undefined : start,
      })
    for (const stream of [0, 1, 2]) assert.equal((await gateway.answer('opened', stream))['next'], 0)
    for (let at = 0; at < 100; at += 5)
      gateway.socket.send(Buffer.concat([0, 1, 2].map((stream) => block(stream, at, 5, at))))
    // A hole, and a part that comes twice.
    gateway.socket.send(block(0, 110, 5, 1))
    gateway.socket.send(block(0, 98, 5, 1))
    gateway.socket.send(lost(0, 103, 109))
    gateway.socket.send(lost(9, 0, 1))
    await gateway.acked(24)
    assert.equal((await gateway.answer('refused', 9))['code'], 'unknown_stream')
    gateway.control({ type: 'close', stream: 0, total: 115 })
    assert.deepEqual((await gateway.answer('closed', 0))['missing_count'], 7)
    const seen = (await get(service, '/v1/call/n0')).body as Answer
    assert.deepEqual(
      [seen.agent, seen.tracks[0].total_received, seen.tracks[1].total_received, seen.duplicate_count],
      ['maria', 108, 100, 2],
    )
    assert.deepEqual(seen.tracks[0].missing_ranges, [[103, 109]])
    assert.deepEqual(
      seen.notes.map(({ kind, track, text, packets }: Answer) => [kind, track, text, packets]),
      [['skipped', 0, 'lost', 7]],
    )
    const page = (await get(service, '/v1/call/n1/packets?from=97&limit=2')).body as Answer
    assert.deepEqual(
      page.packets.map(({ sequence, data }: Answer) => [sequence, data]),
      [97, 98].map((sequence) => [sequence, Buffer.alloc(160, 95).toString('base64')]),
    )
    gateway.socket.terminate()
  })

  test('loses nothing that was acknowledged by kill -9, and a gateway that sends the rest again has all of it once', async (t) => {
    // Guards against an acknowledgement before the fsync, and against a resume that stores a packet twice.
    const dataDir = temporaryFolder(t)
    const before = await startService(t, { dataDir })
    const gateway = await new Gateway(before.port).open()
    const epoch = (await gateway.answer('welcome'))['epoch']
    gateway.control({ type: 'open', stream: 7, call_id: 'k1', start })
    await gateway.answer('opened', 7)
    const messages = Array.from({ length: 2000 }, (_, index) => block(7, index * 5, 5, index % 251))
    let sent = 0
    while (gateway.acknowledged < 300) {
      for (let burst = 0; burst < 20 && sent < messages.length; burst++)
        gateway.socket.send(messages[sent++] as Buffer)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    before.kill('SIGKILL')
    await before.exited
    const acknowledged = gateway.acknowledged
    assert(acknowledged >= 300 && acknowledged < messages.length, 'killed in the middle')
    const after = await startService(t, { dataDir })
    assert((await totalOf(after, 'k1')) >= acknowledged * 5, 'what was acknowledged is there')
    const again = await new Gateway(after.port).open()
    assert.equal((await again.answer('welcome'))['epoch'], epoch, 'the store is the same')
    again.control({ type: 'open', stream: 7, call_id: 'k1', start })
    const { next } = await again.answer('opened', 7)
    assert(next >= acknowledged * 5)
    const rest = messages.slice(acknowledged)
    for (const message of rest) again.socket.send(message)
    await again.acked(rest.length)
    again.control({ type: 'close', stream: 7, total: messages.length * 5 })
    assert.equal((await again.answer('closed', 7))['missing_count'], 0)
    assert.equal(await totalOf(after, 'k1'), messages.length * 5)
    let from: number | null = 0
    let count = 0
    while (from !== null) {
      const page = (await get(after, `/v1/call/k1/packets?from=${from}&limit=1000`)).body as Answer
      for (const { sequence, data } of page.packets) {
        assert.equal(sequence, count++)
        assert.equal(data, Buffer.alloc(160, Math.floor(sequence / 5) % 251).toString('base64'))
      }
      from = page.next_from
    }
    assert.equal(count, messages.length * 5)
    again.socket.terminate()
  })

  test('refuses what it cannot take with a reason, and closes what is no such message', async (t) => {
    const service = await startService(t)
    const gateway = await new Gateway(service.port).open()
    gateway.socket.send(block(3, 0, 1, 1))
    const refused = await gateway.answer('refused', 3)
    assert.deepEqual([refused['code'], refused['message']], ['unknown_stream', 1])
    await gateway.acked(1)
    for (const [message, code] of [
      [Buffer.from([9, 0, 0, 0]), 1002],
      [block(3, 0, 2, 1).subarray(0, 100), 1002],
      ['{"type":"open"}', 1002],
      [Buffer.alloc(70_000, 1), 1009],
    ] as const) {
      const other = await new Gateway(service.port).open()
      other.socket.send(message)
      const [closed] = await once(other.socket, 'close')
      assert.equal(closed, code)
    }
    assert.equal(service.child.exitCode, null)
  })
})
