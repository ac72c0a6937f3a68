/** A call as a WAV file of which any part can be read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AudioFormat } from '../../src/audio/audio-format.js'
import { CallAudio } from '../../src/audio/call-audio.js'
import type { AudioPacket } from '../../src/audio/packet-audio.js'
import { wavHeader } from '../../src/audio/wav-file.js'

const format: AudioFormat = { encoding: 'mulaw', sampleRate: 8000, channels: 1 }

/** 5,000 packets of 7 or 8 bytes, a fifth of them missing: marks in between, and an odd end. */
const bytesOf = (sequence: number) => Buffer.alloc(sequence % 3 === 0 ? 8 : 7, sequence % 251)
const isMissing = (sequence: number) => sequence % 5 === 2 || (sequence > 2000 && sequence < 2400)
const packets = Array.from({ length: 5000 }, (_, sequence) => sequence).filter((one) => !isMissing(one))
let read = 0
const packetOf = (sequence: number): AudioPacket => {
  read++
  return { sequence, data: Buffer.from(bytesOf(sequence).toString('base64')) }
}
const from = function* (first: number): Generator<AudioPacket[]> {
  const wanted = packets.filter((sequence) => sequence >= first)
  for (let at = 0; at < wanted.length; at += 40) yield wanted.slice(at, at + 40).map(packetOf)
}

async function collect(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const part of parts) all.push(Buffer.from(part))
  return Buffer.concat(all)
}

test('any range of the file is that part of the whole', async () => {
  const audio = await CallAudio.open(from, format, 5003)
  const whole = await collect(audio.read(from, 0, audio.bytes - 1))
  assert.equal(whole.length, audio.bytes)
  const header = wavHeader(format, whole.readUInt32LE(wavHeader(format, 0).length - 4))
  assert.ok(whole.subarray(0, header.length).equals(header))
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: audio.bytes - 1 }),
      fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 40_000 })),
      async (first, length) => {
        const last = Math.min(audio.bytes - 1, first + length)
        assert.ok((await collect(audio.read(from, first, last))).equals(whole.subarray(first, last + 1)))
      },
    ),
    {
      numRuns: 300,
      examples: [
        [0, 0],
        [audio.bytes - 1, 0],
        [header.length, 0],
        [header.length - 1, 1],
      ],
    },
  )
})

test('a part near the end does not read the call from its start', async () => {
  const audio = await CallAudio.open(from, format, null)
  read = 0
  await collect(audio.read(from, audio.bytes - 10, audio.bytes - 1))
  assert.ok(read > 0 && read < 1100, `${read} packets were read`)
})
