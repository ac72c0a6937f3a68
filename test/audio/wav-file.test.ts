import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parseWav } from '../../src/audio/wav-file.js'
import { cutPackets } from '../../src/simulate/packets.js'
import {
  chunk,
  extensibleExtension,
  type FormatFields,
  formatChunk,
  muLaw,
  riff,
  speechOf,
} from '../support/wav-files.js'

const audio = speechOf(3)

function refuses(file: Buffer, fact: RegExp): void {
  assert.throws(() => parseWav(file), { name: 'AudioError', message: fact })
}

describe('a WAV file', () => {
  const formats: [string, FormatFields][] = [
    ['mulaw', muLaw],
    ['alaw', { ...muLaw, code: 6 }],
    ['pcm_u8', { ...muLaw, code: 1 }],
    ['pcm_s16le', { ...muLaw, code: 1, sampleBits: 16 }],
  ]
  for (const [encoding, fields] of formats)
    test(`is read as ${encoding} by its format code and bits`, () => {
      const wav = parseWav(riff(formatChunk(fields), chunk('data', audio)))
      assert.deepEqual(wav, {
        encoding,
        sampleRate: 8000,
        channels: 1,
        frameBytes: fields.sampleBits / 8,
        frames: audio,
        note: null,
      })
    })

  test('of WAVE_FORMAT_EXTENSIBLE is read by the format code in its subformat', () => {
    const format = { ...muLaw, code: 0xfffe, channels: 2, sampleBits: 16, extension: extensibleExtension(1) }
    const wav = parseWav(riff(formatChunk(format), chunk('data', audio)))
    assert.equal(wav.encoding, 'pcm_s16le')
    assert.equal(wav.frameBytes, 4)
  })

  test('may have other chunks, an odd one with its pad byte too, before and after the audio', () => {
    const odd = chunk('LIST', Buffer.from('odd'))
    assert.equal(odd.length % 2, 0)
    const wav = parseWav(riff(odd, formatChunk(muLaw), odd, chunk('data', audio), odd))
    assert.deepEqual(wav.frames, audio)
  })

  test('is read where a writer forgot the pad byte of an odd chunk', () => {
    const unpadded = chunk('LIST', Buffer.from('odd')).subarray(0, -1)
    assert.deepEqual(parseWav(riff(formatChunk(muLaw), unpadded, chunk('data', audio))).frames, audio)
  })

  test('written to a pipe, with a size that was never filled in, is read to its end', () => {
    const wav = parseWav(riff(formatChunk(muLaw), chunk('data', audio, 0xffffffff)))
    assert.deepEqual(wav.frames, audio)
  })

  test('with part of a frame at its end gives whole frames', () => {
    const format = { ...muLaw, code: 1, sampleBits: 16 }
    const wav = parseWav(riff(formatChunk(format), chunk('data', audio.subarray(0, 321))))
    assert.equal(wav.frames.length, 320)
  })

  test('whose writer could not seek is read to its end, with a note of what it says', () => {
    for (const size of [0, 2 ** 31 - 1, 2 ** 31, 0xfffffffe, 0xffffffff, audio.length + 1, 0x7ffff000]) {
      const wav = parseWav(riff(formatChunk(muLaw), chunk('data', audio, size)))
      assert.deepEqual(wav.frames, audio, `${size}`)
      assert.match(wav.note ?? '', /the 480 bytes to the end of the file are taken/)
      const alone = parseWav(riff(formatChunk(muLaw), chunk('data', audio.subarray(0, 2), size)))
      assert.equal(alone.frames.length, 2, `${size}`)
    }
  })

  test('whose recorder was killed, with a size from before, is read to its end', () => {
    for (const size of [160, 161, 320]) {
      const wav = parseWav(riff(formatChunk(muLaw), chunk('data', Buffer.alloc(480, 0xd5), size)))
      assert.equal(wav.frames.length, 480, `${size}`)
      assert.match(wav.note ?? '', new RegExp(`says ${size} bytes; the 480 bytes to the end`))
    }
    const padded = Buffer.concat([riff(formatChunk(muLaw), chunk('data', audio)), Buffer.alloc(512)])
    assert.equal(parseWav(padded).frames.length, 480, 'zeros behind it are no audio')
  })

  test('of 64 bits (RF64) is read by the size in its ds64 chunk', () => {
    const sizes = Buffer.alloc(28)
    sizes.writeBigUInt64LE(BigInt(audio.length), 8)
    for (const magic of ['RF64', 'BW64']) {
      const list = chunk('LIST', Buffer.from('behind'))
      const file = riff(chunk('ds64', sizes), formatChunk(muLaw), chunk('data', audio, 0xffffffff), list)
      file.write(magic, 'latin1')
      assert.deepEqual(parseWav(file).frames, audio)
      assert.equal(parseWav(file).note, null)
    }
    refuses(riff(chunk('ds64', Buffer.alloc(8)), formatChunk(muLaw)), /"ds64" chunk of 8 bytes/)
  })

  test('with chunks behind its audio takes none of them for audio', () => {
    for (const length of [479, 480]) {
      const wav = parseWav(
        riff(formatChunk(muLaw), chunk('data', audio.subarray(0, length)), chunk('LIST', Buffer.from('x'))),
      )
      assert.equal(wav.frames.length, length)
    }
    const empty = riff(formatChunk(muLaw), chunk('data', Buffer.alloc(0)), chunk('LIST', Buffer.from('text')))
    refuses(empty, /no audio/)
  })

  test('that ends early is read as far as it goes, and refused where its head is not whole', () => {
    const file = riff(formatChunk(muLaw), chunk('data', audio))
    const head = file.length - audio.length
    for (let length = 0; length <= head; length++) refuses(file.subarray(0, length), /./)
    for (let length = head + 1; length < file.length; length++) {
      const wav = parseWav(file.subarray(0, length))
      assert.equal(wav.frames.length, length - head)
      assert.match(wav.note ?? '', /its "data" chunk says 480 bytes/)
    }
    refuses(file.subarray(0, 30), /is truncated: its "fmt " chunk says 16 bytes, but 10 are present/)
  })

  test('that is something else is refused with what it is', () => {
    refuses(Buffer.from('ID3 this is music'), /does not start with "RIFF"/)
    refuses(Buffer.from('RIFX____WAVE'), /big-endian/)
    refuses(Buffer.from('RIFF____AVI '), /not "WAVE"/)
    refuses(riff(chunk('data', audio)), /no "fmt " chunk/)
    refuses(riff(formatChunk(muLaw)), /no "data" chunk/)
    refuses(riff(formatChunk(muLaw), chunk('data', Buffer.alloc(0))), /no audio/)
  })

  test('of an unknown format is refused with its code or bits', () => {
    const refusesFormat = (fields: FormatFields, fact: RegExp) =>
      refuses(riff(formatChunk(fields), chunk('data', audio)), fact)
    refusesFormat({ ...muLaw, code: 0x55 }, /format code 85/)
    refusesFormat({ ...muLaw, code: 1, sampleBits: 24 }, /PCM with 24 bits/)
    refusesFormat({ ...muLaw, sampleBits: 16 }, /G.711 with 16 bits/)
    refusesFormat({ ...muLaw, channels: 0, frameBytes: 0 }, /0 channels/)
    refusesFormat({ ...muLaw, sampleRate: 0 }, /0 samples a second/)
    refusesFormat({ ...muLaw, frameBytes: 3 }, /3 bytes a frame/)
    refusesFormat({ ...muLaw, code: 0xfffe }, /EXTENSIBLE, but its "fmt " chunk has 16 bytes/)
    const strange = extensibleExtension(1, 'ff0000001000800000aa00389b71')
    refusesFormat({ ...muLaw, code: 0xfffe, extension: strange }, /unknown WAVE_FORMAT_EXTENSIBLE subformat/)
  })

  test('examples/support-call.wav is 36 s of mu-law, so 1,800 packets', () => {
    const wav = parseWav(readFileSync('examples/support-call.wav'))
    assert.equal(wav.encoding, 'mulaw')
    assert.equal(wav.sampleRate, 8000)
    assert.equal(Math.floor(wav.frames.length / 8000), 36)
    const packets = cutPackets(wav)
    assert.equal(packets.length, Math.ceil(wav.frames.length / 160))
    assert.equal(Math.floor(packets.length / 50), 36)
  })
})

describe('packets of 20 ms', () => {
  test('are the audio again when their base64 is put together', () => {
    const whole = speechOf(5).subarray(0, 4 * 160 + 33)
    const packets = cutPackets(parseWav(riff(formatChunk(muLaw), chunk('data', whole))))
    assert.deepEqual(
      packets.map(({ data }) => Buffer.from(data, 'base64').length),
      [160, 160, 160, 160, 33],
    )
    assert.deepEqual(Buffer.concat(packets.map(({ data }) => Buffer.from(data, 'base64'))), whole)
  })

  test('keep time where 20 ms are not whole frames: 50 packets are one second', () => {
    const format = { ...muLaw, sampleRate: 11_025 }
    const packets = cutPackets(parseWav(riff(formatChunk(format), chunk('data', Buffer.alloc(11_025)))))
    assert.equal(packets.length, 50)
  })

  test('that would exceed the bound of the service on data are refused', () => {
    const format = { code: 1, channels: 8, sampleRate: 192_000, sampleBits: 16 }
    const wav = parseWav(riff(formatChunk(format), chunk('data', Buffer.alloc(100_000))))
    assert.throws(() => cutPackets(wav), { code: 'wav', message: /past the highest allowed 32768/ })
  })
})
