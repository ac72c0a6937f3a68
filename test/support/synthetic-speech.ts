/** Sound of known content, at 8 kHz: syllables that glide, noise, tones. Samples are −1 … 1. */

import type { AudioEncoding } from '../../src/audio/audio-format.js'
import { encodeG711 } from '../../src/audio/g711.js'

export type Sound = Float64Array
export type Random = () => number

/** The same in each run: what is true of a sound is written down in its test. */
export function fixedRandom(seed: number): Random {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) / 2 ** 24
  }
}

export const rate = 8000
const samplesOf = (seconds: number) => Math.round(seconds * rate)
const gainOf = (dbfs: number) => 10 ** (dbfs / 20)

export function silence(seconds: number): Sound {
  return new Float64Array(samplesOf(seconds))
}

export function noise(seconds: number, dbfs: number, random: Random): Sound {
  // Three uniform numbers are near enough to a normal one; their deviation is 1.
  return silence(seconds).map(() => gainOf(dbfs) * (random() + random() + random() - 1.5) * 2)
}

/** Each tone has that level, which is of its root mean square. */
export function tones(seconds: number, frequencies: readonly number[], dbfs: number): Sound {
  return silence(seconds).map((_, i) =>
    frequencies.reduce(
      (sum, frequency) => sum + Math.SQRT2 * gainOf(dbfs) * Math.sin((2 * Math.PI * frequency * i) / rate),
      0,
    ),
  )
}

/** Syllables with gliding pitch and changing formants, a breath now and then. Their level is `dbfs` while they sound. */
export function speech(seconds: number, dbfs: number, random: Random): Sound {
  const sound = silence(seconds)
  const pitch = 90 + 120 * random()
  let at = samplesOf(0.05)
  let sinceBreath = 0
  while (at < sound.length) {
    const length = samplesOf(0.12 + 0.16 * random())
    addSyllable(sound, at, length, pitch * (0.85 + 0.3 * random()), random)
    at += length
    sinceBreath += length
    const isBreath = sinceBreath > samplesOf(1.5 + 1.5 * random())
    if (isBreath) sinceBreath = 0
    at += isBreath ? samplesOf(0.25 + 0.3 * random()) : samplesOf(0.03 + 0.07 * random())
  }
  let [squares, count] = [0, 0]
  for (const sample of sound)
    if (sample !== 0) {
      squares += sample * sample
      count++
    }
  const gain = gainOf(dbfs) / Math.sqrt(squares / Math.max(1, count))
  return sound.map((sample) => sample * gain)
}

function addSyllable(sound: Sound, at: number, length: number, pitch: number, random: Random): void {
  const formants = [
    { center: 300 + 500 * random(), width: 120 },
    { center: 900 + 1300 * random(), width: 220 },
    { center: 2300 + 600 * random(), width: 350 },
  ]
  const glide = (random() - 0.5) * 0.4
  const end = Math.min(at + length, sound.length)
  const harmonics = Math.floor(3400 / (pitch * 1.2))
  const gains = Array.from({ length: harmonics }, (_, index) => {
    const frequency = pitch * (index + 1)
    const shape = formants.reduce(
      (sum, { center, width }) => sum + 1 / (1 + ((frequency - center) / width) ** 2),
      0.02,
    )
    // A voice falls by some 9 dB an octave.
    return shape / (index + 1) ** 1.5
  })
  let phase = random() * 6
  for (let i = at; i < end; i++) {
    const part = (i - at) / length
    phase += (2 * Math.PI * pitch * (1 + glide * part)) / rate
    const loudness = Math.min(1, part * 8, (1 - part) * 5)
    let sample = 0
    for (let harmonic = 0; harmonic < harmonics; harmonic++)
      sample += (gains[harmonic] as number) * Math.sin((harmonic + 1) * phase)
    sound[i] = loudness * (sample + 0.05 * (random() - 0.5))
  }
}

export function mixed(...sounds: readonly Sound[]): Sound {
  const length = Math.max(...sounds.map((sound) => sound.length))
  return new Float64Array(length).map((_, i) => sounds.reduce((sum, sound) => sum + (sound[i] ?? 0), 0))
}

export function joined(...sounds: readonly Sound[]): Sound {
  const whole = new Float64Array(sounds.reduce((sum, sound) => sum + sound.length, 0))
  let at = 0
  for (const sound of sounds) {
    whole.set(sound, at)
    at += sound.length
  }
  return whole
}

/** Loud parts are cut at the limit, as a converter does. */
export function encoded(sound: Sound, encoding: AudioEncoding): Buffer {
  const isLinear = encoding === 'pcm_s16le'
  const bytes = Buffer.allocUnsafe(sound.length * (isLinear ? 2 : 1))
  for (let i = 0; i < sound.length; i++) {
    const level = Math.max(-32_768, Math.min(32_767, Math.round((sound[i] as number) * 32_768)))
    if (isLinear) bytes.writeInt16LE(level, i * 2)
    else bytes[i] = encodeG711(encoding, level)
  }
  return bytes
}
