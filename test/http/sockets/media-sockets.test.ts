/** Media streams on the real service: what a platform sends is stored, counted and told, and a socket cannot hurt anybody. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { limits } from '../../../src/limits.js'
import { FeedClient } from '../../support/feed-client.js'
import {
  type Answer,
  twilioCall as call,
  openMedia as opened,
  silence,
  twilioMedia,
  twilioStart,
  twilioStop,
  until,
  view,
} from '../../support/media-sockets.js'
import { get, getText, startService } from '../../support/service.js'

describe('a Twilio stream', () => {
  test('is a call with a track for each side; a lost packet is a gap, and its end completes the call', async (t) => {
    // Guards against two sides that are mixed into one row of numbers, and against a platform's loss that nobody sees.
    const service = await startService(t)
    const feed = new FeedClient(t, service)
    const socket = await opened(service, '/v1/media/twilio')
    socket.send(JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' }))
    socket.send(twilioStart(['inbound', 'outbound'], { order: '77' }))
    let number = 2
    for (let chunk = 1; chunk <= 50; chunk++)
      for (const track of ['inbound', 'outbound']) {
        if (!(track === 'inbound' && chunk === 20)) socket.send(twilioMedia(track, number, chunk))
        number++
      }
    socket.send(twilioStop(number))
    const seen = await until(
      service,
      call,
      ({ tracks }) => tracks?.[0]?.total_received === 49 && tracks[1]?.total_received === 50,
    )
    assert.deepEqual(
      seen['tracks'].map((track: Answer) => [
        track.name,
        track.media.encoding,
        track.missing_count,
        track.missing_ranges,
      ]),
      [
        ['inbound', 'mulaw', 1, [[19, 19]]],
        ['outbound', 'mulaw', 0, []],
      ],
    )
    assert.deepEqual(seen['metadata'].order, '77')
    const ended = await until(service, call, ({ state }) => state !== 'IN_PROGRESS')
    assert.deepEqual([ended['reason'], ended['legs'][0].ended_by], ['completed', 'stopped'])
    const page = (await get(service, `/v1/call/${call}/packets?track=1&limit=2`)).body as Answer
    assert.deepEqual(
      page.packets.map((packet: Answer) => [packet.track, packet.sequence, packet.data]),
      [
        [1, 0, silence],
        [1, 1, silence],
      ],
    )
    const gaps = (await get(service, `/v1/call/${call}/gaps?track=0`)).body as Answer
    assert.deepEqual(gaps.gaps, [[19, 19]])
    const told = feed.events.filter(({ event }) => event === 'packets_received')
    assert(told.length >= 2 && told.length <= 20, `${told.length} events for 99 packets`)
    assert.equal(
      told.reduce((sum, event) => sum + (event.event === 'packets_received' ? event.count : 0), 0),
      99,
    )
    // The service closes a stream that has ended and whose platform does not.
    await once(socket, 'close')
  })

  test('whose socket breaks goes on as another leg, and everything that came is stored', async (t) => {
    const service = await startService(t)
    for (const round of [0, 1]) {
      const socket = await opened(service, '/v1/media/twilio')
      socket.send(twilioStart(['inbound']))
      for (let chunk = 1; chunk <= 10; chunk++) socket.send(twilioMedia('inbound', chunk + 1, chunk))
      await until(service, call, ({ total_received }) => total_received === 10 * (round + 1))
      socket.terminate()
      await until(service, call, ({ legs }) => legs?.[round]?.ended_at !== null)
    }
    const seen = await view(service, call)
    assert.deepEqual(
      seen['legs'].map(({ ended_by }: Answer) => ended_by),
      ['lost', 'lost'],
    )
    assert.equal(seen['state'], 'IN_PROGRESS', 'another leg may come')
    assert.equal(seen['total_received'], 20)
    assert.equal(seen['duplicate_count'], 0)
  })
})

describe('a stream whose call is over', () => {
  test('is closed, its packets count as rejected, and the service stops at once', async (t) => {
    // Guards against a session that is never done: every stop would wait for it.
    const service = await startService(t)
    for (const round of [0, 1]) {
      const socket = await opened(service, '/v1/media/twilio')
      socket.send(twilioStart(['inbound']))
      if (round === 0) {
        for (let chunk = 1; chunk <= 10; chunk++) socket.send(twilioMedia('inbound', chunk + 1, chunk))
        await until(service, call, ({ total_received }) => total_received === 10)
        await fetch(`${service.url}/v1/call/complete/${call}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"total_packets":10}',
        })
        await until(service, call, ({ state }) => state !== 'IN_PROGRESS' && state !== 'COMPLETED')
        for (let chunk = 11; chunk <= 30; chunk++) socket.send(twilioMedia('inbound', chunk + 1, chunk))
      }
      const [code] = await once(socket, 'close')
      assert.equal(code, 1008)
    }
    const metrics = await getText(service, '/metrics')
    // The first one that is rejected closes the socket; how many were on their way is a matter of time.
    assert.match(metrics, /status="rejected"\} [1-9]/)
    const stopAt = performance.now()
    service.kill('SIGTERM')
    assert.equal(await service.exited, 0)
    assert(performance.now() - stopAt < limits.drainMsMax / 4, 'nothing was waited for')
  })
})

describe('the upgrade of a media stream', () => {
  test('is refused before the 101 without a token that is known, and let in with one, wherever it stands', async (t) => {
    const service = await startService(t, {
      settings: {
        INGEST_TOKENS: 'good-token-0123456789abcdef',
        SUPERVISOR_TOKENS: 'reader-token-0123456789abcdef',
      },
    })
    const refused = async (path: string, headers: Record<string, string> = {}) => {
      const socket = new WebSocket(`ws://127.0.0.1:${service.port}${path}`, { headers })
      const [error] = (await once(socket, 'error')) as [Error]
      return error.message
    }
    assert.match(await refused('/v1/media/vonage'), /401/)
    assert.match(await refused('/v1/media/vonage', { authorization: 'Bearer wrong' }), /401/)
    assert.match(
      await refused('/v1/media/vonage', { authorization: 'Bearer reader-token-0123456789abcdef' }),
      /403/,
    )
    assert.match(await refused('/v1/media/nobody'), /404/)
    const basic = Buffer.from('gw:good-token-0123456789abcdef').toString('base64')
    for (const [path, headers] of [
      ['/v1/media/vonage', { authorization: 'Bearer good-token-0123456789abcdef' }],
      ['/v1/media/vonage', { authorization: `Basic ${basic}` }],
      ['/v1/media/vonage/good-token-0123456789abcdef', {}],
    ] as const)
      (await opened(service, path, { headers })).terminate()
    // A platform that cannot send a header brings the token in its start.
    for (const [token, code] of [
      ['good-token-0123456789abcdef', null],
      ['wrong', 1008],
    ] as const) {
      const socket = await opened(service, '/v1/media/twilio')
      socket.send(twilioStart(['inbound'], { token }))
      if (code !== null) {
        const [closed] = await once(socket, 'close')
        assert.equal(closed, code)
      } else socket.terminate()
    }
    assert.equal((await fetch(`${service.url}/v1/media/twilio`)).status, 426, 'no upgrade')
    const log = JSON.stringify(service.log)
    assert(!log.includes('good-token'), 'no token is in the log')
  })
})

describe('a socket that sends', () => {
  test('anything at all harms nobody: it is closed, or ignored, and the next call is taken', async (t) => {
    // Guards against a message that throws in the handler, which would end the process.
    const service = await startService(t)
    const inputs: (string | Buffer)[] = [
      '',
      '{',
      'null',
      '[]',
      '"x"',
      '{"event":"start"}',
      '{"event":"media","media":{}}',
      '{"event":"stop"}',
      twilioStart(['inbound']).replace(call, 'x'.repeat(400)),
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(60_000, 7),
      JSON.stringify({ event: 'start', start: { callSid: { a: 1 }, tracks: 7, mediaFormat: 'x' } }),
      '{"a":1}{"b":2}',
      'MEDIA_START',
      'EVENT',
      '\u0000',
    ]
    for (const dialect of [
      'twilio',
      'telnyx',
      'plivo',
      'exotel',
      'bandwidth',
      'voximplant',
      'vonage',
      'sinch',
      'jambonz',
      'freeswitch',
      'asterisk',
      'audiohook',
      'native',
      '',
    ]) {
      const socket = await opened(service, dialect === '' ? '/v1/media' : `/v1/media/${dialect}`)
      socket.on('error', () => {})
      for (const input of inputs) if (socket.readyState === WebSocket.OPEN) socket.send(input)
      await new Promise((resolve) => setTimeout(resolve, 20))
      socket.terminate()
    }
    assert.equal(service.child.exitCode, null)
    const socket = await opened(service, '/v1/media/twilio')
    socket.send(twilioStart(['inbound']))
    socket.send(twilioMedia('inbound', 2, 1))
    await until(service, call, ({ total_received }) => total_received >= 1)
  })
})

describe('AudioSocket', () => {
  test('over TCP, cut anywhere, is a call of linear samples that the end of the connection ends', async (t) => {
    const service = await startService(t, { settings: { AUDIOSOCKET_PORT: 0 } })
    assert.equal(
      service.log.some(({ msg }) => String(msg).includes('AudioSocket')),
      false,
      'off by default',
    )
    const { createServer } = await import('node:net')
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const port = (free.address() as { port: number }).port
    await new Promise((resolve) => free.close(resolve))
    const second = await startService(t, { settings: { AUDIOSOCKET_PORT: port, LEG_GRACE_MS: 300 } })
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const bytes = Buffer.concat([
      Buffer.from('010010a1b2c3d4e5f647898abcdef012345678', 'hex'),
      ...Array.from({ length: 50 }, (_, index) =>
        Buffer.concat([Buffer.from('100140', 'hex'), Buffer.alloc(320, index)]),
      ),
    ])
    for (let at = 0; at < bytes.length; at += 777) socket.write(bytes.subarray(at, at + 777))
    const id = 'a1b2c3d4-e5f6-4789-8abc-def012345678'
    const seen = await until(second, id, ({ total_received }) => total_received === 50)
    assert.deepEqual(seen['media'], { encoding: 'pcm_s16le', sample_rate: 8000, channels: 1 })
    socket.end()
    const ended = await until(second, id, ({ state }) => state !== 'IN_PROGRESS')
    assert.equal(ended['legs'][0].ended_by, 'closed')
  })
})
