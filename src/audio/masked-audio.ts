/**
 * A WAV file with parts that are not to be heard: a tone or silence in their place, on every channel, because what one side says
 * comes back on the other. Any range of the file is that part of the whole. Pure and streaming.
 */
import { type AudioFormat, frameBytesOf, silenceByteOf } from './audio-format.js'
import { encodeG711 } from './g711.js'

export type Cover = 'beep' | 'silence'

/** Frames, `end` not included. */
export interface FramePart {
  readonly first: number
  readonly end: number
}

export interface MaskedFile {
  readonly format: AudioFormat
  readonly headerBytes: number
  /** Ascending, none over another. */
  readonly parts: readonly FramePart[]
  readonly cover: Cover
}

const toneHz = 1000
/** −20 dBFS. */
const toneLevel = 0.1 * 0x7fff
/** The tone comes and goes within so long: a sudden one clicks. */
const rampSeconds = 0.005

/** `pieces`: of the file, from its byte `at` on. */
export async function* maskedBytes(
  pieces: AsyncIterable<Buffer>,
  at: number,
  file: MaskedFile,
): AsyncGenerator<Buffer> {
  const { headerBytes, format, parts } = file
  const frameBytes = frameBytesOf(format)
  let next = 0
  for await (const piece of pieces) {
    const end = at + piece.length
    while (next < parts.length && headerBytes + (parts[next] as FramePart).end * frameBytes <= at) next++
    let masked: Buffer | null = null
    for (let index = next; index < parts.length; index++) {
      const part = parts[index] as FramePart
      const from = headerBytes + part.first * frameBytes
      if (from >= end) break
      // Packets are read into memory that is not ours to write.
      masked ??= Buffer.from(piece)
      cover(masked, at, Math.max(from, at), Math.min(headerBytes + part.end * frameBytes, end), part, file)
    }
    yield masked ?? piece
    at = end
  }
}

/** The bytes `from` to `to` of the file, which is read from `at` on, in `piece`. */
function cover(piece: Buffer, at: number, from: number, to: number, part: FramePart, file: MaskedFile): void {
  const { format, headerBytes } = file
  if (file.cover === 'silence') {
    piece.fill(silenceByteOf(format.encoding), from - at, to - at)
    return
  }
  const frameBytes = frameBytesOf(format)
  let frame = -1
  let sample = 0
  for (let byte = from; byte < to; byte++) {
    const inData = byte - headerBytes
    const own = Math.floor(inData / frameBytes)
    if (own !== frame) {
      frame = own
      sample = toneAt(frame, part, format)
    }
    const isHigh = format.encoding === 'pcm_s16le' && inData % 2 === 1
    piece[byte - at] = (isHigh ? sample >> 8 : sample) & 0xff
  }
}

/** The code of the format. */
function toneAt(frame: number, { first, end }: FramePart, { encoding, sampleRate }: AudioFormat): number {
  const edge = Math.min(frame - first, end - 1 - frame) / (rampSeconds * sampleRate)
  const wave = Math.sin((2 * Math.PI * toneHz * (frame - first)) / sampleRate)
  const level = Math.round(toneLevel * Math.min(1, edge) * wave)
  return encoding === 'pcm_s16le' ? level : encodeG711(encoding, level)
}
