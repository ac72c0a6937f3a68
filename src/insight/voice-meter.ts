/** What one voice does, frame by frame: whether it speaks, how loud, over which noise, with which tones. Pure. */
import { type Frame, frameMs } from './frames.js'
import { dbfsOf, NoiseFloor, powerOf, SpeechLevel } from './levels.js'
import { KeyCounter, SteadyTone } from './tones.js'

/** A voice in one frame of the call. */
export interface VoiceFrame {
  readonly isReceived: boolean
  readonly isSpeaking: boolean
  /** Received, and all its samples are equal. */
  readonly isEqual: boolean
  readonly isTone: boolean
  /** Frames of the steady tone so far. */
  readonly toneFrames: number
  /** Decibels of full scale in each quarter of the frame; empty where it is missing. */
  readonly envelope: readonly number[]
}

/** Speech is so much louder than the line, and never quieter than that. */
const speechOverNoise = 10 ** 0.6
const speechPowerMin = powerOf(-50)
/** A click is one frame. */
const framesToBegin = 2
/** Between two syllables: 200 ms. */
const hangoverFrames = 10
const noEnvelope: readonly number[] = []

export class VoiceMeter {
  readonly floor = new NoiseFloor()
  readonly speech = new SpeechLevel()
  #keys: KeyCounter | null = null
  #tone: SteadyTone | null = null
  readonly #quarters = [0, 0, 0, 0]
  #loud = 0
  #hangover = 0
  #isSpeaking = false
  #speechFrames = 0
  #sinceSpeech = Number.POSITIVE_INFINITY
  #power = 0
  #clipped = 0

  get isSpeaking(): boolean {
    return this.#isSpeaking
  }

  /** Since the last word; nothing before the first one. */
  get sinceSpeechMs(): number {
    return this.#sinceSpeech * frameMs
  }

  get speechMs(): number {
    return this.#speechFrames * frameMs
  }

  /** Of the speech so far. */
  get clipped(): number {
    return this.#speechFrames === 0 ? 0 : this.#clipped / this.#speechFrames
  }

  get keys(): number {
    return this.#keys?.count ?? 0
  }

  /** Of the last frame. */
  get levelDbfs(): number {
    return dbfsOf(this.#power)
  }

  take(frame: Frame): VoiceFrame {
    const { samples, rate } = frame
    this.#keys ??= new KeyCounter(rate)
    this.#tone ??= new SteadyTone(rate)
    const power = quarterPowers(samples, this.#quarters)
    this.#power = power
    this.floor.take(power)
    const isLoud = power > Math.max(this.floor.power * speechOverNoise, speechPowerMin)
    this.#hearTones(samples, power)
    const isTone = this.#tone.isHeard || this.#keys.isHeard
    this.#hearSpeech(isLoud && !isTone, power, frame.clipped)
    return {
      isReceived: true,
      isSpeaking: this.#isSpeaking,
      isEqual: frame.isEqual,
      isTone,
      toneFrames: this.#tone.frames,
      envelope: this.#quarters.map(dbfsOf),
    }
  }

  /** What is missing is silence, and says nothing about the line. */
  missing(): VoiceFrame {
    this.#keys?.missing()
    this.#hearSpeech(false, 0, 0)
    this.#power = 0
    return {
      isReceived: false,
      isSpeaking: this.#isSpeaking,
      isEqual: false,
      isTone: false,
      toneFrames: this.#tone?.frames ?? 0,
      envelope: noEnvelope,
    }
  }

  /** An even tone is its own noise floor, so it is looked at by its level alone. */
  #hearTones(samples: Float32Array, power: number): void {
    if (power <= speechPowerMin) this.#tone?.quiet()
    else this.#tone?.loud(samples)
    this.#keys?.take(samples)
  }

  #hearSpeech(isLoud: boolean, power: number, clipped: number): void {
    this.#loud = isLoud ? this.#loud + 1 : 0
    if (isLoud && (this.#isSpeaking || this.#loud >= framesToBegin)) {
      this.#isSpeaking = true
      this.#hangover = hangoverFrames
      this.speech.take(power, clipped)
      this.#clipped += clipped
      this.#speechFrames++
    } else if (this.#hangover > 0) {
      this.#hangover--
      this.#speechFrames++
    } else this.#isSpeaking = false
    this.#sinceSpeech = this.#isSpeaking ? 0 : this.#sinceSpeech + 1
  }
}

/** Of each quarter, without what is constant in all; returns that of all. */
function quarterPowers(samples: Float32Array, quarters: number[]): number {
  const { length } = samples
  let sum = 0
  for (let i = 0; i < length; i++) sum += samples[i] as number
  const mean = sum / length
  let total = 0
  for (let quarter = 0, i = 0; quarter < quarters.length; quarter++) {
    const from = i
    const end = Math.floor(((quarter + 1) * length) / quarters.length)
    let squares = 0
    for (; i < end; i++) squares += ((samples[i] as number) - mean) ** 2
    quarters[quarter] = squares / Math.max(1, end - from)
    total += squares
  }
  return total / length
}
