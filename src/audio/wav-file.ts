/**
 * WAV (RIFF) audio: whole files are read, headers are written. Pure.
 *
 *   "RIFF" size "WAVE"  { id[4] size[4] body[size] pad[size odd] }…
 *
 * All numbers are little-endian. Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), and
 * RFC 2361 for the format codes. The RIFF size is not trusted, since recorders that were killed leave it wrong.
 */
import assert from 'node:assert/strict'
import { type AudioEncoding, AudioError, type AudioFormat, frameBytesOf } from './audio-format.js'

/** What a file may hold beside what packets do: PCM of 8 bits. */
export type WavEncoding = AudioEncoding | 'pcm_u8'

export interface WavAudio {
  readonly encoding: WavEncoding
  /** Frames a second; a frame has one sample for each channel. */
  readonly sampleRate: number
  readonly channels: number
  readonly frameBytes: number
  /** Whole frames only; shares memory with the file. */
  readonly frames: Buffer
  /** What was odd about the file and did no harm, for people. */
  readonly note: string | null
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
/** In RF64 the size is in its "ds64" chunk instead. */
const sizeUnknown = 0xffffffff
const chunkHeaderBytes = 8

/** Parses a whole file. Throws an `AudioError` that says what is wrong and where. */
export function parseWav(file: Buffer): WavAudio {
  checkRiffHeader(file)
  let format: Format | undefined
  let data: AudioBody | undefined
  let longSize: number | undefined
  for (let offset = 12; offset + chunkHeaderBytes <= file.length; ) {
    const id = file.toString('latin1', offset, offset + 4)
    const size = file.readUInt32LE(offset + 4)
    const bodyOffset = offset + chunkHeaderBytes
    if (id === 'fmt ') format = readFormat(wholeBody(file, { id, bodyOffset, size }))
    if (id === 'ds64') longSize = readLongSize(wholeBody(file, { id, bodyOffset, size }))
    if (id === 'data')
      data ??= audioBody(file, { id, bodyOffset, size: size === sizeUnknown ? (longSize ?? size) : size })
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
  if (!['RIFF', 'RF64', 'BW64'].includes(magic)) throw bad('does not start with "RIFF"')
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

interface AudioBody {
  readonly bytes: Buffer
  readonly note: string | null
}

/**
 * A writer to a pipe cannot go back to say the size: it says 0, or the largest there is, or what it had hoped for. The
 * audio then goes on to the end of the file.
 */
function audioBody(file: Buffer, { bodyOffset, size }: Chunk): AudioBody {
  const present = file.length - bodyOffset
  const isWhole = size === 0 ? isChunkedToEnd(file, bodyOffset) : endsAt(file, bodyOffset + size)
  if (size <= present && isWhole) return { bytes: file.subarray(bodyOffset, bodyOffset + size), note: null }
  const said = size === sizeUnknown ? 'leaves its size open' : `says ${size} bytes`
  const note = `its "data" chunk ${said}; the ${present} bytes to the end of the file are taken`
  return { bytes: file.subarray(bodyOffset), note }
}

/**
 * Whether the audio may end there: the file does, or a chunk begins, or zeros. A recorder that writes the size now and then,
 * and was killed, leaves one that is too small.
 */
function endsAt(file: Buffer, end: number): boolean {
  const next = nextChunkOffset(file, end)
  if (file.length - next < chunkHeaderBytes) return true
  return /^(?:[ -~]{4}|\0{4})$/.test(file.toString('latin1', next, next + 4))
}

/** Whether chunks follow one another to the end of the file: then no audio is behind an empty chunk. */
function isChunkedToEnd(file: Buffer, start: number): boolean {
  let offset = start
  while (offset + chunkHeaderBytes <= file.length) {
    if (!/^[ -~]{4}$/.test(file.toString('latin1', offset, offset + 4))) return false
    offset = nextChunkOffset(file, offset + chunkHeaderBytes + file.readUInt32LE(offset + 4))
  }
  return offset === file.length
}

function readLongSize(body: Buffer): number {
  if (body.length < 16) throw bad(`has a "ds64" chunk of ${body.length} bytes; at least 16 are needed`)
  return Number(body.readBigUInt64LE(8))
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

function describe(format: Format, { bytes: data, note }: AudioBody): WavAudio {
  const encoding = encodingOf(format)
  const { channels, sampleRate, frameBytes } = format
  if (channels === 0) throw bad('says that it has 0 channels')
  if (sampleRate === 0) throw bad('says that it has 0 samples a second')
  const expectedFrameBytes = channels * (encoding === 'pcm_s16le' ? 2 : 1)
  if (frameBytes !== expectedFrameBytes)
    throw bad(
      `says ${frameBytes} bytes a frame, but ${channels} channels of ${encoding} take ${expectedFrameBytes}`,
    )
  const frameCount = Math.floor(data.length / frameBytes)
  if (frameCount === 0) throw bad('has no audio')
  const frames = data.subarray(0, frameCount * frameBytes)
  return { encoding, sampleRate, channels, frameBytes, frames, note }
}

function encodingOf({ code, sampleBits }: Format): WavEncoding {
  switch (code) {
    case formatCodes.muLaw:
    case formatCodes.aLaw:
      if (sampleBits !== 8) throw bad(`is G.711 with ${sampleBits} bits a sample instead of 8`)
      return code === formatCodes.muLaw ? 'mulaw' : 'alaw'
    case formatCodes.pcm:
      if (sampleBits === 8) return 'pcm_u8'
      if (sampleBits === 16) return 'pcm_s16le'
      throw bad(`is PCM with ${sampleBits} bits a sample; 8 and 16 are supported`)
    default:
      throw bad(`has the format code ${code}; PCM (1), A-law (6) and mu-law (7) are supported`)
  }
}

function bad(fact: string): AudioError {
  return new AudioError(`the file ${fact}`)
}

/**
 * The bytes in front of so many frames, whose number must be known: a size that is left open is read by some players
 * as no audio. Formats other than PCM have an extended format chunk and their length in a `fact` chunk.
 */
export function wavHeader(format: AudioFormat, frames: number): Buffer {
  assert(Number.isSafeInteger(frames) && frames >= 0)
  const dataBytes = frames * frameBytesOf(format)
  const chunks = [formatChunk(format), ...(format.encoding === 'pcm_s16le' ? [] : [factChunk(frames)])]
  const header = Buffer.concat([
    Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'),
    ...chunks,
    Buffer.from('data\0\0\0\0', 'latin1'),
  ])
  const riffBytes = header.length - chunkHeaderBytes + dataBytes + wavPadding(dataBytes).length
  if (riffBytes >= sizeUnknown)
    throw new AudioError(
      `${Math.round(frames / format.sampleRate)} s of audio are ${dataBytes} bytes, more than a WAV file can hold (4 GiB)`,
    )
  header.writeUInt32LE(riffBytes, 4)
  header.writeUInt32LE(dataBytes, header.length - 4)
  return header
}

/** Of audio that goes on: its sizes are left open, as writers to a pipe do. */
export function openWavHeader(format: AudioFormat): Buffer {
  const header = wavHeader(format, 0)
  header.writeUInt32LE(sizeUnknown, 4)
  header.writeUInt32LE(sizeUnknown, header.length - 4)
  return header
}

/** What follows the last frame: a chunk of an odd length ends with a zero byte. */
export function wavPadding(dataBytes: number): Buffer {
  return Buffer.alloc(dataBytes % 2)
}

function formatChunk(format: AudioFormat): Buffer {
  const { encoding, sampleRate, channels } = format
  const frameBytes = frameBytesOf(format)
  const bodyBytes = encoding === 'pcm_s16le' ? 16 : 18
  const chunk = Buffer.alloc(chunkHeaderBytes + bodyBytes)
  chunk.write('fmt ', 'latin1')
  chunk.writeUInt32LE(bodyBytes, 4)
  chunk.writeUInt16LE(codeOf(encoding), 8)
  chunk.writeUInt16LE(channels, 10)
  chunk.writeUInt32LE(sampleRate, 12)
  chunk.writeUInt32LE(sampleRate * frameBytes, 16)
  chunk.writeUInt16LE(frameBytes, 20)
  chunk.writeUInt16LE((frameBytes / channels) * 8, 22)
  return chunk
}

function factChunk(frames: number): Buffer {
  const chunk = Buffer.alloc(chunkHeaderBytes + 4)
  chunk.write('fact', 'latin1')
  chunk.writeUInt32LE(4, 4)
  // A number past 32 bits is past what the file can hold, which is told where its bytes are counted.
  chunk.writeUInt32LE(Math.min(frames, sizeUnknown), 8)
  return chunk
}

function codeOf(encoding: AudioEncoding): number {
  switch (encoding) {
    case 'mulaw':
      return formatCodes.muLaw
    case 'alaw':
      return formatCodes.aLaw
    case 'pcm_s16le':
      return formatCodes.pcm
  }
}
