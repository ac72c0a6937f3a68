/**
 * Whether bytes are of the encoding that was said. Speech and the noise of a line are smooth when they are read as what they
 * are, and harsh when they are read as something else; what is compressed or encrypted has no pattern in any reading.
 * Looks at the first seconds of sound only, because a stream does not change its code. Pure.
 */
import type { AudioEncoding, AudioFormat } from '../audio/audio-format.js'
import { levelsOf } from '../audio/g711.js'

/** As the bytes may be meant; linear ones also with the high byte first. */
const readings = ['mulaw', 'alaw', 'pcm_s16le', 'pcm_s16be'] as const
type Reading = (typeof readings)[number]

const secondsLooked = 2
/** Two seconds each, and then the stream is believed. */
const looksMax = 3
/** The right reading is that much smoother and quieter, because most samples of a call are small. */
const smootherBy = 1.5
const quieterBy = 10 ** 0.6
/** Neighbouring samples of what is random differ at least by that share of what two random ones do. */
const randomMin = 0.5
/** Bits of a byte: speech in G.711 has 6 to 7. */
const entropyMax = 7.8
/** Below it there is nothing to judge: −50 dBFS. */
const powerMin = 1e-5

export class EncodingCheck {
  readonly #format: AudioFormat
  readonly #bytes: Uint8Array
  #filled = 0
  #looks = 0

  constructor(format: AudioFormat) {
    this.#format = format
    const sampleBytes = format.encoding === 'pcm_s16le' ? 2 : 1
    this.#bytes = new Uint8Array(secondsLooked * format.sampleRate * format.channels * sampleBytes)
  }

  get isOver(): boolean {
    return this.#looks >= looksMax
  }

  /** True once: they are not of it. Packets without sound are left out. */
  take(bytes: Uint8Array): boolean {
    if (this.isOver || isStill(bytes)) return false
    const room = this.#bytes.length - this.#filled
    this.#bytes.set(bytes.subarray(0, room), this.#filled)
    this.#filled += Math.min(room, bytes.length)
    if (this.#filled < this.#bytes.length) return false
    this.#filled = 0
    this.#looks++
    if (!isWrong(this.#bytes, this.#format)) return false
    this.#looks = looksMax
    return true
  }
}

/** One byte, over and over. */
function isStill(bytes: Uint8Array): boolean {
  const [first] = bytes
  return bytes.every((byte) => byte === first)
}

function isWrong(bytes: Uint8Array, { encoding, channels }: AudioFormat): boolean {
  const said = read(bytes, encoding, channels)
  if (said.power < powerMin) return false
  if (said.harshness > randomMin && isRandom(bytes, encoding)) return true
  return readings.some((reading) => {
    if (reading === encoding) return false
    const { power, harshness } = read(bytes, reading, channels)
    return power > powerMin && power * quieterBy < said.power && harshness * smootherBy < said.harshness
  })
}

/** Of the bytes; of linear ones, of the high byte. */
function isRandom(bytes: Uint8Array, encoding: AudioEncoding): boolean {
  const step = encoding === 'pcm_s16le' ? 2 : 1
  const counts = new Uint32Array(256)
  let count = 0
  for (let i = step - 1; i < bytes.length; i += step) {
    const byte = bytes[i] as number
    counts[byte] = (counts[byte] as number) + 1
    count++
  }
  let entropy = 0
  for (const found of counts) if (found > 0) entropy -= (found / count) * Math.log2(found / count)
  return entropy > entropyMax
}

/** `harshness`: the power of the differences of neighbours over that of random samples, about 0 … 2. */
function read(
  bytes: Uint8Array,
  reading: Reading,
  channels: number,
): { readonly power: number; readonly harshness: number } {
  const levels = levelsAs(bytes, reading)
  let [mean, squares, differences] = [0, 0, 0]
  for (const level of levels) mean += level
  mean /= levels.length
  for (let i = channels; i < levels.length; i++) {
    squares += ((levels[i] as number) - mean) ** 2
    differences += ((levels[i] as number) - (levels[i - channels] as number)) ** 2
  }
  return { power: squares / levels.length / 32_768 ** 2, harshness: differences / (2 * Math.max(1, squares)) }
}

function levelsAs(bytes: Uint8Array, reading: Reading): Int16Array {
  if (reading === 'mulaw' || reading === 'alaw') {
    const table = levelsOf(reading)
    return Int16Array.from(bytes, (byte) => table[byte] as number)
  }
  const [low, high] = reading === 'pcm_s16le' ? [0, 1] : [1, 0]
  return Int16Array.from(
    { length: Math.floor(bytes.length / 2) },
    (_, i) => (bytes[2 * i + low] as number) | ((bytes[2 * i + high] as number) << 8),
  )
}
