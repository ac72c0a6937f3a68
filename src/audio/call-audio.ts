/**
 * A call as one WAV file, of which any part can be read: players seek, and ask for ranges. What its packets hold is measured
 * once; a part is then read from the last mark before it. Nothing larger than a page of packets is held.
 */
import { type AudioFormat, frameBytesOf } from './audio-format.js'
import {
  type AudioMark,
  type AudioMeasure,
  type AudioPages,
  framesBefore,
  measureAudio,
  packetAudio,
  pieceBytes,
} from './packet-audio.js'
import { wavHeader, wavPadding } from './wav-file.js'

/** Pages of a call's packets by ascending sequence, from one on. */
export type PagesFrom = (sequence: number) => AudioPages

export class CallAudio {
  readonly #format: AudioFormat
  readonly #measure: AudioMeasure
  readonly #header: Buffer
  readonly #dataBytes: number

  private constructor(format: AudioFormat, measure: AudioMeasure) {
    this.#format = format
    this.#measure = measure
    this.#header = wavHeader(format, measure.frames)
    this.#dataBytes = measure.frames * frameBytesOf(format)
  }

  /** Reads the call once. Throws an `AudioError` when it is not audio of this format, or longer than a WAV file can be. */
  static async open(pages: PagesFrom, format: AudioFormat, expectedTotal: number | null): Promise<CallAudio> {
    return new CallAudio(format, await measureAudio(pages(0), format, expectedTotal))
  }

  /** Of the whole file. */
  get bytes(): number {
    return this.#header.length + this.#dataBytes + wavPadding(this.#dataBytes).length
  }

  get format(): AudioFormat {
    return this.#format
  }

  get frames(): number {
    return this.#measure.frames
  }

  /** Not whole where packets alternate between two lengths. */
  get framesPerPacket(): number {
    return this.#measure.framesPerPacket
  }

  /** The samples of the frames `first` to `end`, without the latter. */
  readFrames(pages: PagesFrom, first: number, end: number): AsyncGenerator<Buffer> {
    const { length } = this.#header
    const frameBytes = frameBytesOf(this.#format)
    return this.read(pages, length + first * frameBytes, length + end * frameBytes - 1)
  }

  /** The bytes `first` to `last` of the file, inclusive. */
  async *read(pages: PagesFrom, first: number, last: number): AsyncGenerator<Buffer> {
    let at = 0
    const dataFirst = Math.max(0, first - this.#header.length)
    const mark = this.#markBefore(dataFirst)
    for await (const part of this.#parts(pages, mark)) {
      // The header stands before what is left out.
      const begin = at
      at += part.length
      if (begin === 0 && mark.sequence >= 0)
        at += framesBefore(mark, this.#measure) * frameBytesOf(this.#format)
      const from = Math.max(0, first - begin)
      const to = Math.min(part.length, last + 1 - begin)
      if (from < to) yield part.subarray(from, to)
      if (at > last) return
    }
  }

  async *#parts(pages: PagesFrom, mark: AudioMark): AsyncGenerator<Buffer> {
    yield this.#header
    const audio = packetAudio(pages(mark.sequence + 1), this.#format, this.#measure, mark)
    for await (const pieces of audio)
      for (const piece of pieces) yield* pieceBytes(piece, this.#format, false)
    yield wavPadding(this.#dataBytes)
  }

  #markBefore(dataByte: number): AudioMark {
    const frame = Math.floor(dataByte / frameBytesOf(this.#format))
    const { marks } = this.#measure
    let [low, high] = [0, marks.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (framesBefore(marks[middle] as AudioMark, this.#measure) <= frame) low = middle
      else high = middle - 1
    }
    return marks[low] as AudioMark
  }
}
