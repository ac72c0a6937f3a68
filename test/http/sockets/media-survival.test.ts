/**
 * What users of these platforms report, on the real service: no socket costs another call anything, and what came is kept. Its dialects
 * alone are tried in `media/dialects/**`.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { WebSocket } from 'ws'
import { limits } from '../../../src/limits.js'
import { bearer, credentialSettings, tokens } from '../../support/credentials.js'
import { handshakeLines } from '../../support/handshake.js'
import {
  type Answer,
  closeCode,
  openMedia,
  refusedMedia,
  twilioCall,
  twilioMedia,
  twilioStart,
  twilioStop,
  until,
} from '../../support/media-sockets.js'
import { readMetric } from '../../support/metrics.js'
import { RawConnection, rawRequest } from '../../support/raw-connection.js'
import { eventually, get, type Service, startService } from '../../support/service.js'

const mib = 1024 * 1024

describe('long and short messages', () => {
  test('5 s of stereo at 64 kHz in one message are all kept; so is what follows an empty one and half a sample', async (t) => {
    // Guards against a bound of a leg that is smaller than a message which its platform sends after a slow moment.
    const service = await startService(t)
    const packetBytes = 64_000 * 0.02 * 4
    const packets = 250
    const burst = Buffer.alloc(packets * packetBytes)
    for (let packet = 0; packet < packets; packet++)
      burst.fill(packet, packet * packetBytes, (packet + 1) * packetBytes)
    const socket = await openMedia(service, '/v1/media/freeswitch?rate=64000&mix=stereo')
    socket.send('{"call_id":"burst"}')
    socket.send(burst)
    socket.send(Buffer.alloc(0))
    socket.send(burst.subarray(0, 1))
    socket.send(burst.subarray(1))
    const seen = await until(service, 'burst', ({ total_received }) => total_received === 2 * packets)
    assert.equal(seen.missing_count, 0)
    assert.deepEqual(seen.media, { encoding: 'pcm_s16le', sample_rate: 64_000, channels: 2 })
    const page = (await get(service, `/v1/call/burst/packets?from=${packets - 1}&limit=3`)).body as Answer
    assert.deepEqual(
      page.packets.map(({ data }: Answer) => Buffer.from(data, 'base64')[0]),
      [packets - 1, 0, 1],
    )
    assert.equal(await readMetric(service, 'voicestream_media_packets_shed_total'), 0)
    socket.close()
  })

  test('a message beyond its platform’s bound ends its socket, and what came before is kept', async (t) => {
    const service = await startService(t)
    for (const [index, bytes] of [64 * 1024 + 1, 1_280_000].entries()) {
      const socket = await openMedia(service, '/v1/media/twilio')
      socket.send(twilioStart(['inbound']))
      socket.send(twilioMedia('inbound', 2, 1))
      await until(service, twilioCall, ({ total_received }) => total_received === index + 1)
      socket.send('x'.repeat(bytes))
      // A little too long is told; of more not even the rest is taken in.
      assert.equal(await closeCode(socket), index === 0 ? 1009 : 1006)
      await until(service, twilioCall, ({ legs }) => legs[index]?.ended_at !== null)
    }
  })
})

describe('two sockets of one call', () => {
  test('at the same time are two legs with tracks of their own; one that closes takes nothing from the other', async (t) => {
    const service = await startService(t, { settings: { LEG_GRACE_MS: 600_000 } })
    const first = await openMedia(service, '/v1/media/twilio')
    const second = await openMedia(service, '/v1/media/twilio')
    const other = 'MZ00000000000000000000000000000002'
    first.send(twilioStart(['inbound']))
    await until(service, twilioCall, ({ legs }) => legs?.length === 1)
    second.send(twilioStart(['inbound'], {}, { stream: other }))
    for (let chunk = 1; chunk <= 20; chunk++) {
      first.send(twilioMedia('inbound', chunk + 1, chunk))
      second.send(twilioMedia('inbound', chunk + 1, chunk, other))
    }
    const received = ({ tracks }: Answer) => tracks?.map((track: Answer) => track.total_received)
    await until(service, twilioCall, (seen) => String(received(seen)) === '20,20')
    first.terminate()
    await until(service, twilioCall, ({ legs }) => legs[0].ended_at !== null)
    for (let chunk = 21; chunk <= 40; chunk++) second.send(twilioMedia('inbound', chunk + 1, chunk, other))
    second.send(twilioStop(42, { stream: other }))
    const seen = await until(service, twilioCall, ({ state }) => state !== 'IN_PROGRESS')
    assert.deepEqual(received(seen), [20, 40])
    assert.deepEqual(
      [seen.missing_count, seen.duplicate_count, seen.legs.map((leg: Answer) => leg.ended_by)],
      [0, 0, ['lost', 'stopped']],
    )
    second.terminate()
  })

  test('of which one never sends count nothing as missing', async (t) => {
    const service = await startService(t)
    const socket = await openMedia(service, '/v1/media/twilio')
    socket.send(twilioStart(['inbound', 'outbound']))
    for (let chunk = 1; chunk <= 30; chunk++) socket.send(twilioMedia('inbound', chunk + 1, chunk))
    socket.send(twilioStop(32))
    const seen = await until(service, twilioCall, ({ state }) => state !== 'IN_PROGRESS')
    assert.deepEqual(
      seen.tracks.map((track: Answer) => [track.name, track.total_received, track.missing_count]),
      [
        ['inbound', 30, 0],
        ['outbound', 0, 0],
      ],
    )
    assert.equal(seen.missing_count, 0)
  })
})

describe('a storm of upgrades', () => {
  const upgrade = () => rawRequest({ method: 'GET', path: '/v1/media/vonage', lines: handshakeLines })

  /** So many, one behind the other on one connection; the statuses of their answers. */
  async function storm(service: Service, count: number): Promise<number[]> {
    const connection = await RawConnection.open(service)
    const statuses: number[] = []
    for (let i = 0; i < count; i++) {
      connection.write(upgrade())
      const [answer] = await connection.answered(1)
      assert(answer !== undefined, 'it is not closed')
      statuses.push(answer.status)
      connection.forget()
    }
    await connection.end()
    return statuses
  }

  test('without a token is refused cheaply: nothing is kept, and calls that are on lose nothing', async (t) => {
    const service = await startService(t, { settings: credentialSettings })
    const live = await openMedia(service, `/v1/media/twilio/${tokens.ingest[0]}`)
    live.send(twilioStart(['inbound']))
    const reader = bearer(tokens.supervisor[0])
    await until(service, twilioCall, ({ legs }) => legs?.length === 1, reader)
    const metrics = async () => (await fetch(`${service.url}/metrics`, { headers: reader })).text()
    const memory = async () =>
      Number(/^voicestream_process_resident_memory_bytes (\S+)$/m.exec(await metrics())?.[1])
    await storm(service, 300)
    const before = await memory()
    let chunk = 0
    const sending = setInterval(() => {
      chunk++
      live.send(twilioMedia('inbound', chunk + 1, chunk))
    }, 20)
    const answers = await Promise.all(Array.from({ length: 20 }, () => storm(service, 250)))
    clearInterval(sending)
    const statuses = answers.flat()
    const count = (status: number) => statuses.filter((each) => each === status).length
    assert.equal(count(401) + count(503), 5000)
    assert(count(401) > 0 && count(503) > 0, `${count(401)} looked at, ${count(503)} beyond the rate`)
    const grown = (await memory()) - before
    assert(grown < 32 * mib, `${grown / mib} MiB`)
    const seen = await until(service, twilioCall, ({ total_received }) => total_received === chunk, reader)
    assert(chunk > 5, 'audio came meanwhile')
    assert.equal(seen.missing_count, 0)
    // A second later its address is looked at again.
    const headers = bearer(tokens.ingest[0])
    await eventually(
      async () => {
        const socket = await openMedia(service, '/v1/media/vonage', { headers }).catch(() => null)
        socket?.terminate()
        return socket
      },
      (socket) => socket !== null,
    )
    live.terminate()
  })

  test('that would bring a token is bounded: beyond it 503, until one has brought its token or is gone', async (t) => {
    const service = await startService(t, { settings: credentialSettings })
    const sockets = []
    for (let i = 0; i < limits.mediaUnknownPerAddressMax; i++) {
      // Fewer in a second than are looked at.
      if (i === 200) await new Promise((resolve) => setTimeout(resolve, 1000))
      sockets.push(await openMedia(service, '/v1/media/twilio'))
    }
    const refusal = await refusedMedia(service, '/v1/media/twilio')
    assert.deepEqual([refusal.status, refusal.headers['retry-after']], [503, '1'])
    // Who says who they are is not held up.
    ;(await openMedia(service, `/v1/media/twilio/${tokens.ingest[0]}`)).terminate()
    const [first, second] = sockets
    first?.send(twilioStart(['inbound'], { token: tokens.ingest[0] }))
    await until(service, twilioCall, ({ legs }) => legs?.length === 1, bearer(tokens.supervisor[0]))
    const next = await openMedia(service, '/v1/media/twilio')
    assert.equal((await refusedMedia(service, '/v1/media/twilio')).status, 503)
    second?.close()
    await eventually(
      () =>
        openMedia(service, '/v1/media/twilio').then(
          () => true,
          () => false,
        ),
      (isIn) => isIn,
    )
    for (const socket of [...sockets, next]) socket.terminate()
  })
})

