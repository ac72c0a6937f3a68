/** Packets with gaps as audio: every sample in its place, silence where a packet is missing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AudioError, type AudioFormat, frameBytesOf } from '../../src/audio/audio-format.js'
import { decodeG711 } from '../../src/audio/g711.js'
import {
  type AudioPacket,
  linearOf,
  measureAudio,
  packetAudio,
  pieceBytes,
} from '../../src/audio/packet-audio.js'
import { parseWav, wavHeader, wavPadding } from '../../src/audio/wav-file.js'
import { speechOf } from '../support/wav-files.js'

const mulaw: AudioFormat = { encoding: 'mulaw', sampleRate: 8000, channels: 1 }
const packetOf = (sequence: number, samples: Buffer): AudioPacket => ({
  sequence,
  data: Buffer.from(samples.toString('base64')),
})

/** Cut into packets of `bytes`, without those that are lost. */
function packetsOf(audio: Buffer, bytes: number, lost: readonly number[]): AudioPacket[] {
  return Array.from({ length: Math.ceil(audio.length / bytes) }, (_, sequence) =>
    packetOf(sequence, audio.subarray(sequence * bytes, (sequence + 1) * bytes)),
  ).filter(({ sequence }) => !lost.includes(sequence))
}

async function wavOf(
  packets: readonly AudioPacket[],
  format: AudioFormat,
  expectedTotal: number | null,
  linear = false,
): Promise<Buffer> {
  const measure = await measureAudio([packets], format, expectedTotal)
  const target = linear ? linearOf(format) : format
  const chunks = [wavHeader(target, measure.frames)]
  for await (const pieces of packetAudio([packets], format, measure))
    for (const piece of pieces) chunks.push(...pieceBytes(piece, format, linear))
  chunks.push(wavPadding(measure.frames * frameBytesOf(target)))
  return Buffer.concat(chunks)
}

