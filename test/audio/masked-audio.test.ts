/** Parts of a WAV file under a tone or silence. Guards against a range that begins within a part, or a sample, and shows it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AudioEncoding, frameBytesOf, silenceByteOf } from '../../src/audio/audio-format.js'
import { decodeG711 } from '../../src/audio/g711.js'
import { type Cover, type MaskedFile, maskedBytes } from '../../src/audio/masked-audio.js'
import { parseWav, wavHeader, wavPadding } from '../../src/audio/wav-file.js'

const frames = 4001
const parts = [
  { first: 0, end: 400 },
  { first: 1000, end: 1001 },
  { first: 1500, end: 2300 },
  { first: 3990, end: 4001 },
]

function fileOf(encoding: AudioEncoding, channels: number, cover: Cover) {
  const format = { encoding, sampleRate: 8000, channels }
  const header = wavHeader(format, frames)
  // No sample of it is silent, or in the tone.
  const data = Buffer.alloc(frames * frameBytesOf(format), encoding === 'pcm_s16le' ? 0x77 : 0x21)
  const bytes = Buffer.concat([header, data, wavPadding(data.length)])
  const file: MaskedFile = { format, headerBytes: header.length, parts, cover }
  return { bytes, file }
}

async function read(
  bytes: Buffer,
  file: MaskedFile,
  first: number,
  last: number,
  step: number,
): Promise<Buffer> {
  async function* pieces() {
    for (let at = first; at <= last; at += step) yield bytes.subarray(at, Math.min(at + step, last + 1))
  }
  const read: Buffer[] = []
  for await (const piece of maskedBytes(pieces(), first, file)) read.push(piece)
  return Buffer.concat(read)
}

const isIn = (frame: number) => parts.some(({ first, end }) => frame >= first && frame < end)

for (const encoding of ['mulaw', 'alaw', 'pcm_s16le'] as const)
  for (const channels of [1, 2])
    for (const cover of ['beep', 'silence'] as const)
      test(`${encoding}, ${channels} channels: ${cover} where it is masked, and nowhere else`, async () => {
        const { bytes, file } = fileOf(encoding, channels, cover)
        const before = Buffer.from(bytes)
        const whole = await read(bytes, file, 0, bytes.length - 1, 977)
        assert(bytes.equals(before), 'what was read is not written to')
        assert.equal(whole.length, bytes.length)
        assert(whole.subarray(0, file.headerBytes).equals(bytes.subarray(0, file.headerBytes)))
        const frameBytes = frameBytesOf(file.format)
        const at = (frame: number) => file.headerBytes + frame * frameBytes
        let loudest = 0
        for (let frame = 0; frame < frames; frame++) {
          const found = whole.subarray(at(frame), at(frame + 1))
          const original = bytes.subarray(at(frame), at(frame + 1))
          if (!isIn(frame)) assert(found.equals(original), `frame ${frame}`)
          else if (cover === 'silence') assert(found.every((byte) => byte === silenceByteOf(encoding)))
          else {
            assert(!found.equals(original), `frame ${frame}`)
            const level =
              encoding === 'pcm_s16le' ? found.readInt16LE(0) : decodeG711(encoding, found[0] as number)
            loudest = Math.max(loudest, Math.abs(level))
          }
        }
        if (cover === 'beep') assert(loudest > 3000 && loudest < 3500, `${loudest} is about −20 dBFS`)
        assert.equal(parseWav(whole).frames.length, frames * frameBytes)

        await fc.assert(
          fc.asyncProperty(
            fc.nat({ max: bytes.length - 1 }),
            fc.nat({ max: 3000 }),
            fc.integer({ min: 1, max: 900 }),
            async (first, length, step) => {
              const last = Math.min(first + length, bytes.length - 1)
              const part = await read(bytes, file, first, last, step)
              assert(part.equals(whole.subarray(first, last + 1)))
            },
          ),
          { numRuns: 40 },
        )
      })
