/**
 * The bytes of a track as frames of 20 ms of each voice: decoded, and brought to about 8 kHz, where speech is. What only the
 * samples as received show is counted with them: those at the limit of the code, and whether all are equal. Pure.
 */
import { type AudioFormat, frameBytesOf } from '../audio/audio-format.js'
import { levelsOf } from '../audio/g711.js'

export const frameMs = 20
const framesPerSecond = 1000 / frameMs
const speechRate = 8000
const fullScale = 32_768

export interface Frame {
  /** −1 … 1. Good until the next frame of the voice, which takes its memory. */
  readonly samples: Float32Array
  readonly rate: number
  /** The share of the samples as received that are at the limit of their code. */
  readonly clipped: number
  /** All samples as received are one and the same: no microphone gives that. */
  readonly isEqual: boolean
}

export interface FrameSink {
  /** `frame` is null where the packet that it was in is missing. */
  frame(channel: number, frame: Frame | null): void
  /** Too many are missing to be told one by one. */
  jump(frames: number): void
}

/** Longer holes are no silence that anybody would be told of: 5 s. */
const missingFramesMax = 250

export class FrameCutter {
  readonly #format: AudioFormat
  readonly #frameBytes: number
  readonly #voices: readonly VoiceCutter[]
  /** Frames of the code in a packet, as the last one had them. */
  #packetFrames: number
  /** What of the missing was not a whole frame of 20 ms. */
  #missingMs = 0
  readonly #sink: FrameSink

  constructor(format: AudioFormat, sink: FrameSink) {
    this.#format = format
    this.#sink = sink
    this.#frameBytes = frameBytesOf(format)
    this.#packetFrames = format.sampleRate / framesPerSecond
    this.#voices = Array.from(
      { length: format.channels },
      (_, channel) => new VoiceCutter(format, (frame) => sink.frame(channel, frame)),
    )
  }

  /** Milliseconds of a packet, as the last one had them. */
  get packetMs(): number {
    return (this.#packetFrames * 1000) / this.#format.sampleRate
  }

  /** What is not a whole number of frames of the code is cut off. */
  received(bytes: Uint8Array): void {
    const frames = Math.floor(bytes.length / this.#frameBytes)
    if (frames === 0) return
    this.#packetFrames = frames
    const { channels } = this.#format
    const levels = decodeLevels(this.#format, bytes, frames * channels)
    for (let channel = 0; channel < channels; channel++)
      (this.#voices[channel] as VoiceCutter).take(levels, frames * channels, channel, channels)
  }

  /** A frame that was begun is missing as a whole; so the line keeps its length to a frame. */
  missing(packets: number): void {
    const begunMs = this.#voices[0]?.begunMs ?? 0
    const missingMs = this.#missingMs + packets * this.packetMs + begunMs
    const frames = Math.floor(missingMs / frameMs)
    this.#missingMs = missingMs - frames * frameMs
    for (const voice of this.#voices) voice.drop()
    if (frames > missingFramesMax) return this.#sink.jump(frames)
    for (let frame = 0; frame < frames; frame++)
      for (let channel = 0; channel < this.#voices.length; channel++) this.#sink.frame(channel, null)
  }
}

/** Taken by one packet after the other: memory of its own for each would cost more than its sound. */
let decoded = new Int16Array(4096)

/** So many levels, in memory that the next packet takes. */
function decodeLevels({ encoding }: AudioFormat, bytes: Uint8Array, count: number): Int16Array {
  if (decoded.length < count) decoded = new Int16Array(count)
  if (encoding === 'pcm_s16le')
    for (let i = 0; i < count; i++)
      decoded[i] = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8)
  else {
    const table = levelsOf(encoding)
    for (let i = 0; i < count; i++) decoded[i] = table[bytes[i] as number] as number
  }
  return decoded
}

/** The loudest level of a code that is not the limit itself. */
function limitOf({ encoding }: AudioFormat): number {
  if (encoding === 'pcm_s16le') return 32_767
  return Math.max(...levelsOf(encoding))
}

class VoiceCutter {
  readonly #sink: (frame: Frame) => void
  readonly #limit: number
  /** So many samples as received are one of the frame: their mean. */
  readonly #factor: number
  readonly #rate: number
  readonly #samples: Float32Array
  /** All of them but the last. */
  readonly #shorter: Float32Array
  #filled = 0
  #sum = 0
  #summed = 0
  #clipped = 0
  #counted = 0
  #first = 0
  #isEqual = true
  /** Frames of 20 ms are not whole numbers of samples at every rate. */
  #cut = 0
  #end: number

  constructor(format: AudioFormat, sink: (frame: Frame) => void) {
    this.#sink = sink
    this.#limit = limitOf(format)
    this.#factor = Math.max(1, Math.floor(format.sampleRate / speechRate))
    this.#rate = format.sampleRate / this.#factor
    this.#samples = new Float32Array(Math.ceil(this.#rate / framesPerSecond))
    this.#shorter = this.#samples.subarray(0, -1)
    this.#end = this.#nextLength()
  }

  get begunMs(): number {
    return (this.#filled * 1000) / this.#rate
  }

  take(levels: Int16Array, end: number, channel: number, channels: number): void {
    for (let i = channel; i < end; ) i = this.#fill(levels, i, end, channels)
  }

  /** Up to the end of the frame, at most; returns where the next one begins. Locals, because this is done for each sample. */
  #fill(levels: Int16Array, begin: number, end: number, channels: number): number {
    const samples = this.#samples
    const factor = this.#factor
    const limit = this.#limit
    const whole = this.#end
    let [filled, sum, summed, clipped, counted] = [this.#filled, this.#sum, this.#summed, this.#clipped, 0]
    if (this.#counted === 0) this.#first = levels[begin] as number
    const first = this.#first
    let differs = 0
    let i = begin
    for (; i < end && filled < whole; i += channels) {
      const level = levels[i] as number
      counted++
      differs |= level ^ first
      if (level >= limit || level <= -limit) clipped++
      sum += level
      if (++summed < factor) continue
      samples[filled++] = sum / (factor * fullScale)
      sum = 0
      summed = 0
    }
    if (differs !== 0) this.#isEqual = false
    this.#filled = filled
    this.#sum = sum
    this.#summed = summed
    this.#clipped = clipped
    this.#counted += counted
    if (filled === whole) this.#tell()
    return i
  }

  drop(): void {
    this.#filled = 0
    this.#sum = 0
    this.#summed = 0
    this.#clipped = 0
    this.#counted = 0
    this.#isEqual = true
  }

  #tell(): void {
    this.#sink({
      samples: this.#filled === this.#samples.length ? this.#samples : this.#shorter,
      rate: this.#rate,
      clipped: this.#clipped / this.#counted,
      isEqual: this.#isEqual,
    })
    this.#cut++
    this.#end = this.#nextLength()
    this.drop()
  }

  #nextLength(): number {
    const samplesPerFrame = this.#rate / framesPerSecond
    return Math.floor((this.#cut + 1) * samplesPerFrame) - Math.floor(this.#cut * samplesPerFrame)
  }
}
