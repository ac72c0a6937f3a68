/** A call of several tracks as one WAV file: each voice in its channel, at its time, to the sample. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type AudioEncoding, type AudioFormat, silenceByteOf } from '../../src/audio/audio-format.js'
import type { PagesFrom } from '../../src/audio/call-audio.js'
import { decodeG711, type G711Law } from '../../src/audio/g711.js'
import type { AudioPacket } from '../../src/audio/packet-audio.js'
import { VoicesAudio, type VoiceTrack } from '../../src/audio/voices-audio.js'
import { parseWav } from '../../src/audio/wav-file.js'

interface Spoken {
  readonly format: AudioFormat
  readonly packetFrames: number
  /** Packets that came; the others are missing. */
  readonly sequences: readonly number[]
  readonly startsAt: number
}

const byteOf = (track: number, sequence: number, at: number) =>
  (track * 61 + sequence * 7 + at * 3 + 1) & 0xff

function packetOf(spoken: Spoken, track: number, sequence: number): Buffer {
  const sampleBytes = spoken.format.encoding === 'pcm_s16le' ? 2 : 1
  return Buffer.from(
    Array.from({ length: spoken.packetFrames * spoken.format.channels * sampleBytes }, (_, at) =>
      byteOf(track, sequence, at),
    ),
  )
}

let asked = 0
const pagesOf = (spoken: Spoken, track: number): PagesFrom =>
  async function* (from) {
    const wanted = spoken.sequences.filter((sequence) => sequence >= from)
    for (let at = 0; at < wanted.length; at += 3) {
      asked++
      const page = wanted.slice(at, at + 3).map(
        (sequence): AudioPacket => ({
          sequence,
          data: packetOf(spoken, track, sequence),
          isRaw: true,
        }),
      )
      yield page
      // What a page holds is void once the next one is asked for.
      for (const { data } of page) data.fill(0)
    }
  }

function trackOf(spoken: Spoken, track: number): VoiceTrack {
  const first = spoken.sequences[0] ?? 0
  const seconds = spoken.packetFrames / spoken.format.sampleRate
  return {
    pages: pagesOf(spoken, track),
    format: spoken.format,
    expectedTotal: null,
    first: { sequence: first, timestamp: spoken.startsAt + first * seconds },
  }
}

/** Each track as levels of 16 bits on the line of the file, made another way: sample by sample. */
function levelsOf(spokens: readonly Spoken[]): number[][] {
  const begin = Math.min(...spokens.map(({ startsAt }) => startsAt))
  const rate = Math.max(...spokens.map(({ format }) => format.sampleRate))
  const voices = spokens.flatMap((spoken, track) => {
    const { encoding, channels, sampleRate } = spoken.format
    const offset = Math.round((spoken.startsAt - begin) * rate)
    const frames = ((spoken.sequences.at(-1) ?? -1) + 1) * spoken.packetFrames
    return Array.from({ length: channels }, (_, channel) => {
      const silent = levelOf(encoding, Buffer.alloc(2, silenceByteOf(encoding)), 0)
      const voice: number[] = new Array<number>(offset).fill(silent)
      for (let frame = 0; frame < Math.floor((frames * rate) / sampleRate); frame++) {
        const own = Math.floor((frame * sampleRate) / rate)
        const sequence = Math.floor(own / spoken.packetFrames)
        const at = (own % spoken.packetFrames) * channels + channel
        voice.push(
          spoken.sequences.includes(sequence)
            ? levelOf(encoding, packetOf(spoken, track, sequence), at)
            : silent,
        )
      }
      return voice
    })
  })
  const longest = Math.max(...voices.map(({ length }) => length))
  // Where codes differ the file is linear, and its own silence is 0.
  const isOne = new Set(spokens.map(({ format }) => format.encoding)).size === 1
  const encoding = isOne ? (spokens[0]?.format.encoding ?? 'mulaw') : 'pcm_s16le'
  const silent = levelOf(encoding, Buffer.alloc(2, silenceByteOf(encoding)), 0)
  return voices.map((voice) => [...voice, ...new Array<number>(longest - voice.length).fill(silent)])
}

function levelOf(encoding: AudioEncoding, bytes: Buffer, sample: number): number {
  return encoding === 'pcm_s16le'
    ? bytes.readInt16LE(sample * 2)
    : decodeG711(encoding as G711Law, bytes[sample] ?? 0)
}

