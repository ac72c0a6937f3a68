/**
 * The shortest legal messages of each platform, as its documents show them. Guards against an audio message that is lost, kept
 * under a wrong number, or told before the start that says whose it is.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import { JsonStream } from '../../../../src/media/dialects/json-stream/json-stream.js'
import {
  bandwidth,
  exotel,
  plivo,
  type StreamPlatform,
  signalwire,
  telnyx,
  twilio,
  voximplant,
} from '../../../../src/media/dialects/json-stream/platforms.js'
import {
  type AudioEvent,
  accountsOf,
  audioOf,
  bytesOf,
  dialectRequest,
  feed,
  type Message,
  soundOf,
  startOf,
  startsOf,
  typesOf,
} from '../../../support/media-events.js'

const sound = Buffer.from(Array.from({ length: 160 }, (_, i) => (i * 7) & 0xff))
const payload = sound.toString('base64')
const sid = 'MZ00000000000000000000000000000001'
const callSid = 'CA00000000000000000000000000000001'

function stream(platform: StreamPlatform, query: Readonly<Record<string, string>> = {}): JsonStream {
  return new JsonStream(platform, dialectRequest({ query }))
}

function twilioStart(change: object = {}): object {
  const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 }
  const customParameters = { token: 't1', 'voicestream.agent': 'maria', shop: 'north' }
  const accountSid = 'AC00000000000000000000000000000001'
  const tracks = ['inbound', 'outbound']
  return {
    event: 'start',
    sequenceNumber: '1',
    streamSid: sid,
    start: { streamSid: sid, accountSid, callSid, tracks, customParameters, mediaFormat, ...change },
  }
}

function twilioMedia(
  sequence: number,
  track: string,
  chunk: unknown,
  timestamp = 60,
  data = payload,
): object {
  const media = { track, chunk, timestamp: String(timestamp), payload: data }
  return { event: 'media', sequenceNumber: String(sequence), streamSid: sid, media }
}

describe('Twilio', () => {
  test('tells the call, its tracks, its token and its parameters, and then each packet by its number', () => {
    const dialect = stream(twilio)
    assert.deepEqual(feed(dialect, { event: 'connected', protocol: 'Call', version: '1.0.0' }), [])
    const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 } as const
    assert.deepEqual(feed(dialect, twilioStart()), [
      {
        type: 'start',
        call: callSid,
        leg: sid,
        tracks: [
          { name: 'inbound', media },
          { name: 'outbound', media },
        ],
        packetBytes: null,
        details: { agent: 'maria', metadata: { shop: 'north' } },
        token: 't1',
        isProbe: false,
      },
    ])
    const [audio] = audioOf(feed(dialect, twilioMedia(2, 'inbound', '1')))
    assert(audio !== undefined)
    assert.deepEqual({ ...audio, data: null }, {
      type: 'audio',
      track: 0,
      index: 0,
      atMs: 60,
      data: null,
      isBase64: true,
    } as const)
    assert.deepEqual(bytesOf(audio), sound)
    assert.deepEqual(
      feed(dialect, { event: 'stop', sequenceNumber: '3', streamSid: sid, stop: { callSid } }),
      [{ type: 'stop', why: 'stopped', totals: [1, 0] }],
    )
    assert.deepEqual(dialect.closed(true), [])
  })

  test('is read behind a byte order mark, too', () => {
    // Each message was ignored, and the call was never there.
    const marked = [twilioStart(), twilioMedia(2, 'inbound', '1')].map(
      (each) => `\ufeff${JSON.stringify(each)}`,
    )
    const events = feed(stream(twilio), ...marked)
    assert.deepEqual(typesOf(events), ['start', 'audio'])
    assert.deepEqual(bytesOf(audioOf(events)[0] as AudioEvent), sound)
  })

  test('passes a payload as a view of the message', () => {
    const dialect = stream(twilio)
    feed(dialect, twilioStart())
    const message = Buffer.from(JSON.stringify(twilioMedia(2, 'inbound', '1')))
    const [audio] = audioOf(dialect.feed(message, false))
    assert.equal(audio?.data.buffer, message.buffer)
  })

  for (const { counts, chunks } of [
    { counts: 'all media of the stream', chunks: ['1', '2', '3', '4'] },
    { counts: 'the media of each track', chunks: ['1', '1', '2', '2'] },
  ])
    test(`numbers two tracks where a chunk counts ${counts}`, () => {
      const dialect = stream(twilio)
      const names = ['inbound', 'outbound']
      const media = chunks.map((chunk, i) =>
        twilioMedia(i + 2, names[i % 2] as string, chunk, 60 + 20 * Math.floor(i / 2)),
      )
      const events = feed(dialect, twilioStart(), ...media)
      assert.deepEqual(
        audioOf(events).map(({ track, index }) => [track, index]),
        [
          [0, 0],
          [1, 0],
          [0, 1],
          [1, 1],
        ],
      )
    })

  test('says nothing to the platform, whatever comes', () => {
    const dialect = stream(twilio)
    const messages: Message[] = [
      { event: 'connected' },
      twilioStart(),
      twilioMedia(2, 'inbound', '1'),
      { event: 'mark', sequenceNumber: '3', streamSid: sid, mark: { name: 'm1' } },
      { event: 'unheard of', sequenceNumber: '4' },
      'no JSON',
      '[1]',
      Buffer.from([1, 2, 3]),
      { event: 'dtmf', sequenceNumber: '5', streamSid: sid, dtmf: { track: 'inbound_track', digit: '1' } },
    ]
    const events = [...feed(dialect, ...messages), ...dialect.closed(false)]
    assert.deepEqual(typesOf(events), ['start', 'audio', 'mark', 'warning', 'warning', 'dtmf', 'stop'])
    assert(!JSON.stringify(events).includes('"digit"'), 'a digit is counted, never told')
  })

  test('counts other messages of the stream as none of the lost ones', () => {
    const dialect = stream(twilio)
    const dtmf = { event: 'dtmf', sequenceNumber: '3', streamSid: sid, dtmf: { digit: '1' } }
    const events = feed(
      dialect,
      twilioStart({ tracks: ['inbound'] }),
      twilioMedia(2, 'inbound', undefined),
      dtmf,
      twilioMedia(4, 'inbound', undefined),
    )
    assert.deepEqual(
      audioOf(events).map(({ index }) => index),
      [0, 1],
    )
  })

  test('tells what a relative says of itself: parties, linear samples, longer packets', () => {
    const start = twilioStart({
      from: '+911',
      to: '+912',
      direction: 'inbound',
      tracks: undefined,
      mediaFormat: { encoding: 'audio/x-l16', sampleRate: '16000', bitRate: 256 },
    })
    const { details, tracks } = startOf(feed(stream(signalwire), start))
    assert.equal(details.caller, '+911')
    assert.equal(details.callee, '+912')
    assert.equal(details.direction, 'inbound')
    assert.deepEqual(tracks, [
      { name: 'inbound', media: { encoding: 'pcm_s16le', sample_rate: 16_000, channels: 1 } },
    ])
  })
})

describe('Telnyx', () => {
  const start = {
    event: 'start',
    sequence_number: '1',
    stream_id: 's-1',
    start: {
      call_control_id: 'v3:cc-1',
      call_session_id: 'cs-1',
      from: '+15550100',
      to: '+15550101',
      client_state: '',
      media_format: { encoding: 'PCMA', sample_rate: 8000, channels: 1 },
    },
  }
  const media = (sequence: string, chunk: string, track = 'outbound') => ({
    event: 'media',
    sequence_number: sequence,
    stream_id: 's-1',
    media: { track, chunk, timestamp: '20', payload },
  })

  test('keeps packets that overtook one another, each under its own number', () => {
    const dialect = stream(telnyx)
    const events = feed(
      dialect,
      start,
      media('3', '1'),
      media('2', '1', 'inbound'),
      media('5', '3'),
      media('4', '2'),
    )
    const { call, leg, tracks, details } = startOf(events)
    assert.deepEqual([call, leg], ['v3:cc-1', 's-1'])
    // The codec is the leg's, whatever was asked for: PCMA in Europe.
    assert.equal(tracks[0]?.media.encoding, 'alaw')
    assert.deepEqual([details.caller, details.callee], ['+15550100', '+15550101'])
    assert.deepEqual(typesOf(events), ['start', 'audio', 'audio', 'audio', 'audio'])
    assert.deepEqual(
      audioOf(events).map(({ track, index }) => [track, index]),
      [
        [1, 0],
        [0, 0],
        [1, 2],
        [1, 1],
      ],
    )
  })

  test('tells an error as a warning, and goes on', () => {
    const dialect = stream(telnyx)
    const error = {
      event: 'error',
      stream_id: 's-1',
      payload: { code: 100004, title: 'invalid_media', detail: 'd' },
    }
    const events = feed(dialect, start, error, media('2', '1'), { event: 'stop', stream_id: 's-1', stop: {} })
    assert.deepEqual(typesOf(events), ['start', 'warning', 'audio', 'stop'])
    assert.deepEqual(events.at(-1), { type: 'stop', why: 'stopped', totals: null })
  })

  test('turns linear samples round that come in network order', () => {
    const speech = Buffer.alloc(320)
    for (let i = 0; i < 160; i++) speech.writeInt16LE(Math.round(900 * Math.sin(i / 5)), i * 2)
    const l16 = {
      ...start,
      start: { ...start.start, media_format: { encoding: 'L16', sample_rate: 16_000 } },
    }
    for (const { isSwapped, query } of [
      { isSwapped: true, query: {} },
      { isSwapped: false, query: {} },
      { isSwapped: true, query: { byte_order: 'big' } },
    ] as const) {
      const sent = Buffer.from(speech)
      if (isSwapped) sent.swap16()
      const dialect = stream(telnyx, query)
      const message = media('2', '1', 'inbound')
      const events = feed(dialect, l16, {
        ...message,
        media: { ...message.media, payload: sent.toString('base64') },
      })
      assert.deepEqual(soundOf(events), speech)
    }
  })

  test('a codec without a word of ours is kept, and named', () => {
    const opus = {
      ...start,
      start: { ...start.start, media_format: { encoding: 'OPUS', sample_rate: 48_000 } },
    }
    const events = feed(stream(telnyx), opus, media('2', '1', 'inbound'))
    assert.deepEqual(typesOf(events), ['warning', 'start', 'audio'])
    assert.equal(startOf(events).details.metadata?.['codec'], 'opus')
    assert.deepEqual(soundOf(events), sound)
  })
})

describe('Plivo', () => {
  const streamId = '22222222-2222-4222-8222-222222222222'
  const callId = '11111111-1111-4111-8111-111111111111'
  const start = {
    event: 'start',
    sequenceNumber: 1,
    start: {
      callId,
      streamId,
      accountId: 'MA1',
      tracks: ['inbound'],
      mediaFormat: { encoding: 'audio/x-l16', sampleRate: 8000 },
    },
    extra_headers: 'a=1;b=2',
  }
  const media = (sequence: number, chunk: number, timestamp: string) => ({
    event: 'media',
    sequenceNumber: sequence,
    streamId,
    media: { track: 'inbound', timestamp, chunk, payload },
    extra_headers: 'a=1;b=2',
  })

  test('tells time from the start of the stream, and ends with its socket', () => {
    const dialect = stream(plivo)
    const events = feed(dialect, start, media(2, 1, '1760000000000'), media(3, 2, '1760000000020'))
    assert.deepEqual([startOf(events).call, startOf(events).leg], [callId, streamId])
    assert.deepEqual(startOf(events).details.metadata, { a: '1', b: '2' })
    assert.deepEqual(
      audioOf(events).map(({ index, atMs }) => [index, atMs]),
      [
        [0, 0],
        [1, 20],
      ],
    )
    assert.deepEqual(dialect.closed(true), [{ type: 'stop', why: 'closed', totals: null }])
  })

  test('begins at the first chunk that it shows, where nothing came between it and the start', () => {
    for (const { first, index } of [
      { first: media(2, 0, '1'), index: 0 },
      { first: media(2, 5, '1'), index: 0 },
      { first: media(4, 3, '1'), index: 2 },
    ])
      assert.deepEqual(
        audioOf(feed(stream(plivo), start, first)).map((each) => each.index),
        [index],
      )
  })
})

describe('Exotel', () => {
  test('tells one mixed track, parties and the parameters of its URL', () => {
    const start = {
      event: 'start',
      sequence_number: '1',
      stream_sid: 'st1',
      start: {
        stream_sid: 'st1',
        call_sid: 'c1',
        account_sid: 'a1',
        from: '+91000',
        to: '+91001',
        custom_parameters: { k: 'v' },
        media_format: { encoding: 'audio/x-raw', sample_rate: '8000', bit_rate: '16' },
      },
    }
    const events = feed(
      stream(exotel),
      { event: 'connected' },
      start,
      {
        event: 'media',
        sequence_number: '2',
        stream_sid: 'st1',
        media: { chunk: '1', timestamp: '100', payload },
      },
      { event: 'dtmf', sequence_number: '3', stream_sid: 'st1', dtmf: { digit: '5', duration: '120' } },
      {
        event: 'stop',
        sequence_number: '4',
        stream_sid: 'st1',
        stop: { call_sid: 'c1', account_sid: 'a1', reason: 'callended' },
      },
    )
    assert.deepEqual(typesOf(events), ['start', 'audio', 'dtmf', 'stop'])
    const { call, leg, tracks, details } = startOf(events)
    assert.deepEqual([call, leg], ['c1', 'st1'])
    assert.deepEqual(tracks, [
      { name: 'mix', media: { encoding: 'pcm_s16le', sample_rate: 8000, channels: 1 } },
    ])
    assert.deepEqual(details, { caller: '+91000', callee: '+91001', metadata: { k: 'v' } })
    assert.deepEqual(events.slice(2), [
      { type: 'dtmf', durationMs: 120 },
      { type: 'stop', why: 'stopped', totals: [1] },
    ])
  })
})

describe('Bandwidth', () => {
  test('is counted, because it numbers nothing', () => {
    const start = {
      eventType: 'start',
      metadata: {
        accountId: '9',
        callId: 'c-1',
        streamId: 's-1',
        streamName: 'n',
        tracks: [{ name: 'inbound', mediaFormat: { encoding: 'PCMU', sampleRate: 8000 } }],
      },
      streamParams: { a: 'b' },
    }
    const media = { eventType: 'media', track: 'inbound', payload }
    const events = feed(stream(bandwidth), start, media, media, { eventType: 'stop' })
    assert.deepEqual(typesOf(events), ['start', 'audio', 'audio', 'stop'])
    assert.deepEqual([startOf(events).call, startOf(events).leg], ['c-1', 's-1'])
    assert.deepEqual(startOf(events).details.metadata, { a: 'b', stream_name: 'n' })
    assert.deepEqual(
      audioOf(events).map(({ index }) => index),
      [null, null],
    )
    assert.deepEqual(events.at(-1), { type: 'stop', why: 'stopped', totals: null })
  })
})

describe('Voximplant', () => {
  const start = (sampleRate: number, tag?: string) => ({
    event: 'start',
    sequenceNumber: 0,
    ...(tag === undefined ? {} : { tag }),
    start: { mediaFormat: { encoding: 'PCM16', sampleRate }, customParameters: { call: 'c1' } },
  })
  const media = (sequence: number, chunk: number, tag?: string) => ({
    event: 'media',
    sequenceNumber: sequence,
    ...(tag === undefined ? {} : { tag }),
    media: { chunk, timestamp: 0, payload },
  })
  const stop = (sequence: number, tag?: string) => ({
    event: 'stop',
    sequenceNumber: sequence,
    ...(tag === undefined ? {} : { tag }),
    stop: {},
  })

  test('may start again on the same socket, in another format', () => {
    const events = feed(
      stream(voximplant),
      ...[start(16_000), media(1, 1), stop(2), start(8000), media(1, 1), media(2, 2), stop(3)],
    )
    assert.deepEqual(typesOf(events), ['start', 'audio', 'stop', 'start', 'audio', 'audio', 'stop'])
    assert.deepEqual(
      startsOf(events).map(({ call, tracks }) => [call, tracks[0]?.media.sample_rate]),
      [
        ['c1', 16_000],
        ['c1', 8000],
      ],
    )
    assert.deepEqual(
      audioOf(events).map(({ index }) => index),
      [0, 0, 1],
    )
  })

  test('may carry several streams at once: each tag is a track', () => {
    const events = feed(
      stream(voximplant),
      ...[start(16_000, 'a'), media(1, 1, 'a'), start(16_000, 'b'), media(1, 1, 'b'), media(2, 2, 'a')],
      ...[stop(3, 'a'), media(2, 2, 'b'), stop(3, 'b')],
    )
    assert.deepEqual(typesOf(events), ['start', 'audio', 'track', 'audio', 'audio', 'audio', 'stop'])
    assert.deepEqual(
      accountsOf(events).map((leg) =>
        leg.map(({ track, received, missing }) => [track.name, received, missing]),
      ),
      [
        [
          ['a', 2, []],
          ['b', 2, []],
        ],
      ],
    )
  })
})
