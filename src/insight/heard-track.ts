/** One track as it is heard: from its packets to the frames of its voices, each with its place on the line of the call. Pure. */
import type { AudioFormat } from '../audio/audio-format.js'
import type { Millis } from '../clock.js'
import { limits } from '../limits.js'
import { EncodingCheck } from './encoding-check.js'
import { FrameCutter, frameMs } from './frames.js'
import { type LineCounts, TrackLine } from './track-line.js'
import { type VoiceFrame, VoiceMeter } from './voice-meter.js'

export type TrackMedia = AudioFormat

interface PlacedFrame {
  tick: number
  readonly at: Millis
  readonly frame: VoiceFrame
}

/** A stream that stops for longer, and then goes on where it was, was paused: it is not late. */
const pauseMs = 1000
/** More than a block of packets: the blocks of two tracks come one after the other. */
const framesWaitingMax = 2 * limits.blockPacketsMax

export class HeardVoice {
  readonly channel: number
  readonly meter = new VoiceMeter()
  isBelievable = true
  /** The place of the frame that comes next. */
  nextTick = 0
  #waiting: PlacedFrame[] = []
  #at = 0

  constructor(channel: number) {
    this.channel = channel
  }

  get first(): PlacedFrame | undefined {
    return this.#waiting[this.#at]
  }

  get isFull(): boolean {
    return this.#waiting.length - this.#at >= framesWaitingMax
  }

  add(frame: VoiceFrame, at: Millis): void {
    this.#waiting.push({ tick: this.nextTick++, at, frame })
  }

  /** Its frame of that place; null where there is none. */
  takeFrame(tick: number): VoiceFrame | null {
    const { first } = this
    if (first === undefined || first.tick > tick) return null
    this.#at++
    if (this.#at === this.#waiting.length) {
      this.#waiting = []
      this.#at = 0
    }
    return first.frame
  }

  /** From here on it goes on at that place. */
  moveTo(tick: number): void {
    const { first } = this
    const by = tick - (first?.tick ?? this.nextTick)
    for (let i = this.#at; i < this.#waiting.length; i++) (this.#waiting[i] as PlacedFrame).tick += by
    this.nextTick += by
  }
}

export class HeardTrack {
  readonly voices: readonly HeardVoice[]
  readonly #line: TrackLine
  readonly #cutter: FrameCutter
  readonly #check: EncodingCheck
  readonly #wrong: () => void
  readonly #format: AudioFormat
  #hasBegun = false
  #behindSince: Millis | null = null
  /** Of what the line tells just now. */
  #at: Millis = 0
  /** The frame of the call that is looked at next. */
  #callTick = 0

  /** `wrong`: its bytes are not of its encoding. */
  constructor(format: TrackMedia, channel: number, wrong: () => void) {
    this.#format = format
    this.#wrong = wrong
    this.voices = Array.from({ length: format.channels }, (_, index) => new HeardVoice(channel + index))
    this.#check = new EncodingCheck(format)
    this.#cutter = new FrameCutter(format, {
      frame: (index, frame) => {
        const voice = this.voices[index] as HeardVoice
        const heard = frame === null ? voice.meter.missing() : voice.meter.take(frame)
        this.#place(voice, heard)
      },
      jump: (frames) => {
        for (const voice of this.voices) voice.nextTick += frames
      },
    })
    this.#line = new TrackLine({
      received: (samples, at) => {
        this.#at = at
        if (!this.#check.isOver && this.#check.take(samples)) this.#distrust()
        this.#cutter.received(samples)
      },
      missing: (packets, at) => {
        this.#at = at
        this.#cutter.missing(packets)
      },
    })
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  get counts(): LineCounts {
    return this.#line.counts
  }

  get tick(): number {
    return this.voices[0]?.nextTick ?? 0
  }

  /** The first track of a call begins where its numbers say; the others begin where the call is. */
  begin(sequence: number, samples: Uint8Array, callTick: number | null): void {
    this.#hasBegun = true
    const { sampleRate, channels, encoding } = this.#format
    const frames = samples.length / (channels * (encoding === 'pcm_s16le' ? 2 : 1))
    const tick = callTick ?? Math.floor((sequence * frames * 1000) / sampleRate / frameMs)
    for (const voice of this.voices) voice.nextTick = tick
  }

  take(sequence: number, samples: Uint8Array, at: Millis, callTick: number): void {
    this.#callTick = callTick
    this.#line.take(sequence, samples, at)
  }

  passTime(now: Millis, callTick: number): void {
    this.#callTick = callTick
    this.#line.passTime(now)
  }

  skip(): void {
    this.#line.skip()
  }

  #distrust(): void {
    for (const voice of this.voices) voice.isBelievable = false
    this.#wrong()
  }

  #place(voice: HeardVoice, frame: VoiceFrame): void {
    if (voice.nextTick >= this.#callTick) this.#behindSince = null
    else if (this.#isPaused()) voice.moveTo(this.#callTick)
    else {
      // The call has gone on without it.
      voice.nextTick++
      return
    }
    if (voice.isFull) voice.moveTo(this.#callTick)
    voice.add(frame, this.#at)
  }

  #isPaused(): boolean {
    this.#behindSince ??= this.#at
    return this.#at - this.#behindSince >= pauseMs
  }
}
