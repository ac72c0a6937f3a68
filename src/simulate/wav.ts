/**
 * Reads WAV (RIFF) audio: pure, bytes in, audio out.
 *
 *   "RIFF" size "WAVE"  { id[4] size[4] body[size] pad[size odd] }…
 *
 * All numbers are little-endian. Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), and
 * RFC 2361 for the format codes. The RIFF size is not trusted, since recorders that were killed leave it wrong.
 */
import { SimulateError } from './errors.js'

export type WavEncoding = 'mu-law' | 'a-law' | 'pcm-8' | 'pcm-16'

export interface WavAudio {
  readonly encoding: WavEncoding
  /** Frames a second; a frame has one sample for each channel. */
  readonly sampleRate: number
  readonly channels: number
  readonly frameBytes: number
  /** Whole frames only; shares memory with the file. */
  readonly frames: Buffer
}

interface Format {
  readonly code: number
  readonly channels: number
  readonly sampleRate: number
  readonly frameBytes: number
  readonly sampleBits: number
}

const formatCodes = { pcm: 1, aLaw: 6, muLaw: 7, extensible: 0xfffe }
/** The tail of every KSDATAFORMAT_SUBTYPE GUID; its first two bytes are the format code. */
const subformatTail = Buffer.from('000000001000800000aa00389b71', 'hex')
/** A writer to a pipe cannot know the size: the data then goes on to the end of the file. */
const sizeUnknown = 0xffffffff
const chunkHeaderBytes = 8

/** Parses a whole file. Throws a `SimulateError` with code `wav` that says what is wrong and where. */
export function parseWav(file: Buffer): WavAudio {
  checkRiffHeader(file)
  let format: Format | undefined
  let data: Buffer | undefined
  for (let offset = 12; offset + chunkHeaderBytes <= file.length; ) {
    const id = file.toString('latin1', offset, offset + 4)
    const size = file.readUInt32LE(offset + 4)
    const bodyOffset = offset + chunkHeaderBytes
    if (id === 'fmt ') format = readFormat(wholeBody(file, { id, bodyOffset, size }))
    if (id === 'data') data ??= audioBody(file, { id, bodyOffset, size })
    if (format !== undefined && data !== undefined) break
    offset = nextChunkOffset(file, bodyOffset + size)
  }
  if (format === undefined) throw bad('has no "fmt " chunk, or ends before it')
  if (data === undefined) throw bad('has no "data" chunk, or ends before it')
  return describe(format, data)
}

function checkRiffHeader(file: Buffer): void {
  const magic = file.toString('latin1', 0, 4)
  if (magic === 'RIFX') throw bad('is big-endian (RIFX), which is not supported')
  if (magic === 'RF64') throw bad('is 64-bit (RF64), which is not supported')
  if (magic !== 'RIFF') throw bad('does not start with "RIFF"')
  if (file.length < 12) throw bad(`is truncated: ${file.length} bytes, less than a RIFF header`)
  if (file.toString('latin1', 8, 12) !== 'WAVE') throw bad('is RIFF, but not "WAVE"')
}

interface Chunk {
  readonly id: string
  readonly bodyOffset: number
  readonly size: number
}

function wholeBody(file: Buffer, { id, bodyOffset, size }: Chunk): Buffer {
  const present = file.length - bodyOffset
  if (size > present)
    throw bad(`is truncated: its "${id}" chunk says ${size} bytes, but ${present} are present`)
  return file.subarray(bodyOffset, bodyOffset + size)
}

function audioBody(file: Buffer, chunk: Chunk): Buffer {
  return chunk.size === sizeUnknown ? file.subarray(chunk.bodyOffset) : wholeBody(file, chunk)
}

/** An odd chunk is followed by a zero byte. Some writers forget it, and no chunk id starts with a zero. */
function nextChunkOffset(file: Buffer, end: number): number {
  return end % 2 === 1 && file[end] === 0 ? end + 1 : end
}

function readFormat(body: Buffer): Format {
  if (body.length < 16) throw bad(`has a "fmt " chunk of ${body.length} bytes; at least 16 are needed`)
  const format = {
    code: body.readUInt16LE(0),
    channels: body.readUInt16LE(2),
    sampleRate: body.readUInt32LE(4),
    frameBytes: body.readUInt16LE(12),
    sampleBits: body.readUInt16LE(14),
  }
  if (format.code !== formatCodes.extensible) return format
  if (body.length < 40) throw bad(`is WAVE_FORMAT_EXTENSIBLE, but its "fmt " chunk has ${body.length} bytes`)
  if (!body.subarray(26, 40).equals(subformatTail))
    throw bad('has an unknown WAVE_FORMAT_EXTENSIBLE subformat')
  return { ...format, code: body.readUInt16LE(24) }
}

function describe(format: Format, data: Buffer): WavAudio {
  const encoding = encodingOf(format)
  const { channels, sampleRate, frameBytes } = format
  if (channels === 0) throw bad('says that it has 0 channels')
  if (sampleRate === 0) throw bad('says that it has 0 samples a second')
  const expectedFrameBytes = channels * (encoding === 'pcm-16' ? 2 : 1)
  if (frameBytes !== expectedFrameBytes)
    throw bad(
      `says ${frameBytes} bytes a frame, but ${channels} channels of ${encoding} take ${expectedFrameBytes}`,
    )
  const frameCount = Math.floor(data.length / frameBytes)
  if (frameCount === 0) throw bad('has no audio')
  return { encoding, sampleRate, channels, frameBytes, frames: data.subarray(0, frameCount * frameBytes) }
}

function encodingOf({ code, sampleBits }: Format): WavEncoding {
  switch (code) {
    case formatCodes.muLaw:
    case formatCodes.aLaw:
      if (sampleBits !== 8) throw bad(`is G.711 with ${sampleBits} bits a sample instead of 8`)
      return code === formatCodes.muLaw ? 'mu-law' : 'a-law'
    case formatCodes.pcm:
      if (sampleBits === 8) return 'pcm-8'
      if (sampleBits === 16) return 'pcm-16'
      throw bad(`is PCM with ${sampleBits} bits a sample; 8 and 16 are supported`)
    default:
      throw bad(`has the format code ${code}; PCM (1), A-law (6) and mu-law (7) are supported`)
  }
}

function bad(fact: string): SimulateError {
  return new SimulateError('wav', `the file ${fact}`)
}
