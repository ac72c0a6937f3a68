/** One path for all platforms. Guards against a platform that is taken for another, and against what came before it was known being lost. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import { detectedKind, nameOfText } from '../../src/media/detected-dialect.js'
import { dialectKind, dialectNames } from '../../src/media/dialects.js'
import {
  audioOf,
  dialectRequest,
  feed,
  type Message,
  repliesOf,
  soundOf,
  startOf,
  typesOf,
} from '../support/media-events.js'

const payload = Buffer.alloc(160, 1).toString('base64')
const binary = Buffer.alloc(320, 2)

/** The first messages of each platform, and the call that they name. */
const beginnings: readonly (readonly [name: string, call: string | null, messages: readonly Message[]])[] = [
  [
    'twilio',
    'CA1',
    [
      { event: 'connected', protocol: 'Call', version: '1.0.0' },
      { event: 'start', streamSid: 'MZ1', start: { streamSid: 'MZ1', callSid: 'CA1', mediaFormat: {} } },
      { event: 'media', streamSid: 'MZ1', media: { payload } },
    ],
  ],
  [
    'telnyx',
    'v3:1',
    [
      { event: 'connected', version: '1.0.0' },
      { event: 'start', stream_id: 's', start: { call_control_id: 'v3:1', media_format: {} } },
      { event: 'media', stream_id: 's', media: { payload } },
    ],
  ],
  [
    'plivo',
    'p1',
    [
      { event: 'start', start: { callId: 'p1', streamId: 's', mediaFormat: {} } },
      { event: 'media', streamId: 's', media: { payload } },
    ],
  ],
  [
    'exotel',
    'e1',
    [
      { event: 'connected' },
      { event: 'start', stream_sid: 's', start: { stream_sid: 's', call_sid: 'e1', account_sid: 'a' } },
      { event: 'media', stream_sid: 's', media: { payload } },
    ],
  ],
  [
    'bandwidth',
    'b1',
    [
      { eventType: 'start', metadata: { callId: 'b1' } },
      { eventType: 'media', payload },
    ],
  ],
  [
    'voximplant',
    'x1',
    [
      { event: 'start', start: { mediaFormat: {}, customParameters: { call: 'x1' } } },
      { event: 'media', media: { payload } },
    ],
  ],
  [
    'vonage',
    'u1',
    [{ event: 'websocket:connected', 'content-type': 'audio/l16;rate=8000', call_uuid: 'u1' }, binary],
  ],
  ['sinch', 's1', [{ command: 'connect', callId: 's1', codec: 'PCM', sampleRate: 8000 }, binary]],
  ['jambonz', 'j1', [{ callSid: 'j1', sampleRate: 8000, mixType: 'mono' }, binary]],
  ['freeswitch', 'f1', [{ call_id: 'f1' }, binary]],
  [
    'asterisk',
    'a1',
    [binary, { event: 'MEDIA_START', format: 'ulaw', channel_variables: { CALL_ID: 'a1' } }],
  ],
  ['asterisk', null, ['MEDIA_START connection_id:x channel_id:1.2 format:ulaw', binary]],
]

describe('the shared path', () => {
  for (const [name, call, messages] of beginnings)
    test(`knows ${name} by its first texts, and keeps what came before`, () => {
      const names = messages.map((message) =>
        message instanceof Uint8Array
          ? null
          : nameOfText(typeof message === 'string' ? message : JSON.stringify(message)),
      )
      const known = names.find((each) => each !== null)
      assert.equal(known ?? 'freeswitch', name)
      const events = feed(detectedKind.create(dialectRequest()), ...messages)
      assert.equal(startOf(events).call, call)
      assert.equal(audioOf(events).length, 1)
    })

  test('knows AudioHook and subprotocols by their headers, before any message', () => {
    const open = { version: '2', type: 'open', id: 'i', seq: 1, parameters: { conversationId: 'c' } }
    for (const headers of [{}, { 'audiohook-session-id': 'i' }]) {
      const events = feed(detectedKind.create(dialectRequest({ headers })), open)
      assert.equal((repliesOf(events)[0] as { type: string }).type, 'opened')
    }
    const headers = { 'sec-websocket-protocol': 'chat, media' }
    const events = feed(
      detectedKind.create(dialectRequest({ headers })),
      { callSid: 'j', mixType: 'mono' },
      binary,
    )
    assert.deepEqual(typesOf(events), [], 'Asterisk sends no such start')
  })

  test('takes audio without any start for what it looks like', () => {
    for (const [message, sound] of [
      [{ event: 'media', streamSid: 'MZ1', media: { payload } }, Buffer.alloc(160, 1)],
      [binary, binary],
    ] as const) {
      const dialect = detectedKind.create(dialectRequest())
      assert.deepEqual(feed(dialect, message), [])
      const events = dialect.closed(false)
      assert.deepEqual(typesOf(events), ['warning', 'start', 'audio', 'stop'])
      assert.deepEqual(soundOf(events), sound)
    }
  })

  test('waits no longer than its bound', () => {
    const dialect = detectedKind.create(dialectRequest())
    const events = feed(dialect, ...Array.from({ length: 500 }, () => binary))
    assert.deepEqual(soundOf(events), Buffer.concat(Array.from({ length: 500 }, () => binary)))
    assert.deepEqual(detectedKind.create(dialectRequest()).closed(true), [])
  })
})

test('each dialect has a path, a bound and its subprotocols', () => {
  assert(dialectNames.length >= 14)
  for (const name of dialectNames) {
    const kind = dialectKind(name)
    assert(kind !== undefined && kind.name === name && kind.messageBytesMax >= 64 * 1024)
    assert.match(name, /^[a-z]+$/)
  }
  assert.deepEqual(dialectKind('jambonz')?.subprotocols, ['audio.jambonz.org'])
  assert.equal(dialectKind('toString'), undefined)
})
