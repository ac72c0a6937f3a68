/** The alerts of one voice: how it sounds. Pure. */
import type { AlertBook, Moment } from './alert-book.js'
import { frameMs } from './frames.js'
import { dbfsOf } from './levels.js'
import type { VoiceFrame, VoiceMeter } from './voice-meter.js'

const clippedMin = 0.005
const clippingSeconds = 2
const clippingClearMs = 5000
const lowDbfs = -35
const highDbfs = -6
const levelSeconds = 10
const levelClearSeconds = 5
const noiseDbfs = -40
/** A line that is quieter than that is no nuisance, however quiet its speech. */
const nuisanceDbfs = -55
const speechOverNoiseDb = 10
const speechSeconds = 2
/** A breath between two sentences. */
const pauseMs = 2000
const noiseMs = 10_000
const noiseClearMs = 5000
const toneMs = 2000
const toneClearMs = 1000

export class VoiceRules {
  readonly #book: AlertBook
  readonly #channel: number
  #unclippedMs = 0
  #noisyMs = 0
  #cleanMs = 0
  #withoutToneMs = 0
  #blocks = 0

  constructor(book: AlertBook, channel: number) {
    this.#book = book
    this.#channel = channel
  }

  take(frame: VoiceFrame, meter: VoiceMeter, now: Moment): void {
    this.#checkClipping(meter, now)
    this.#checkLevel(meter, now)
    this.#checkNoise(frame, meter, now)
    this.#checkTone(frame, now)
  }

  #checkClipping({ speech }: VoiceMeter, now: Moment): void {
    const share = speech.clippedOver(clippingSeconds)
    if (share === null || share < clippedMin) {
      this.#unclippedMs += frameMs
      if (this.#unclippedMs >= clippingClearMs) this.#book.clear('clipping', this.#channel, now)
      return
    }
    this.#unclippedMs = 0
    this.#book.raise('clipping', this.#channel, now.ms - clippingSeconds * 1000, now)
  }

  /** Looked at when half a second more of speech is there. */
  #checkLevel({ speech }: VoiceMeter, now: Moment): void {
    if (speech.blocks === this.#blocks) return
    this.#blocks = speech.blocks
    const long = speech.powerOver(levelSeconds)
    if (long !== null) {
      const fromMs = now.ms - levelSeconds * 1000
      if (dbfsOf(long) < lowDbfs) this.#book.raise('low_level', this.#channel, fromMs, now)
      if (dbfsOf(long) > highDbfs) this.#book.raise('high_level', this.#channel, fromMs, now)
    }
    const short = speech.powerOver(levelClearSeconds)
    if (short === null) return
    if (dbfsOf(short) >= lowDbfs) this.#book.clear('low_level', this.#channel, now)
    if (dbfsOf(short) <= highDbfs) this.#book.clear('high_level', this.#channel, now)
  }

  /** What is missing says nothing of the noise. */
  #checkNoise(frame: VoiceFrame, { floor, speech, sinceSpeechMs }: VoiceMeter, now: Moment): void {
    if (!frame.isReceived || !floor.isSure) return
    const noise = dbfsOf(floor.power)
    const spoken = speech.powerOver(speechSeconds)
    const isHardToHear =
      sinceSpeechMs < pauseMs &&
      noise > nuisanceDbfs &&
      spoken !== null &&
      dbfsOf(spoken) - noise < speechOverNoiseDb
    const isNoisy = frame.toneFrames === 0 && (noise > noiseDbfs || isHardToHear)
    this.#noisyMs = isNoisy ? this.#noisyMs + frameMs : this.#noisyMs
    this.#cleanMs = isNoisy ? 0 : this.#cleanMs + frameMs
    if (this.#cleanMs >= noiseClearMs) {
      this.#noisyMs = 0
      this.#book.clear('noise', this.#channel, now)
    }
    if (this.#noisyMs >= noiseMs) this.#book.raise('noise', this.#channel, now.ms - this.#noisyMs, now)
  }

  #checkTone({ toneFrames }: VoiceFrame, now: Moment): void {
    this.#withoutToneMs = toneFrames === 0 ? this.#withoutToneMs + frameMs : 0
    if (this.#withoutToneMs >= toneClearMs) this.#book.clear('tone', this.#channel, now)
    if (toneFrames * frameMs >= toneMs)
      this.#book.raise('tone', this.#channel, now.ms - toneFrames * frameMs, now)
  }
}
