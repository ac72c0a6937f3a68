/**
 * G.711, the coding of telephony: a byte a sample, sign, segment and step of a logarithm in segments. Source: ITU-T
 * G.711 (11/88), tables 1a to 2b; scaled to 16 bits as in the software of ITU-T G.191, so the levels of mu-law
 * (14 bits) are multiples of 4 and those of A-law (13 bits) of 8.
 *
 *     s eee mmmm    s: sign, 1 is positive   e: segment   m: step     mu-law is sent inverted, A-law with its even bits
 */
import type { AudioEncoding } from './audio-format.js'

export type G711Law = Exclude<AudioEncoding, 'pcm_s16le'>

const evenBits = 0x55
/** Added to a level of mu-law so that all segments start at a power of two; 33 in the 14 bits of the tables. */
const muLawBias = 33 << 2
const levelMax = 0x7fff

const linear: Readonly<Record<G711Law, Int16Array>> = {
  mulaw: Int16Array.from({ length: 256 }, (_, code) => decodeMuLaw(code)),
  alaw: Int16Array.from({ length: 256 }, (_, code) => decodeALaw(code)),
}

function decodeMuLaw(code: number): number {
  const bits = ~code
  const magnitude = ((((bits & 0x0f) << 3) + muLawBias) << ((bits & 0x70) >> 4)) - muLawBias
  return (bits & 0x80) === 0 ? magnitude : -magnitude
}

function decodeALaw(code: number): number {
  const bits = code ^ evenBits
  const segment = (bits & 0x70) >> 4
  // Half a step more: a code stands for the middle of its interval.
  const step = ((bits & 0x0f) << 4) + 8
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1)
  return (bits & 0x80) === 0 ? -magnitude : magnitude
}

/** The level of a code, in 16 bits. */
export function decodeG711(law: G711Law, code: number): number {
  return linear[law][code & 0xff] as number
}

/** The levels of all codes. */
export function levelsOf(law: G711Law): Int16Array {
  return linear[law]
}

/** The code whose interval a level of 16 bits lies in; what is too loud is cut. */
export function encodeG711(law: G711Law, level: number): number {
  return law === 'mulaw' ? encodeMuLaw(level) : encodeALaw(level)
}

function encodeMuLaw(level: number): number {
  const sign = level < 0 ? 0 : 0x80
  const magnitude = Math.min(Math.abs(level) + muLawBias, levelMax)
  const segment = 24 - Math.clz32(magnitude)
  return ~((sign ^ 0x80) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f)) & 0xff
}

function encodeALaw(level: number): number {
  const sign = level < 0 ? 0 : 0x80
  // An interval belongs to its lower end, so the negative ones are shifted by one.
  const magnitude = Math.min(level < 0 ? ~level : level, levelMax)
  const segment = Math.max(0, 24 - Math.clz32(magnitude))
  const step = (magnitude >> (segment === 0 ? 4 : segment + 3)) & 0x0f
  return (sign | (segment << 4) | step) ^ evenBits
}

/** Samples of one law as linear ones of 16 bits, little-endian, twice as many bytes. */
export function toLinear(law: G711Law, codes: Uint8Array): Buffer {
  const levels = linear[law]
  const target = Buffer.allocUnsafe(codes.length * 2)
  for (let i = 0; i < codes.length; i++) target.writeInt16LE(levels[codes[i] as number] as number, i * 2)
  return target
}
