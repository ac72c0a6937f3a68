/**
 * Platforms that say in one text what the call is, and then send raw audio. Guards against audio that is lost because it came before
 * its text, a text that nobody can parse, and a format that the vendor's name would suggest and the text denies.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import { asterisk } from '../../../../src/media/dialects/preamble/asterisk.js'
import { freeswitch } from '../../../../src/media/dialects/preamble/freeswitch.js'
import { jambonz } from '../../../../src/media/dialects/preamble/jambonz.js'
import {
  type PreambleReader,
  PreambleStream,
} from '../../../../src/media/dialects/preamble/preamble-stream.js'
import { sinch } from '../../../../src/media/dialects/preamble/sinch.js'
import { vonage } from '../../../../src/media/dialects/preamble/vonage.js'
import { heldBytesMax } from '../../../../src/media/held-messages.js'
import {
  audioOf,
  dialectRequest,
  feed,
  repliesOf,
  soundOf,
  startOf,
  typesOf,
} from '../../../support/media-events.js'
import { capturedMessages, readCapture } from '../../../support/websocket-capture.js'

const stream = (reader: PreambleReader) => new PreambleStream(reader)
const linear = (sample_rate: number, channels = 1) =>
  ({ encoding: 'pcm_s16le', sample_rate, channels }) as const
const tone = Buffer.alloc(640)
for (let i = 0; i < 320; i++) tone.writeInt16LE(Math.round(3000 * Math.sin(i / 4)), i * 2)

describe('Vonage', () => {
  const connected = { event: 'websocket:connected', 'content-type': 'audio/l16;rate=8000', call_uuid: 'u-1' }

  test('tells call, rate and headers; digits count and mutes are pauses', () => {
    const dialect = stream(vonage)
    const events = feed(
      dialect,
      { ...connected, shop: 7, list: [1, { a: 2 }] },
      tone,
      { event: 'websocket:dtmf', digit: '5', duration: 260 },
      { event: 'websocket:media:update', active: false },
      { event: 'websocket:media:update', active: true },
      { event: 'websocket:notify' },
    )
    const { call, tracks, packetBytes, details } = startOf(events)
    assert.deepEqual([call, packetBytes, tracks], ['u-1', 320, [{ name: 'mix', media: linear(8000) }]])
    assert.deepEqual(details.metadata, { call_uuid: 'u-1', shop: '7', list: '[1,{"a":2}]' })
    assert.deepEqual(typesOf(events), ['start', 'audio', 'dtmf', 'paused', 'resumed'])
    assert.deepEqual(soundOf(events), tone)
    assert.deepEqual(dialect.closed(true), [{ type: 'stop', why: 'closed', totals: null }])
  })

  test('sends nothing back', () => {
    assert.deepEqual(repliesOf(feed(stream(vonage), connected, tone)), [])
  })

  test('has a relative that names its samples otherwise', () => {
    const infobip = {
      ...connected,
      'content-type': 'audio/x-private-pcm-16;rate=16000',
      callId: 'i-1',
      from: '+1',
    }
    const { tracks, details } = startOf(feed(stream(vonage), infobip))
    assert.deepEqual(tracks[0]?.media, linear(16_000))
    assert.equal(details.caller, '+1')
  })
})

test('Sinch is answered before anything else', () => {
  const dialect = stream(sinch(dialectRequest()))
  const connect = {
    command: 'connect',
    version: 1,
    callId: 'c1',
    applicationKey: 'k',
    codec: 'PCM',
    sampleRate: 8000,
  }
  const events = feed(dialect, { ...connect, callHeaders: { a: 'b' } }, tone)
  assert.deepEqual(typesOf(events), ['reply', 'start', 'audio'])
  assert.deepEqual(repliesOf(events), [{ command: 'answer' }])
  assert.deepEqual([startOf(events).call, startOf(events).details.metadata], ['c1', { a: 'b' }])
  assert.deepEqual(repliesOf(feed(dialect, tone, { command: 'unheard of' })), [])
})

test('Sinch is told that there is no room, and nothing of it is kept', () => {
  // Guards against an answer to a call that the next close of its socket would hang up.
  const dialect = stream(sinch({ ...dialectRequest(), isBusy: () => true }))
  const events = feed(dialect, { command: 'connect', callId: 'c1', codec: 'PCM', sampleRate: 8000 }, tone)
  assert.deepEqual(typesOf(events).slice(0, 2), ['reply', 'refuse'])
  assert.deepEqual(repliesOf(events), [{ command: 'busy' }])
  assert.deepEqual(typesOf(events).includes('start') || typesOf(events).includes('audio'), false)
})

test('jambonz tells both sides in one stereo track, and digits in samples', () => {
  const events = feed(
    stream(jambonz),
    {
      callSid: 'j-1',
      sampleRate: 8000,
      mixType: 'stereo',
      from: '1',
      to: '2',
      direction: 'inbound',
      shop: 'north',
    },
    tone,
    { event: 'dtmf', dtmf: '5', duration: 1600 },
    { event: 'playDone' },
  )
  const { call, tracks, packetBytes, details } = startOf(events)
  assert.deepEqual([call, packetBytes], ['j-1', 640])
  assert.deepEqual(tracks, [{ name: 'inbound+outbound', media: linear(8000, 2) }])
  assert.deepEqual(details, { direction: 'inbound', caller: '1', callee: '2', metadata: { shop: 'north' } })
  assert.deepEqual(
    events.slice(1).map((event) => ('durationMs' in event ? event.durationMs : event.type)),
    ['audio', 200],
  )
})

describe('FreeSWITCH', () => {
  const start = (first: string, query: Readonly<Record<string, string>> = {}) =>
    startOf(feed(stream(freeswitch(dialectRequest({ query }))), first))

  test('may send several JSON texts in one frame', () => {
    const { call, details } = start('{"call_id":"f-1","a":"}{"}\n{"b":2}')
    assert.equal(call, 'f-1')
    assert.deepEqual(details.metadata, { call_id: 'f-1', a: '}{', b: '2' })
  })

  for (const text of ['+15550100', '{"a":', 'null', '[]', '""'])
    test(`may send ${text}, which is no JSON object`, () => {
      const { call, tracks } = start(text, { rate: '16000', mix: 'stereo' })
      assert.equal(call, null)
      assert.deepEqual(tracks[0]?.media, linear(16_000, 2))
    })

  test('may send audio before its metadata, or messages without a byte', () => {
    const dialect = stream(freeswitch(dialectRequest()))
    const held = Array.from({ length: 50 }, (_, i) => Buffer.alloc(320, i))
    assert.deepEqual(feed(dialect, Buffer.alloc(0), ...held), [])
    const events = feed(dialect, '{"uuid":"f-2","sampleRate":"16000"}', Buffer.alloc(0))
    assert.deepEqual([startOf(events).call, startOf(events).tracks[0]?.media.sample_rate], ['f-2', 16_000])
    assert.deepEqual(soundOf(events), Buffer.concat(held))
  })

  test('may never send metadata: what comes is kept in the format of the address', () => {
    const long = stream(freeswitch(dialectRequest({ query: { rate: '16000' } })))
    const held = Array.from({ length: 2 + heldBytesMax / 640 }, () => tone)
    assert.deepEqual(soundOf(feed(long, ...held)), Buffer.concat(held))
    const short = stream(freeswitch(dialectRequest()))
    feed(short, tone)
    assert.deepEqual(typesOf(short.closed(false)), ['warning', 'start', 'audio', 'stop'])
    assert.deepEqual(stream(freeswitch(dialectRequest())).closed(true), [])
  })

  test('may send 5 s in one message, and texts at any time', () => {
    const long = Buffer.alloc(1_280_000, 7)
    const events = feed(stream(freeswitch(dialectRequest())), '{}', long, 'a last text', '{"b":1}')
    assert.deepEqual(typesOf(events), ['start', 'audio'])
    assert.deepEqual(soundOf(events), long)
  })

  test('may name a hundred levels or members', () => {
    const { details } = start(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}${'{"b":1}'.repeat(100)}`)
    assert(Object.keys(details.metadata ?? {}).length <= 32)
  })
})

describe('Asterisk', () => {
  function played(name: string) {
    const { url, messages } = capturedMessages(readCapture(name))
    const dialect = stream(asterisk(dialectRequest({ query: Object.fromEntries(url.searchParams) })))
    const events = messages.flatMap(({ bytes, isBinary }) => dialect.feed(bytes, isBinary))
    const binary = messages.filter(({ isBinary }) => isBinary).map(({ bytes }) => bytes)
    assert(binary.length > 5, `${binary.length} messages of audio`)
    assert.deepEqual(soundOf(events), Buffer.concat(binary))
    return { ...startOf(events), events, binary }
  }

  test('names call and side in variables (captured, JSON)', () => {
    const { call, leg, tracks, packetBytes, details, events } = played('websocket-json')
    assert.equal(call, 'd783fa74-532a-4a3a-993b-38e7cf7b66ae')
    assert.match(leg ?? '', /^ext-/)
    assert.deepEqual(tracks, [
      { name: 'agent', media: { encoding: 'mulaw', sample_rate: 8000, channels: 1 } },
    ])
    assert.equal(packetBytes, 160)
    assert.match(details.metadata?.['channel'] ?? '', /^PJSIP/)
    assert(!typesOf(events).includes('warning'))
  })

  test('names them in the URL where control is plain text (captured)', () => {
    const { call, leg, tracks } = played('websocket-plain')
    assert.equal(call, '85503be6-9eb7-4a60-a09f-de61a128b365')
    assert.equal(leg, '1795829184.5')
    assert.equal(tracks[0]?.name, 'caller')
  })

  test('says the rate in the name of the format (captured, slin16)', () => {
    const { tracks, packetBytes } = played('websocket-slin16')
    assert.deepEqual([tracks[0]?.media, packetBytes], [linear(16_000), 640])
  })

  test('may send a codec that is kept as it is, a message a packet (captured, Opus)', () => {
    const { tracks, packetBytes, details, events, binary } = played('websocket-opus')
    assert.equal(packetBytes, null)
    assert.equal(tracks[0]?.media.encoding, 'other')
    assert.equal(details.metadata?.['codec'], 'opus')
    assert.equal(audioOf(events).length, binary.length)
  })

  test('is taken by its variables alone where they and the URL differ, and that is told', () => {
    // Guards against the caller and the labels of an earlier call, whose parameters Asterisk sends again.
    const dialect = stream(
      asterisk(dialectRequest({ query: { call_id: 'old', leg: 'caller', who: 'x', from: 'Anna' } })),
    )
    const variables = { __CALL_ID: 'new', LEG: 'agent', MEDIA_WEBSOCKET_CONNECTION_ID: 'voicestream' }
    const events = feed(dialect, { event: 'MEDIA_START', format: 'ulaw', channel_variables: variables })
    const [warning] = events
    assert(warning?.type === 'warning' && warning.why.includes('call_id, leg'))
    assert.deepEqual([startOf(events).call, startOf(events).tracks[0]?.name], ['new', 'agent'])
    assert.deepEqual(
      [startOf(events).details.caller, startOf(events).details.metadata],
      [undefined, undefined],
    )
  })

  test('may send audio before MEDIA_START, and in plain text anything', () => {
    const dialect = stream(asterisk(dialectRequest()))
    const events = feed(
      dialect,
      Buffer.alloc(160, 1),
      'MEDIA_START connection_id:voicestream channel_id:1.5 format:alaw optimal_frame_size:160 ptime:20',
      Buffer.alloc(160, 2),
      'DTMF_END channel_id:1.5 digit:5',
      'MEDIA_XOFF',
      'STATUS queue_length:0',
      '',
      'ERROR error_text:"x y"',
    )
    assert.deepEqual(typesOf(events), ['start', 'audio', 'audio', 'dtmf', 'warning', 'warning'])
    assert.equal(startOf(events).tracks[0]?.media.encoding, 'alaw')
    assert.deepEqual(soundOf(events), Buffer.concat([Buffer.alloc(160, 1), Buffer.alloc(160, 2)]))
  })

  test('without MEDIA_START has the format of the address', () => {
    const dialect = stream(asterisk(dialectRequest({ query: { format: 'slin', call_id: 'c' } })))
    feed(dialect, tone)
    const events = dialect.closed(false)
    assert.deepEqual([startOf(events).call, startOf(events).tracks[0]?.media], ['c', linear(8000)])
  })

  test('is sent nothing', () => {
    const { events } = played('websocket-json')
    assert.deepEqual(repliesOf(events), [])
  })
})

describe('any of them', () => {
  const readers = [
    vonage,
    sinch(dialectRequest()),
    jambonz,
    freeswitch(dialectRequest()),
    asterisk(dialectRequest()),
  ]
  test('survives texts that are nothing', () => {
    for (const reader of readers)
      for (const text of [
        '',
        '{',
        '[]',
        '7',
        '"x"',
        '\u0000',
        '{"event":7}',
        '['.repeat(60_000),
        '{"__proto__":{"event":"x"}}',
      ]) {
        const dialect = stream(reader)
        feed(dialect, text, tone, text)
        const events = dialect.closed(true)
        assert(events.every((event) => event.type !== 'refuse'))
      }
  })

  test('linear samples in the wrong order are kept, and told once as suspect', () => {
    const swapped = Buffer.from(tone).swap16()
    const events = feed(stream(vonage), { event: 'websocket:connected' }, swapped, swapped, swapped)
    assert.deepEqual(typesOf(events), ['start', 'warning', 'audio', 'audio', 'audio'])
  })
})
