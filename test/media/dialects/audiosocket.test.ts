/**
 * Asterisk's AudioSocket as it came over real calls, and cut at any byte. Guards against a frame that is lost or doubled because TCP
 * cut it, and against G.711 that is taken for samples: it would be stored as noise.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MediaEvent } from '../../../src/media/dialect.js'
import { AudioSocket, type AudioSocketRules } from '../../../src/media/dialects/audiosocket.js'
import { soundOf, startOf, startsOf, typesOf } from '../../support/media-events.js'
import { holds } from '../../support/property.js'
import { readCapture } from '../../support/websocket-capture.js'

const uuid = 'a1b2c3d4-e5f6-4789-8abc-def012345678'
const uuidFrame = Buffer.from('010010a1b2c3d4e5f647898abcdef012345678', 'hex')
const digitFrame = Buffer.from('03000135', 'hex')
const hangUp = Buffer.from('000000', 'hex')

function frame(kind: number, payload: Uint8Array): Buffer {
  const header = Buffer.from([kind, payload.length >> 8, payload.length & 0xff])
  return Buffer.concat([header, payload])
}

function socket(rules: Partial<AudioSocketRules> = {}): AudioSocket {
  return new AudioSocket({ codec: 'slin', hasLegDigit: false, ...rules })
}

/** Feeds in pieces, each in memory that is used again, as a socket's is. */
function play(dialect: AudioSocket, bytes: Uint8Array, lengths: readonly number[] = []): MediaEvent[] {
  const events: MediaEvent[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(
      bytes.length,
      at + (lengths.length === 0 ? bytes.length : (lengths[i % lengths.length] as number)),
    )
    const piece = Buffer.from(bytes.subarray(at, end))
    for (const event of dialect.feed(piece))
      events.push(event.type === 'audio' ? { ...event, data: Buffer.from(event.data) } : event)
    piece.fill(0xee)
    at = end
  }
  return events
}

describe('AudioSocket', () => {
  test('tells call, digits and samples; a closed socket is the end', () => {
    const dialect = socket()
    const samples = Buffer.alloc(320, 3)
    const events = play(
      dialect,
      Buffer.concat([uuidFrame, frame(0x10, samples), digitFrame, frame(0x10, samples)]),
    )
    assert.deepEqual(typesOf(events), ['start', 'audio', 'dtmf', 'audio'])
    const { call, tracks, packetBytes } = startOf(events)
    const media = { encoding: 'pcm_s16le', sample_rate: 8000, channels: 1 } as const
    assert.deepEqual([call, tracks, packetBytes], [uuid, [{ name: 'mix', media }], 320])
    assert.deepEqual(dialect.closed(true), [{ type: 'stop', why: 'closed', totals: null }])
  })

  test('ends at a hang-up, and ignores what follows', () => {
    const dialect = socket()
    const events = play(dialect, Buffer.concat([uuidFrame, hangUp, frame(0x10, Buffer.alloc(320))]))
    assert.deepEqual(typesOf(events), ['start', 'stop'])
    assert.deepEqual(play(dialect, frame(0x10, Buffer.alloc(320))), [])
    assert.deepEqual(dialect.closed(true), [])
  })

  test('takes the rate from the kind of frame', () => {
    for (const [kind, rate] of [
      [0x11, 12_000],
      [0x12, 16_000],
      [0x15, 44_100],
      [0x17, 96_000],
      [0x18, 192_000],
    ] as const) {
      const events = play(socket(), Buffer.concat([uuidFrame, frame(kind, Buffer.alloc(640))]))
      assert.deepEqual(
        startsOf(events).map(({ tracks }) => tracks[0]?.media.sample_rate),
        [8000, rate],
      )
    }
  })

  test('may name the side in the last digit of the UUID', () => {
    const sides = ['0', '1', '7'].map((digit) => {
      const bytes = Buffer.from(uuidFrame)
      bytes[18] = 0x70 + Number(digit)
      const { call, leg, tracks } = startOf(play(socket({ hasLegDigit: true }), bytes))
      return [call, leg, tracks[0]?.name]
    })
    const stem = uuid.slice(0, -1)
    assert.deepEqual(sides, [
      [`${stem}0`, `${stem}0`, 'caller'],
      [`${stem}0`, `${stem}1`, 'agent'],
      [`${stem}7`, `${stem}7`, 'mix'],
    ])
  })

  test('keeps a captured call whole, whichever way TCP cuts it', async (t) => {
    const capture = readCapture('audiosocket-slin')
    const whole = play(socket(), capture)
    assert(whole.filter(({ type }) => type === 'audio').length > 50)
    assert(typesOf(whole).includes('dtmf'))
    await holds(
      t,
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 }),
      100,
      (lengths) => {
        assert.deepEqual(play(socket(), capture, lengths), whole)
      },
    )
    assert.deepEqual(play(socket(), capture, [1]), whole)
  })

  test('refuses captured G.711 that claims to be samples, and says what to configure', () => {
    const events = play(socket(), readCapture('audiosocket-g711'), [100])
    assert.deepEqual(typesOf(events), ['start', 'refuse'])
    const last = events.at(-1)
    assert(last?.type === 'refuse' && last.why.includes('c(slin)'))
  })

  test('takes G.711 where the settings name it', () => {
    const capture = readCapture('audiosocket-g711')
    const events = play(socket({ codec: 'ulaw' }), capture)
    assert.equal(startOf(events).tracks[0]?.media.encoding, 'mulaw')
    assert.equal(startOf(events).packetBytes, 160)
    assert.equal(soundOf(events).length, Math.floor((capture.length - 19) / 163) * 160)
  })

  test('takes a few short packets for what they are when a usual one follows, or the end', () => {
    const short = Buffer.alloc(160, 1)
    const usual = Buffer.alloc(320, 2)
    const mixed = play(
      socket(),
      Buffer.concat([uuidFrame, frame(0x10, short), frame(0x10, short), frame(0x10, usual)]),
    )
    assert.deepEqual(soundOf(mixed), Buffer.concat([short, short, usual]))
    const ended = socket()
    play(ended, Buffer.concat([uuidFrame, frame(0x10, short)]))
    assert.deepEqual(soundOf(ended.closed(true)), short)
  })

  test('refuses at the first byte whoever does not begin with a UUID', () => {
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n'),
      Buffer.from([0x10, 1, 0x40]),
      Buffer.from([1, 0, 17]),
    ])
      assert.deepEqual(typesOf(play(socket(), bytes)), ['refuse'])
  })

  test('survives unknown kinds, errors, empty frames, a second UUID and the longest frame', () => {
    const longest = Buffer.alloc(65_535, 9)
    const events = play(
      socket(),
      Buffer.concat([
        uuidFrame,
        ...[frame(0x42, Buffer.alloc(5)), frame(0x42, Buffer.alloc(5)), frame(0xff, Buffer.from([1]))],
        ...[frame(0x10, Buffer.alloc(0)), uuidFrame, frame(0x10, longest)],
      ]),
      [1000],
    )
    assert.deepEqual(typesOf(events), ['start', 'warning', 'warning', 'warning', 'audio'])
    assert.deepEqual(soundOf(events), longest)
  })
})