const straces = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

describe('a stuck disk', { skip: straces ? false : 'needs strace and the right to trace' }, () => {
  /** From now on each commit takes so long, until it is ended. */
  async function stickDisk(pid: number, stuckMs: number): Promise<ChildProcess> {
    const inject = `inject=fsync,fdatasync:delay_enter=${stuckMs * 1000}`
    const trace = ['-e', 'trace=fsync,fdatasync', '-e', inject, '-o', '/dev/null']
    const strace = spawn('strace', ['-f', ...trace, '-p', String(pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    // What it says later is read, too: it would end when nobody did.
    await new Promise<void>((attached) => {
      let said = ''
      strace.stderr.on('data', (text) => {
        said += text
        if (said.includes('attached')) attached()
      })
    })
    return strace
  }

  test('does not keep 500 AudioHook sessions at once from being opened', async (t) => {
    // A client waits 5 s for `opened`, so it may not wait for a commit; that it is on disk is not what it says.
    const stuckMs = 6000
    const service = await startService(t)
    const count = 500
    const sockets: WebSocket[] = []
    for (let i = 0; i < count; i++) {
      // Fewer in a second than are looked at.
      if (i % 200 === 0 && i > 0) await new Promise((resolve) => setTimeout(resolve, 1000))
      sockets.push(await openMedia(service, '/v1/media/audiohook'))
    }
    const strace = await stickDisk(service.child.pid ?? 0, stuckMs)
    t.after(() => strace.kill())
    const commits = () => readMetric(service, 'voicestream_commit_seconds_count')
    const before = await commits()
    const opened = sockets.map(async (socket) => {
      const id = randomUUID()
      const answered = once(socket, 'message', { signal: AbortSignal.timeout(20_000) })
      socket.send(JSON.stringify(audioHookOpen(id)))
      const [data] = await answered
      assert.equal(JSON.parse(String(data)).type, 'opened')
      // Audio follows at once, while the start of its call waits for the disk.
      socket.send(Buffer.alloc(3200, 0xff))
      return id
    })
    const ids = await Promise.all(opened)
    assert.equal(await commits(), before, 'the disk was stuck all the time')
    strace.kill()
    for (const id of [ids[0], ids[count - 1]])
      await until(service, id ?? '', ({ total_received }) => total_received === 1)
    assert.equal(await readMetric(service, 'voicestream_media_packets_shed_total'), 0)
    for (const socket of sockets) socket.terminate()
  })

  const audioHookOpen = (id: string) => ({
    version: '2',
    type: 'open',
    id,
    seq: 1,
    serverseq: 0,
    position: 'PT0S',
    parameters: {
      organizationId: randomUUID(),
      conversationId: id,
      participant: { id: randomUUID(), ani: '+1', aniName: 'n', dnis: '+2' },
      media: [{ type: 'audio', format: 'PCMU', channels: ['external', 'internal'], rate: 8000 }],
    },
  })
})