async function collect(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const part of parts) all.push(Buffer.from(part))
  return Buffer.concat(all)
}

function decoded(file: Buffer): number[][] {
  const { encoding, channels, frames } = parseWav(file)
  assert(encoding !== 'pcm_u8')
  const count = frames.length / (encoding === 'pcm_s16le' ? 2 : 1) / channels
  return Array.from({ length: channels }, (_, channel) =>
    Array.from({ length: count }, (_unused, frame) => levelOf(encoding, frames, frame * channels + channel)),
  )
}

const spoken = fc.record({
  format: fc.record({
    encoding: fc.constantFrom('mulaw', 'alaw', 'pcm_s16le') as fc.Arbitrary<AudioEncoding>,
    sampleRate: fc.constantFrom(8000, 16_000),
    channels: fc.constantFrom(1, 2),
  }),
  packetFrames: fc.constantFrom(7, 160),
  sequences: fc
    .uniqueArray(fc.nat({ max: 24 }), { minLength: 1, maxLength: 20 })
    .map((sequences) => sequences.sort((a, b) => a - b)),
  startsAt: fc.constantFrom(1000, 1000.02, 1000.000125, 1001),
})

describe('a call of several tracks as one file', () => {
  test('has each voice in its channel at its time, and silence where nothing came; any range is that part', async () => {
    let mixedCodes = 0
    let shifted = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(spoken, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.nat({ max: 20_000 }),
        async (spokens, from, length) => {
          const tracks = spokens.map(trackOf)
          const audio = await VoicesAudio.open(tracks)
          const pages = tracks.map((track) => track.pages)
          const whole = await collect(audio.read(pages, 0, audio.bytes - 1))
          assert.equal(whole.length, audio.bytes)
          const expected = levelsOf(spokens)
          const silenceOnly = new Set(spokens.map(({ format }) => format.encoding)).size > 1
          if (silenceOnly) mixedCodes++
          if (new Set(spokens.map(({ startsAt }) => startsAt)).size > 1) shifted++
          const found = decoded(whole)
          assert.equal(found.length, expected.length)
          found.forEach((voice, channel) => {
            const right = expected[channel] ?? []
            assert.equal(voice.length, right.length)
            const off = voice.findIndex(
              (level, at) => Math.abs(level - (right[at] ?? 0)) > (silenceOnly ? 8 : 0),
            )
            assert.equal(off, -1, `channel ${channel}, frame ${off}: ${voice[off]}, not ${right[off]}`)
          })
          const first = from % audio.bytes
          const last = Math.min(audio.bytes - 1, first + length)
          assert((await collect(audio.read(pages, first, last))).equals(whole.subarray(first, last + 1)))
        },
      ),
      { numRuns: 50 },
    )
    assert(mixedCodes > 5 && shifted > 5)
  })

  test('is not read from its start for a part near its end, nor before it is taken', async () => {
    const long: Spoken = {
      format: { encoding: 'mulaw', sampleRate: 8000, channels: 1 },
      packetFrames: 20,
      sequences: Array.from({ length: 20_000 }, (_, sequence) => sequence),
      startsAt: 1000,
    }
    const tracks = [trackOf(long, 0), trackOf({ ...long, startsAt: 1000.5 }, 1)]
    const audio = await VoicesAudio.open(tracks)
    asked = 0
    await collect(
      audio.read(
        tracks.map(({ pages }) => pages),
        audio.bytes - 100,
        audio.bytes - 1,
      ),
    )
    assert(asked < 1000, `${asked} pages of ${(2 * 20_000) / 3}`)
    asked = 0
    const reading = audio.read(
      tracks.map(({ pages }) => pages),
      0,
      audio.bytes - 1,
    )
    await reading.next()
    await reading.next()
    assert(asked < 200, `${asked} pages were read before anybody took more`)
    await reading.return(undefined)
  })

  test('begins all tracks together where their clocks are of different worlds', async () => {
    const one: Spoken = {
      format: { encoding: 'mulaw', sampleRate: 8000, channels: 1 },
      packetFrames: 160,
      sequences: [0, 1],
      startsAt: 5,
    }
    const audio = await VoicesAudio.open([trackOf(one, 0), trackOf({ ...one, startsAt: 1.7e9 }, 1)])
    assert(audio.bytes < 1000)
  })
})