describe('packets as audio', () => {
  for (const [encoding, silence] of [
    ['mulaw', 0xff],
    ['alaw', 0xd5],
    ['pcm_s16le', 0],
  ] as const)
    test(`of ${encoding} are the samples that were sent, and ${silence} where a packet is missing`, async () => {
      const audio = speechOf(9).subarray(0, 8 * 160 + 34)
      const lost = [0, 3, 4, 7]
      const file = await wavOf(packetsOf(audio, 160, lost), { ...mulaw, encoding }, null)
      const expected = Buffer.from(audio)
      for (const sequence of lost) expected.fill(silence, sequence * 160, (sequence + 1) * 160)
      const wav = parseWav(file)
      assert.equal(wav.encoding, encoding)
      assert.deepEqual(wav.frames, expected)
      assert.equal(file.readUInt32LE(4), file.length - 8, 'the size in the header')
    })

  test('that are missing at the end are silence too, once the total is known', async () => {
    const packets = packetsOf(speechOf(3), 160, [])
    assert.equal(parseWav(await wavOf(packets, mulaw, 5)).frames.length, 5 * 160)
    assert.equal(parseWav(await wavOf(packets, mulaw, null)).frames.length, 3 * 160)
    // A surplus is audio like the rest.
    assert.equal(parseWav(await wavOf(packets, mulaw, 2)).frames.length, 3 * 160)
  })

  test('keep time where packets alternate between two lengths, whichever are lost', async () => {
    // 20 ms at 11,025 Hz are 220.5 frames; a rounded gap would move what follows by half a frame a packet.
    const starts = Array.from({ length: 1001 }, (_, sequence) => Math.floor(sequence * 220.5))
    const audio = Buffer.alloc(starts[1000] as number, 1)
    const packets = starts
      .slice(0, 1000)
      .map((start, sequence) => packetOf(sequence, audio.subarray(start, starts[sequence + 1])))
    const format = { ...mulaw, sampleRate: 11_025 }
    const whole = await measureAudio([packets], format, null)
    assert.equal(whole.frames, audio.length)
    const received = packets.filter(({ sequence }) => sequence % 7 < 4)
    const { frames } = await measureAudio([received], format, 1000)
    assert(Math.abs(frames - audio.length) <= 4, `${frames} frames of ${audio.length}`)
  })

  test('are decoded sample by sample where linear audio is asked for', async () => {
    const audio = speechOf(3)
    const { frames, encoding } = parseWav(await wavOf(packetsOf(audio, 160, [1]), mulaw, 3, true))
    assert.equal(encoding, 'pcm_s16le')
    const levels = Array.from({ length: 480 }, (_, index) => frames.readInt16LE(index * 2))
    const expected = [...audio].map((code, index) =>
      index >= 160 && index < 320 ? 0 : decodeG711('mulaw', code) + 0,
    )
    assert.deepEqual(levels, expected)
  })

  test('that are no audio are refused with their number and without their content', async () => {
    const refuses = (data: string, format: AudioFormat, fact: RegExp) =>
      assert.rejects(measureAudio([[{ sequence: 7, data: Buffer.from(data) }]], format, null), (error) => {
        assert(error instanceof AudioError)
        assert.match(error.message, fact)
        assert(!error.message.includes(data))
        return true
      })
    await refuses('audio_chunk_7', mulaw, /^packet 7 is not audio: it is not base64/)
    await refuses('AAA', mulaw, /^packet 7 is not audio: it is not base64/)
    await refuses('AAAA', { ...mulaw, encoding: 'pcm_s16le' }, /^packet 7 has 3 bytes/)
  })

  test('are base64 of RFC 4648, section 4, to the letter, or no audio', async () => {
    // Guards against what Node's decoder takes or leaves out: base64url, spaces, text behind the padding.
    const rule = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
    const outcomes = { taken: 0, refused: 0 }
    const character = fc.oneof(
      { arbitrary: fc.constantFrom(...'ABYZabyz0189+/'), weight: 12 },
      { arbitrary: fc.constantFrom(...'==-_ \n.*é\0'), weight: 1 },
    )
    const texts = fc.oneof(
      fc.string({ unit: character, maxLength: 24 }),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    )
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const measured = measureAudio([[{ sequence: 0, data: Buffer.from(text, 'latin1') }]], mulaw, null)
        const isTaken = await measured.then(
          ({ frames }) => frames === Buffer.from(text, 'base64').length,
          (error) => !(error instanceof AudioError),
        )
        assert.equal(isTaken, rule.test(text), JSON.stringify(text))
        outcomes[isTaken ? 'taken' : 'refused']++
      }),
      { numRuns: 5000, examples: [['AA==AAAA'], ['A==='], ['===='], ['AA=A'], ['AAA-'], ['AA _'], ['QQ==']] },
    )
    assert(outcomes.taken > 500 && outcomes.refused > 500, JSON.stringify(outcomes))
  })

  test('that changed between the two passes are refused, because the header is written', async () => {
    const measure = await measureAudio([packetsOf(speechOf(3), 160, [])], mulaw, null)
    const drain = async () => {
      for await (const pieces of packetAudio([packetsOf(speechOf(2), 160, [])], mulaw, measure))
        for (const _ of pieces);
    }
    await assert.rejects(drain(), /changed while it was read/)
  })

  test('take no memory for silence: the longest gap is written a little at a time', async () => {
    const measure = await measureAudio([[packetOf(1_000_000, speechOf(1))]], mulaw, null)
    assert.equal(measure.frames, 1_000_001 * 160)
    let bytes = 0
    for await (const pieces of packetAudio([[packetOf(1_000_000, speechOf(1))]], mulaw, measure))
      for (const piece of pieces)
        for (const chunk of pieceBytes(piece, mulaw, false)) {
          assert(chunk.length <= 64 * 1024)
          bytes += chunk.length
        }
    assert.equal(bytes, measure.frames)
  })
})

describe('the header of a WAV file', () => {
  test('refuses more than a file can hold', () => {
    assert.doesNotThrow(() => wavHeader(mulaw, 2 ** 32 - 100))
    assert.throws(() => wavHeader(mulaw, 2 ** 32), /more than a WAV file can hold/)
  })
})
