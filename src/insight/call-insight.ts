/**
 * What can be known of a call's sound while it runs, from its packets alone: who speaks, how loud, how well it arrives, and what
 * is wrong with it. The same packets in the same order give the same alerts with the same ids. Pure.
 *
 * The voices of all tracks are brought onto one line of time, a frame of 20 ms after the other. A frame is looked at when all
 * voices have it, or after a short wait for those that do not.
 */
import type { Millis } from '../clock.js'
import { AlertBook, type AlertSink, type KnownAlert, type Moment } from './alert-book.js'
import { frameMs } from './frames.js'
import { HeardTrack, type HeardVoice, type TrackMedia } from './heard-track.js'
import { dbfsOf, quietestDbfs } from './levels.js'
import { type Quality, qualityOf } from './quality.js'
import { type TalkingVoice, TalkRules, type TalkTerms } from './talk-rules.js'
import { lateMsMax } from './track-line.js'
import { VoiceRules } from './voice-rules.js'

export interface HeardPacket {
  readonly track: number
  readonly sequence: number
  /** Kept until its turn. */
  readonly samples: Uint8Array
  readonly at: Millis
}

export interface VoiceFacts {
  readonly channel: number
  readonly isSpeaking: boolean
  readonly speechMs: number
  readonly levelDbfs: number
  readonly noiseDbfs: number
  readonly clipped: number
  readonly keys: number
}

export interface InsightFacts {
  readonly at: Millis
  readonly voices: readonly VoiceFacts[]
  readonly silentMs: number
  readonly overtalkMs: number
  readonly quality: Quality
}

/** Longer than a track waits for its own late packets, or their frames would come too late here. */
const waitMs = 2 * lateMsMax

export class CallInsight {
  readonly #book: AlertBook
  readonly #talk: TalkRules
  readonly #tracks = new Map<number, HeardTrack>()
  readonly #rules = new Map<HeardVoice, VoiceRules>()
  #voices: readonly HeardVoice[] = []
  /** The frame that is looked at next. */
  #tick = 0
  #at: Millis = 0
  #hasBegun = false

  constructor(sink: AlertSink, terms: TalkTerms, known: readonly KnownAlert[] = []) {
    this.#book = new AlertBook(sink, known)
    this.#talk = new TalkRules(this.#book, terms)
  }

  /** Before the first packet of a track, and where its media have changed. `channel`: of its first voice in the call. */
  openTrack(track: number, media: TrackMedia, channel: number): void {
    this.closeTrack(track)
    const opened = new HeardTrack(media, channel, () =>
      this.#book.raise('wrong_encoding', channel, this.#now.ms, this.#now),
    )
    this.#tracks.set(track, opened)
    this.#voices = [...this.#tracks.values()].flatMap(({ voices }) => voices)
    for (const voice of opened.voices) this.#rules.set(voice, new VoiceRules(this.#book, voice.channel))
  }

  /** Nothing more comes of it: nobody is to miss it. */
  closeTrack(track: number): void {
    const closed = this.#tracks.get(track)
    if (closed === undefined) return
    this.#tracks.delete(track)
    this.#voices = this.#voices.filter((voice) => !closed.voices.includes(voice))
    for (const voice of closed.voices) {
      this.#rules.delete(voice)
      this.#talk.leave(voice.channel)
      this.#book.clearAll(voice.channel, this.#now)
    }
  }

  take({ track: number, sequence, samples, at }: HeardPacket): void {
    const track = this.#tracks.get(number)
    if (track === undefined) return
    this.#at = at
    if (!track.hasBegun) track.begin(sequence, samples, this.#hasBegun ? this.#tick : null)
    if (!this.#hasBegun) this.#tick = track.tick
    this.#hasBegun = true
    track.take(sequence, samples, at, this.#tick)
    for (const other of this.#tracks.values()) other.passTime(at, this.#tick)
    this.#goOn()
  }

  /** Some packets of the track were not looked at: it goes on with its next one. */
  skip(track: number): void {
    this.#tracks.get(track)?.skip()
  }

  facts(): InsightFacts {
    return {
      at: this.#at,
      voices: this.#voices.map(({ channel, meter }) => ({
        channel,
        isSpeaking: meter.isSpeaking,
        speechMs: meter.speechMs,
        levelDbfs: meter.levelDbfs,
        noiseDbfs: Math.max(quietestDbfs, dbfsOf(meter.floor.power)),
        clipped: meter.clipped,
        keys: meter.keys,
      })),
      silentMs: this.#talk.silentMs,
      overtalkMs: this.#talk.overtalkMs,
      quality: qualityOf([...this.#tracks.values()].map(({ counts }) => counts)),
    }
  }

  get #now(): Moment {
    return { ms: this.#tick * frameMs, at: this.#at }
  }

  #goOn(): void {
    while (this.#isDue()) {
      this.#look()
      this.#tick++
    }
  }

  /** All voices have passed the frame, or those that have it have waited long enough for the others. */
  #isDue(): boolean {
    let next = Number.POSITIVE_INFINITY
    let since = Number.POSITIVE_INFINITY
    let isWaiting = false
    for (const voice of this.#voices) {
      const first = voice.first
      if (first !== undefined) {
        next = Math.min(next, first.tick)
        since = Math.min(since, first.at)
      }
      if (voice.nextTick <= this.#tick) isWaiting = true
    }
    if (next === Number.POSITIVE_INFINITY) return false
    if (isWaiting && this.#at - since < waitMs && !this.#voices.some((voice) => voice.isFull)) return false
    // Nobody has anything of what lies between: a hole in the call.
    this.#tick = Math.max(this.#tick, next)
    return true
  }

  #look(): void {
    const { ms, at } = this.#now
    const now = { ms: ms + frameMs, at }
    const talking: TalkingVoice[] = []
    for (const voice of this.#voices) {
      const frame = voice.takeFrame(this.#tick)
      if (!voice.isBelievable) continue
      if (frame !== null) this.#rules.get(voice)?.take(frame, voice.meter, now)
      talking.push({ channel: voice.channel, frame })
    }
    this.#talk.take(talking, now)
  }
}
