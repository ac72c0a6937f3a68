/**
 * One channel of a call, cut into pieces that a speech recogniser takes: near a target length, and where it is quietest,
 * because a word that is cut in two is lost in both. Pure and streaming: one piece is held, whatever the call's length, in
 * memory that all pieces of a call share.
 *
 *     frames   0 ……………… target−slack ┄┄┄┄┄ quietest 200 ms ┄┄┄┄┄ target+slack
 *     piece    ├──────────────────────────────┤├── next …
 *
 * What is missing is silence of the right length, and is named. A stretch of it that is longer than a piece is not made
 * of zeros: the piece before it ends there and the next one begins after it, so that a call whose sequences lie years
 * apart costs nothing.
 */
import { type AudioFormat, frameBytesOf } from './audio-format.js'
import { type AudioPiece, linearOf, pieceBytes } from './packet-audio.js'

/** Inclusive, in frames of the call. */
export interface FrameRange {
  readonly first: number
  readonly last: number
}

export interface SpeechPiece {
  readonly firstFrame: number
  readonly frames: number
  /** Linear, 16 bits, little-endian, one channel. Good until the next piece is asked for, which takes its memory. */
  readonly samples: Buffer
  /** Nothing in it is louder than the noise of a line: a recogniser would only invent words. */
  readonly isSilent: boolean
  /** What of it did not arrive, ascending. */
  readonly missing: readonly FrameRange[]
}

export interface PieceLength {
  readonly targetMs: number
  /** A piece ends at most so much before or after its target. */
  readonly slackMs: number
}

const sampleBytes = 2
/** Loudness is looked at in steps of 20 ms, the usual length of a packet. */
const blocksPerSecond = 50
/** 200 ms: longer than the stop of a consonant, shorter than the pause between two words. */
const quietBlocks = 10
/** −50 dB of full scale: above the noise of a line, below a whisper. */
const silentRms = 104

export async function* speechPieces(
  pages: Iterable<Iterable<AudioPiece>> | AsyncIterable<Iterable<AudioPiece>>,
  format: AudioFormat,
  channel: number,
  length: PieceLength,
): AsyncGenerator<SpeechPiece> {
  const cutter = new Cutter(format.sampleRate, length)
  for await (const pieces of pages)
    for (const piece of pieces) {
      if (piece.kind === 'missing') yield* cutter.addMissing(piece.frames)
      else
        for (const bytes of pieceBytes(piece, format, true))
          yield* cutter.addReceived(channelOf(bytes, format, channel))
    }
  yield* cutter.end()
}

function channelOf(bytes: Buffer, format: AudioFormat, channel: number): Buffer {
  if (format.channels === 1) return bytes
  const frameBytes = frameBytesOf(linearOf(format))
  const samples = Buffer.allocUnsafe((bytes.length / frameBytes) * sampleBytes)
  for (let from = channel * sampleBytes, to = 0; from < bytes.length; from += frameBytes, to += sampleBytes)
    samples.writeInt16LE(bytes.readInt16LE(from), to)
  return samples
}

class Cutter {
  readonly #blockFrames: number
  readonly #earliest: number
  readonly #buffer: Buffer
  /** Of the buffer's first frame, in the call. */
  #firstFrame = 0
  #frames = 0
  #missing: FrameRange[] = []

  constructor(sampleRate: number, { targetMs, slackMs }: PieceLength) {
    const framesOf = (ms: number) => Math.ceil((sampleRate * ms) / 1000)
    this.#blockFrames = Math.max(1, Math.floor(sampleRate / blocksPerSecond))
    this.#earliest = framesOf(targetMs - slackMs)
    this.#buffer = Buffer.alloc(framesOf(targetMs + slackMs) * sampleBytes)
  }

  get #framesMax(): number {
    return this.#buffer.length / sampleBytes
  }

  *addReceived(samples: Buffer): Generator<SpeechPiece> {
    for (let at = 0; at < samples.length; ) {
      const copied = samples.copy(this.#buffer, this.#frames * sampleBytes, at)
      at += copied
      this.#frames += copied / sampleBytes
      if (this.#frames === this.#framesMax) yield* this.#cut(this.#quietest())
    }
  }

  *addMissing(frames: number): Generator<SpeechPiece> {
    if (frames > this.#framesMax) {
      yield* this.end()
      this.#firstFrame += frames
      return
    }
    for (let left = frames; left > 0; ) {
      const added = Math.min(left, this.#framesMax - this.#frames)
      this.#buffer.fill(0, this.#frames * sampleBytes, (this.#frames + added) * sampleBytes)
      const first = this.#firstFrame + this.#frames
      this.#missing.push({ first, last: first + added - 1 })
      this.#frames += added
      left -= added
      if (this.#frames === this.#framesMax) yield* this.#cut(this.#quietest())
    }
  }

  *end(): Generator<SpeechPiece> {
    if (this.#frames > 0) yield* this.#cut(this.#frames)
  }

  /** The frame in the middle of the quietest 200 ms of where the piece may end; of equal ones the last. */
  #quietest(): number {
    const powers: number[] = []
    for (let frame = this.#earliest; frame + this.#blockFrames <= this.#frames; frame += this.#blockFrames)
      powers.push(this.#power(frame, this.#blockFrames))
    const span = Math.min(quietBlocks, powers.length)
    let sum = 0
    let best = { power: Number.POSITIVE_INFINITY, block: powers.length }
    powers.forEach((power, block) => {
      sum += power - (block >= span ? (powers[block - span] as number) : 0)
      if (block + 1 >= span && sum <= best.power) best = { power: sum, block: block + 1 - span }
    })
    return Math.min(this.#frames, this.#earliest + Math.floor((best.block + span / 2) * this.#blockFrames))
  }

  /** Mean square. */
  #power(first: number, frames: number): number {
    let sum = 0
    for (let frame = first; frame < first + frames; frame++)
      sum += this.#buffer.readInt16LE(frame * sampleBytes) ** 2
    return sum / frames
  }

  *#cut(frames: number): Generator<SpeechPiece> {
    const firstFrame = this.#firstFrame
    const end = firstFrame + frames
    yield {
      firstFrame,
      frames,
      samples: this.#buffer.subarray(0, frames * sampleBytes),
      isSilent: this.#isSilent(frames),
      missing: this.#missing
        .filter(({ first }) => first < end)
        .map(({ first, last }) => ({ first, last: Math.min(last, end - 1) })),
    }
    this.#missing = this.#missing
      .filter(({ last }) => last >= end)
      .map(({ first, last }) => ({ first: Math.max(first, end), last }))
    this.#buffer.copyWithin(0, frames * sampleBytes, this.#frames * sampleBytes)
    this.#frames -= frames
    this.#firstFrame = end
  }

  #isSilent(frames: number): boolean {
    for (let first = 0; first < frames; first += this.#blockFrames)
      if (this.#power(first, Math.min(this.#blockFrames, frames - first)) > silentRms ** 2) return false
    return true
  }
}

/** The share of the frames `first` to `last` that arrived, 0 … 1. `missing` is ascending. */
export function coverageOf(missing: readonly FrameRange[], first: number, last: number): number {
  let lost = 0
  for (const range of missing) {
    if (range.first > last) break
    lost += Math.max(0, Math.min(range.last, last) - Math.max(range.first, first) + 1)
  }
  return 1 - lost / (last - first + 1)
}
