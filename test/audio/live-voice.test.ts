/**
 * A voice that is heard while it is stored. Guards against a listener who waits for a packet that never comes, who hears a late
 * packet in the wrong place, or who falls further behind with every pause of the sender.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { AudioFormat } from '../../src/audio/audio-format.js'
import { LiveVoice, mixed } from '../../src/audio/live-voice.js'
import type { AudioPacket } from '../../src/audio/packet-audio.js'

const linear: AudioFormat = { encoding: 'pcm_s16le', sampleRate: 8000, channels: 1 }
const packetFrames = 160
const packetMs = 20
const tickMs = 200

/** Every frame says which it is, 1 for the first one; from 200 packets on, which packet it is of. */
const frameOf = (sequence: number, frame: number) =>
  sequence < 200 ? sequence * packetFrames + frame + 1 : -sequence

function packetOf(sequence: number): AudioPacket {
  const data = Buffer.alloc(packetFrames * 2)
  for (let frame = 0; frame < packetFrames; frame++) data.writeInt16LE(frameOf(sequence, frame), frame * 2)
  return { sequence, data, isRaw: true }
}

interface Arrival {
  readonly sequence: number
  readonly at: number
}

/** Plays what has arrived by each tick, as a listener reads it: from the voice's next number on, as far as it is stored. */
function heardOf(voice: LiveVoice, arrivals: readonly Arrival[], untilMs: number): number[] {
  const heard: number[] = []
  for (let now = 0; now <= untilMs; now += tickMs) {
    const stored = arrivals
      .filter(({ sequence, at }) => at <= now && sequence >= voice.next)
      .sort((one, other) => one.sequence - other.sequence)
    voice.add(
      stored.map(({ sequence }) => packetOf(sequence)),
      now,
    )
    if (now > 0) heard.push(...voice.take((tickMs / 1000) * 8000, now))
  }
  return heard
}

const voiceOf = (next = 0, format = linear, targetRate = format.sampleRate) =>
  new LiveVoice(format, { targetRate, behindMs: 2000, next })

/** From the first frame that is no silence to the last. */
function sounding(frames: readonly number[]): readonly number[] {
  return frames.slice(
    frames.findIndex((frame) => frame !== 0),
    frames.findLastIndex((frame) => frame !== 0) + 1,
  )
}

describe('a voice that is heard while it is stored', () => {
  test('is every frame in its place, late ones too, and silence where a packet never comes', () => {
    let lost = 0
    let late = 0
    fc.assert(
      fc.property(
        fc.array(fc.record({ isLost: fc.nat(9), delayMs: fc.nat(800) }), { minLength: 60, maxLength: 200 }),
        (packets) => {
          const kept = packets.map(({ isLost }, sequence) => isLost !== 0 || sequence === 0)
          const arrivals = packets.flatMap(({ delayMs }, sequence) =>
            kept[sequence] === true ? [{ sequence, at: sequence * packetMs + delayMs }] : [],
          )
          const last = kept.lastIndexOf(true)
          const expected = Array.from({ length: (last + 1) * packetFrames }, (_, at) => {
            const sequence = Math.floor(at / packetFrames)
            return kept[sequence] === true ? frameOf(sequence, at % packetFrames) : 0
          })
          lost += kept.filter((isKept) => !isKept).length
          late += packets.filter(({ delayMs }) => delayMs > packetMs).length
          assert.deepEqual(sounding(heardOf(voiceOf(), arrivals, last * packetMs + 8000)), expected)
        },
      ),
      { numRuns: 50 },
    )
    assert(lost > 100 && late > 1000, `${lost} lost, ${late} late`)
  })

  test('begins as far behind as is asked, and again so after it has run dry', () => {
    const voice = voiceOf()
    const pauseMs = 10_000
    const arrivals = Array.from({ length: 400 }, (_, sequence) => ({
      sequence,
      at: sequence * packetMs + (sequence >= 200 ? pauseMs : 0),
    }))
    const heard = heardOf(voice, arrivals, 8000 + pauseMs + 4000)
    for (const sequence of [0, 200]) {
      const storedAt = sequence * packetMs + (sequence >= 200 ? pauseMs : 0)
      const heardAt = heard.indexOf(frameOf(sequence, 0)) / 8
      const behind = heardAt - storedAt
      assert(behind >= 1600 && behind <= 2000 + tickMs, `packet ${sequence} is ${behind} ms behind`)
    }
    assert.equal(heard.filter((frame) => frame !== 0).length, 400 * packetFrames, 'nothing of it is left out')
  })

  test('skips what would be heard too late after a stall', () => {
    const arrivals = Array.from({ length: 1000 }, (_, sequence) => ({
      sequence,
      at: Math.max(sequence * packetMs, sequence < 500 ? 10_000 : 0),
    }))
    const voice = voiceOf()
    const heard = heardOf(voice, arrivals, 15_000)
    assert(!heard.includes(frameOf(100, 0)), 'old speech was skipped')
    const at = heard.lastIndexOf(frameOf(600, 0)) / 8
    assert(at > 0 && at - 600 * packetMs <= 4000 + tickMs, `packet 600 is heard ${at} ms after the start`)
  })

  test('is silence where a packet is not audio of its format', () => {
    const voice = voiceOf(0, { ...linear, encoding: 'mulaw' })
    const code = (byte: number) => Buffer.alloc(160, byte).toString('base64')
    const data = [code(0x80), 'not base64!', code(0x80)].map((text) => Buffer.from(text))
    voice.add(
      data.map((each, sequence) => ({ sequence, data: each })),
      0,
    )
    const heard = [...voice.take(480, 5000)]
    assert.deepEqual(new Set(heard.slice(160, 320)), new Set([0]))
    assert(
      heard
        .slice(0, 160)
        .concat(heard.slice(320))
        .every((frame) => frame > 30_000),
    )
  })

  test('lies beside one of another rate, each in its channel, to the last frame', () => {
    const slow = voiceOf()
    const fast = voiceOf(0, { ...linear, sampleRate: 16_000 })
    const voices = [voiceOf(0, linear, 16_000), fast]
    for (const voice of [slow, ...voices]) voice.add([packetOf(0), packetOf(1)], 0)
    const bytes = mixed(voices, 700, 100, true)
    const channel = (number: number) =>
      Array.from({ length: 700 }, (_, frame) => bytes.readInt16LE(frame * 4 + number * 2))
    const twice = Array.from({ length: 700 }, (_, at) => (at < 640 ? Math.floor(at / 2) + 1 : 0))
    const once = Array.from({ length: 700 }, (_, at) => (at < 320 ? at + 1 : 0))
    assert.deepEqual(channel(0), twice)
    assert.deepEqual(channel(1), once)
    assert(voices.every(({ bufferedMs }) => bufferedMs === 0))
    assert.deepEqual([...slow.take(10, 100)], Array(10).fill(0), 'without the end it waits for more')
  })
})
