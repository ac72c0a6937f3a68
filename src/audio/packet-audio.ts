/**
 * A call's packets as audio: pure and streaming, wherever the packets come from. Packets go in by ascending sequence,
 * base64 of their samples as text; out comes what was received and what is missing, in order and without a gap:
 *
 *     packets    0   1           4         expected total 6
 *     pieces    [0] [1] [2 … 3] [4] [5]    received, received, missing, received, missing
 *
 * What is missing is as long as packets usually are in this call, which only the whole call tells: `measureAudio` reads
 * it once, `packetAudio` again. Neither holds more than a page of packets.
 */
import assert from 'node:assert/strict'
import { AudioError, type AudioFormat, frameBytesOf, silenceByteOf } from './audio-format.js'
import { type G711Law, toLinear } from './g711.js'

export interface AudioPacket {
  readonly sequence: number
  /** Base64 (RFC 4648, section 4), as UTF-8; or the samples themselves. */
  readonly data: Uint8Array
  readonly isRaw?: boolean
}

/** A page at a time, because a turn of the loop for each packet would cost more than its audio. */
export type AudioPages = Iterable<Iterable<AudioPacket>> | AsyncIterable<Iterable<AudioPacket>>

export interface AudioMeasure {
  readonly packets: number
  /** Frames of what was received and what is missing together. */
  readonly frames: number
  /** Not whole where packets alternate between two lengths to keep time: 20 ms are 220.5 frames at 11,025 Hz. */
  readonly framesPerPacket: number
  /** As it was given: numbers from 0 up to it are missing where no packet has them. */
  readonly expectedTotal: number | null
  /** Where reading may begin, ascending; the first one is the start of the call. */
  readonly marks: readonly AudioMark[]
}

/** A place after a received packet. */
export interface AudioMark {
  /** The packet's; −1 at the start of the call. */
  readonly sequence: number
  /** Frames that were received up to here, and numbers that are missing. */
  readonly received: number
  readonly missing: number
}

export type AudioPiece =
  | {
      readonly kind: 'received'
      readonly sequence: number
      readonly frames: number
      readonly samples: Buffer
    }
  | { readonly kind: 'missing'; readonly first: number; readonly last: number; readonly frames: number }

const silenceBytesAtOnce = 64 * 1024
/** 20 s of packets of 20 ms: little to read in vain, and some 1,000 marks for a call of 6 hours. */
const packetsPerMark = 1024

/** Reads a call once. Throws an `AudioError` that names the first packet which is not audio of this format. */
export async function measureAudio(
  pages: AudioPages,
  format: AudioFormat,
  expectedTotal: number | null,
): Promise<AudioMeasure> {
  const frameBytes = frameBytesOf(format)
  const packetsOfLength = new Map<number, number>()
  let received = 0
  let count = 0
  let highest = -1
  const marks: AudioMark[] = [{ sequence: -1, received: 0, missing: 0 }]
  for await (const page of pages)
    for (const packet of page) {
      assert(packet.sequence > highest, 'packets come by ascending sequence')
      const frames = decodeSamples(packet, frameBytes).length / frameBytes
      packetsOfLength.set(frames, (packetsOfLength.get(frames) ?? 0) + 1)
      highest = packet.sequence
      received += frames
      count++
      if (count % packetsPerMark === 0)
        marks.push({ sequence: highest, received, missing: highest + 1 - count })
    }
  const framesPerPacket = usualLength(packetsOfLength)
  const missing = Math.max(highest + 1, expectedTotal ?? 0) - count
  return {
    packets: count,
    frames: received + Math.round(missing * framesPerPacket),
    framesPerPacket,
    expectedTotal,
    marks,
  }
}

/** The most frequent length, together with its neighbours of one frame more or less, by which packets keep time. */
function usualLength(packetsOfLength: ReadonlyMap<number, number>): number {
  const [usual = 0] = [...packetsOfLength].reduce((most, next) => (next[1] > most[1] ? next : most), [0, 0])
  let frames = 0
  let packets = 0
  for (const length of [usual - 1, usual, usual + 1]) {
    const count = packetsOfLength.get(length) ?? 0
    frames += length * count
    packets += count
  }
  return packets === 0 ? 0 : frames / packets
}

/** Frames of the call before a mark. */
export function framesBefore({ received, missing }: AudioMark, { framesPerPacket }: AudioMeasure): number {
  return received + Math.round(missing * framesPerPacket)
}

/**
 * Reads the same packets again, from the one after a mark on: the pieces of a page at a time, each to be read to its end
 * before the next. Throws an `AudioError` when they are not those that were measured.
 */
export async function* packetAudio(
  pages: AudioPages,
  format: AudioFormat,
  measure: AudioMeasure,
  from: AudioMark = measure.marks[0] as AudioMark,
): AsyncGenerator<Iterable<AudioPiece>> {
  const reading = new SecondReading(format, measure, from)
  for await (const page of pages) yield reading.received(page)
  yield reading.rest()
}

