/** What users of these platforms report, played: each of these must cost no audio and no account. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import { JsonStream } from '../../../../src/media/dialects/json-stream/json-stream.js'
import { exotel, plivo, twilio, voximplant } from '../../../../src/media/dialects/json-stream/platforms.js'
import { heldBytesMax } from '../../../../src/media/held-messages.js'
import { loneSurrogate } from '../../../../src/protocol/lone-surrogate.js'
import {
  accountsOf,
  audioOf,
  dialectRequest,
  feed,
  soundOf,
  startOf,
  startsOf,
  typesOf,
} from '../../../support/media-events.js'

const tone = (place: number) => Buffer.alloc(160, place)
const start = (change: object = {}) => ({
  event: 'start',
  sequenceNumber: '1',
  streamSid: 'MZ1',
  start: { streamSid: 'MZ1', callSid: 'CA1', tracks: ['inbound'], ...change },
})
const media = (
  sequence: unknown,
  chunk: unknown,
  payload = tone(1).toString('base64'),
  track = 'inbound',
) => ({
  event: 'media',
  sequenceNumber: sequence,
  streamSid: 'MZ1',
  media: { track, chunk, timestamp: 20, payload },
})
const stream = () => new JsonStream(twilio, dialectRequest())

describe('audio before its start', () => {
  test('is told after it, in its order', () => {
    const dialect = stream()
    const held = Array.from({ length: 50 }, (_, i) => media(i + 2, i + 1, tone(i).toString('base64')))
    assert.deepEqual(feed(dialect, ...held), [])
    const events = feed(dialect, start())
    assert.equal(events[0]?.type, 'start')
    assert.deepEqual(soundOf(events), Buffer.concat(held.map((_, i) => tone(i))))
    assert.deepEqual(
      audioOf(events).map(({ index }) => index),
      held.map((_, i) => i),
    )
  })

  test('makes a start of its own when none comes, and nothing is dropped', () => {
    const dialect = stream()
    const count = Math.ceil(heldBytesMax / 300) + 10
    const events = feed(dialect, ...Array.from({ length: count }, (_, i) => media(i + 2, i + 1)))
    const { call, leg, tracks } = startOf(events)
    assert.deepEqual([call, leg, tracks[0]?.media.encoding], [null, 'MZ1', 'mulaw'])
    assert.equal(audioOf(events).length, count)
  })

  test('is told when the socket closes first', () => {
    const dialect = stream()
    feed(dialect, media(2, 1), media(3, 2))
    const events = dialect.closed(false)
    assert.deepEqual(typesOf(events), ['warning', 'start', 'audio', 'audio', 'stop'])
  })

  test('is told when the stop comes first', () => {
    const dialect = stream()
    const events = [
      ...feed(dialect, media(2, 1), { event: 'stop', sequenceNumber: '3' }),
      ...dialect.closed(true),
    ]
    assert.deepEqual(typesOf(events), ['warning', 'start', 'audio', 'stop'])
    // Where the numbers began nobody knows, so nothing is proven.
    assert.deepEqual(events.at(-1), { type: 'stop', why: 'stopped', totals: null })
  })
})

describe('numbers', () => {
  const indexes = (...messages: object[]) =>
    audioOf(feed(stream(), start(), ...messages)).map(({ index }) => index)

  test('may be numbers, strings, or strings with leading zeros', () => {
    assert.deepEqual(
      indexes(media(2, 1), media('3', '2'), media('0004', '0003'), media(5, '0004')),
      [0, 1, 2, 3],
    )
  })

  test('may be missing, one of them or both', () => {
    assert.deepEqual(indexes(media(2, undefined), media(3, undefined), media(5, undefined)), [0, 1, 3])
    assert.deepEqual(indexes(media(undefined, 1), media(undefined, 2), media(undefined, 4)), [0, 1, 3])
    assert.deepEqual(indexes(media(undefined, undefined), media(undefined, undefined)), [0, 1])
    assert.deepEqual(indexes(media(2, 1), media(3, undefined), media(4, 3), media(6, 5)), [0, 1, 2, 4])
  })

  test('may be no numbers at all', () => {
    assert.deepEqual(indexes(media('x', -1), media(null, 1.5), media({}, '1e3')), [0, 1, 2])
  })

  test('that stand still are no duplicates', () => {
    assert.deepEqual(indexes(media(2, 1), media(3, 1), media(4, 1), media(6, 1)), [0, 1, 2, 4])
  })

  test('that are the same in a whole message again are a duplicate', () => {
    assert.deepEqual(indexes(media(2, 1), media(3, 2), media(3, 2), media(4, 3)), [0, 1, 1, 2])
  })

  test('that go back to 1 begin another leg, not duplicates', () => {
    const events = feed(stream(), start(), media(2, 1), media(3, 2), media(4, 3), media(2, 1), media(3, 2))
    assert.deepEqual(typesOf(events), [
      'start',
      'audio',
      'audio',
      'audio',
      'warning',
      'start',
      'audio',
      'audio',
    ])
    assert.deepEqual(
      audioOf(events).map(({ index }) => index),
      [0, 1, 2, 0, 1],
    )
    assert.deepEqual(
      startsOf(events).map(({ call }) => call),
      ['CA1', 'CA1'],
    )
  })

  test('that leap by millions begin another leg: no gap of a billion packets', () => {
    const events = feed(
      stream(),
      start(),
      media(2, 1),
      media(2_000_000_000, 1_999_999_999),
      media(2_000_000_001, 2_000_000_000),
    )
    assert.deepEqual(
      audioOf(events).map(({ index }) => index),
      [0, 0, 1],
    )
    assert.equal(startsOf(events).length, 2)
  })

  test('that never stop beginning anew end the socket', () => {
    const dialect = stream()
    const events = feed(
      dialect,
      start(),
      ...Array.from({ length: 300 }, (_, i) => media(3 - (i % 2), 2 - (i % 2))),
    )
    assert.equal(events.filter(({ type }) => type === 'refuse').length > 0, true)
    assert(startsOf(events).length <= 64)
  })

  test('of a loss before the first packet are a hole', () => {
    assert.deepEqual(indexes(media(4, 3)), [2])
    // Nothing came between the start and this one: here the first has the number 3.
    assert.deepEqual(indexes(media(2, 3), media(3, 4)), [0, 1])
  })

  test('of the stop tell what was lost at the end', () => {
    const events = feed(stream(), start(), media(2, 1), { event: 'stop', sequenceNumber: '6' })
    assert.deepEqual(events.at(-1), { type: 'stop', why: 'stopped', totals: [4] })
  })
})

describe('bad messages', () => {
  const bad: [string, string | Uint8Array][] = [
    ['an empty text', ''],
    ['half a JSON text', '{"event":"media","media":{"payload":"AA'],
    ['a list', '[]'],
    ['deep nesting', '['.repeat(60_000)],
    ['a media without a payload', '{"event":"media","media":{}}'],
    ['a payload that is no text', '{"event":"media","media":{"payload":7}}'],
    ['an empty payload', JSON.stringify(media(3, 2, ''))],
    ['a payload past every bound', JSON.stringify(media(3, 2, 'A'.repeat(40_000)))],
    ['a media that is null', '{"event":"media","media":null}'],
    ['an event that is no text', '{"event":{"a":1}}'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00])],
  ]
  for (const [name, message] of bad)
    test(`${name}: at most a warning, before and after the start`, () => {
      for (const before of [[], [start(), media(2, 1)]]) {
        const dialect = stream()
        feed(dialect, ...before)
        const events = dialect.feed(typeof message === 'string' ? Buffer.from(message) : message, false)
        assert(
          events.every(({ type }) => type === 'warning'),
          JSON.stringify(events),
        )
        const after = feed(dialect, ...(before.length === 0 ? [start()] : []), media(4, 3))
        assert.equal(audioOf(after).length, 1)
      }
    })

  test('a warning comes once, however often its cause', () => {
    const dialect = stream()
    assert.equal(feed(dialect, ...Array.from({ length: 1000 }, (_, i) => `no JSON ${i}`)).length, 1)
  })

  test('half a sample at the end of linear audio is cut off, and told', () => {
    const odd = Buffer.from([1, 0, 2, 0, 3])
    const dialect = new JsonStream(exotel, dialectRequest())
    const events = feed(
      dialect,
      { event: 'start', sequence_number: '1', stream_sid: 's', start: { call_sid: 'c' } },
      { event: 'media', sequence_number: '2', media: { chunk: '1', payload: odd.toString('base64') } },
    )
    assert.deepEqual(soundOf(events), odd.subarray(0, 4))
    assert(typesOf(events).includes('warning'))
  })

  test('parameters beyond every bound are cut and told, never refused', () => {
    const customParameters: Record<string, unknown> = JSON.parse('{"__proto__":"x","constructor":"y"}')
    for (let i = 0; i < 100; i++) customParameters[`name ${i} äö`.repeat(20)] = { deep: 'x'.repeat(500) }
    customParameters['lone'] = '\ud800'
    customParameters['voicestream.agent'] = 'a\u0000b'.repeat(200)
    const text = JSON.stringify(start({ customParameters: { ...customParameters, nested: '?' } }))
    const nested = `${'['.repeat(5000)}${']'.repeat(5000)}`
    const events = feed(stream(), text.replace('"?"', nested))
    const { details } = startOf(events)
    const entries = Object.entries(details.metadata ?? {})
    assert(entries.length > 0 && entries.length <= 32)
    for (const [name, value] of entries) {
      assert.match(name, /^[A-Za-z0-9._-]{1,64}$/)
      assert(value.length <= 256 && !loneSurrogate.test(value))
    }
    assert.equal(details.agent, 'ab'.repeat(64))
  })
})

describe('several streams', () => {
  test('audio of a stream that was not started here is not mixed in', () => {
    const events = feed(stream(), start(), media(2, 1), { ...media(3, 2), streamSid: 'MZ2' }, media(3, 2))
    assert.deepEqual(
      audioOf(events).map(({ index }) => index),
      [0, 1],
    )
    assert(typesOf(events).includes('warning'))
  })

  test('a ninth track is told and dropped', () => {
    const messages = Array.from({ length: 12 }, (_, i) => media(i + 2, i + 1, undefined, `t${i}`))
    const events = feed(stream(), start({ tracks: ['t0'] }), ...messages)
    const [leg] = accountsOf(events)
    assert.equal(leg?.length, 8)
    assert(typesOf(events).includes('warning'))
  })

  test('a stop without a socket close, then nothing: later messages are ignored', () => {
    const dialect = stream()
    const events = feed(dialect, start(), media(2, 1), { event: 'stop' }, media(3, 2), media(4, 3))
    assert.deepEqual(typesOf(events), ['start', 'audio', 'stop', 'warning'])
    assert.deepEqual(dialect.closed(true), [])
  })

  test('linear audio in the wrong order is suspect where the platform documents the other', () => {
    const speech = Buffer.alloc(320)
    for (let i = 0; i < 160; i++) speech.writeInt16BE(Math.round(900 * Math.sin(i / 5)), i * 2)
    for (const platform of [plivo, exotel, voximplant]) {
      const dialect = new JsonStream(platform, dialectRequest())
      const events = feed(
        dialect,
        { event: 'start', start: {} },
        { event: 'media', media: { chunk: 1, payload: speech.toString('base64') } },
      )
      assert.deepEqual(soundOf(events), speech, 'it is kept as it came')
      assert(events.some((event) => event.type === 'warning' && event.why.includes('suspect')))
    }
  })
})