class SecondReading {
  readonly #frameBytes: number
  readonly #measure: AudioMeasure
  readonly #silence: Silence
  #highest: number
  #frames: number

  constructor(format: AudioFormat, measure: AudioMeasure, from: AudioMark) {
    this.#frameBytes = frameBytesOf(format)
    this.#measure = measure
    this.#silence = new Silence(measure.framesPerPacket, from.missing)
    this.#highest = from.sequence
    this.#frames = framesBefore(from, measure)
  }

  *received(page: Iterable<AudioPacket>): Generator<AudioPiece> {
    for (const packet of page) {
      const { sequence } = packet
      const samples = decodeSamples(packet, this.#frameBytes)
      yield* this.#missingBefore(sequence)
      this.#highest = sequence
      const frames = samples.length / this.#frameBytes
      this.#frames += frames
      yield { kind: 'received', sequence, frames, samples }
    }
  }

  *rest(): Generator<AudioPiece> {
    yield* this.#missingBefore(this.#measure.expectedTotal ?? 0)
    if (this.#frames !== this.#measure.frames) throw new AudioError('the call changed while it was read')
  }

  *#missingBefore(sequence: number): Generator<AudioPiece> {
    const piece = this.#silence.between(this.#highest, sequence)
    if (piece === null) return
    this.#frames += piece.frames
    yield piece
  }
}

/** Rounded over all that is missing of the call, so that fractions of a frame do not add up. */
class Silence {
  readonly #framesPerPacket: number
  #missing: number

  constructor(framesPerPacket: number, missing: number) {
    this.#framesPerPacket = framesPerPacket
    this.#missing = missing
  }

  /** The numbers between two. */
  between(received: number, next: number): AudioPiece | null {
    const [first, last] = [received + 1, next - 1]
    if (first > last) return null
    const before = Math.round(this.#missing * this.#framesPerPacket)
    this.#missing += last - first + 1
    const frames = Math.round(this.#missing * this.#framesPerPacket) - before
    return { kind: 'missing', first, last, frames }
  }
}

/** The bytes of a piece, silence a little at a time. `linear`: as 16 bits, whatever the packets hold. */
export function* pieceBytes(piece: AudioPiece, format: AudioFormat, linear: boolean): Generator<Buffer> {
  const target = linear ? linearOf(format) : format
  if (piece.kind === 'received') {
    yield target.encoding === format.encoding
      ? piece.samples
      : // Where source and target differ, the source is G.711.
        toLinear(format.encoding as G711Law, piece.samples)
    return
  }
  const bytes = piece.frames * frameBytesOf(target)
  const silence = Buffer.alloc(Math.min(bytes, silenceBytesAtOnce), silenceByteOf(target.encoding))
  for (let left = bytes; left > 0; left -= silence.length)
    yield left < silence.length ? silence.subarray(0, left) : silence
}

export function linearOf(format: AudioFormat): AudioFormat {
  return { ...format, encoding: 'pcm_s16le' }
}

/** Null for a packet that is no audio of this format: one who listens goes on without it. */
export function samplesIn(packet: AudioPacket, format: AudioFormat): Buffer | null {
  try {
    return decodeSamples(packet, frameBytesOf(format))
  } catch (error) {
    if (error instanceof AudioError) return null
    throw error
  }
}

/** Strict, because text that is no audio would otherwise become noise. */
function decodeSamples({ sequence, data, isRaw = false }: AudioPacket, frameBytes: number): Buffer {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  const samples = isRaw ? bytes : decodeBase64(sequence, bytes)
  if (samples.length % frameBytes !== 0)
    throw new AudioError(
      `packet ${sequence} has ${samples.length} bytes, not a multiple of ${frameBytes} (one frame)`,
    )
  return samples
}

function decodeBase64(sequence: number, text: Buffer): Buffer {
  const samples = Buffer.from(text.toString('latin1'), 'base64')
  if (samples.length !== decodedBytes(text) || text.includes(dash) || text.includes(underscore))
    throw new AudioError(`packet ${sequence} is not audio: it is not base64`)
  return samples
}

/** What Node takes for 62 and 63 as well (RFC 4648, section 5), and RFC 4648, section 4 does not. */
const [dash, underscore] = [0x2d, 0x5f]
const pad = 0x3d

/** How many bytes base64 of this length stands for; Node's decoder leaves out what it does not know, and gives fewer. */
function decodedBytes(text: Buffer): number {
  if (text.length % 4 !== 0) return -1
  const padding = text.at(-1) !== pad ? 0 : text.at(-2) !== pad ? 1 : 2
  return (text.length / 4) * 3 - padding
}
