/** The alerts of a conversation: who speaks while who is silent. Pure. */
import type { AlertBook, Moment } from './alert-book.js'
import { frameMs } from './frames.js'
import { Envelope, isAlike } from './likeness.js'
import type { VoiceFrame } from './voice-meter.js'

/** Milliseconds; 0: never. */
export interface TalkTerms {
  readonly deadAirMs: number
  readonly oneWayMs: number
  readonly overtalkMs: number
}

/** A voice in a frame of the call; null where none of its packets came, not even late. */
export interface TalkingVoice {
  readonly channel: number
  readonly frame: VoiceFrame | null
}

const overtalkClearMs = 1000
/** While one voice is silent another one says more than a word. */
const othersSpeechMs = 5000
/** A voice that was never heard is missed sooner than one that may be muted for a while. */
const neverHeardPart = 4
/** Between the last word of a voice and its muting, with what is lost there. */
const muteBeginMs = 1000
const framesPerComparison = 25
const comparedFrames = 250
const speechCompared = 100
const alikeSpeechMin = 0.7
const alikeMs = 5000
const unlikeClearMs = 5000

export class TalkRules {
  readonly #book: AlertBook
  readonly #terms: TalkTerms
  readonly #sides = new Map<number, Side>()
  #silentMs = 0
  #overtalkMs = 0
  #overtalkInAllMs = 0
  #overtalkFromMs = 0
  #sinceOvertalkMs = 0
  #frames = 0
  #unlikeMs = 0

  constructor(book: AlertBook, terms: TalkTerms) {
    this.#book = book
    this.#terms = terms
  }

  /** Since somebody spoke. */
  get silentMs(): number {
    return this.#silentMs
  }

  get overtalkMs(): number {
    return this.#overtalkInAllMs
  }

  leave(channel: number): void {
    this.#sides.delete(channel)
  }

  take(voices: readonly TalkingVoice[], now: Moment): void {
    const speaking = voices.filter(({ frame }) => frame?.isSpeaking === true).length
    this.#checkDeadAir(speaking, voices, now)
    this.#checkOvertalk(speaking, now)
    if (voices.length < 2) return
    for (const voice of voices) this.#checkOneWay(voice, speaking, now)
    this.#checkLikeness(voices, now)
  }

  /** Where nothing arrives nobody knows who speaks. */
  #checkDeadAir(speaking: number, voices: readonly TalkingVoice[], now: Moment): void {
    if (speaking > 0) {
      this.#silentMs = 0
      this.#book.clear('dead_air', null, now)
      return
    }
    if (!voices.some(({ frame }) => frame?.isReceived === true)) return
    this.#silentMs += frameMs
    const { deadAirMs } = this.#terms
    if (deadAirMs > 0 && this.#silentMs >= deadAirMs)
      this.#book.raise('dead_air', null, now.ms - this.#silentMs, now)
  }

  /** A breath in between does not end it. */
  #checkOvertalk(speaking: number, now: Moment): void {
    if (speaking < 2) {
      this.#sinceOvertalkMs += frameMs
      if (this.#sinceOvertalkMs < overtalkClearMs) return
      this.#overtalkMs = 0
      this.#book.clear('overtalk', null, now)
      return
    }
    if (this.#overtalkMs === 0) this.#overtalkFromMs = now.ms
    this.#sinceOvertalkMs = 0
    this.#overtalkMs += frameMs
    this.#overtalkInAllMs += frameMs
    const { overtalkMs } = this.#terms
    if (overtalkMs > 0 && this.#overtalkMs >= overtalkMs)
      this.#book.raise('overtalk', null, this.#overtalkFromMs, now)
  }

  #checkOneWay({ channel, frame }: TalkingVoice, speaking: number, now: Moment): void {
    const side = this.#sideOf(channel)
    if (frame?.isSpeaking === true) {
      side.speaks()
      this.#book.clear('one_way', channel, now)
      return
    }
    side.isSilent(frame, speaking > 0, now)
    const { oneWayMs } = this.#terms
    if (oneWayMs === 0) return
    const silentMs = side.silentMs(now)
    const isMute = side.muteMs >= (side.hasSpoken ? oneWayMs : oneWayMs / neverHeardPart)
    if (isMute && side.othersInMuteMs >= Math.min(othersSpeechMs, oneWayMs))
      this.#book.raise('one_way', channel, now.ms - side.muteMs, now)
    else if (silentMs >= oneWayMs && side.othersMs >= Math.min(othersSpeechMs, oneWayMs))
      this.#book.raise('one_way', channel, now.ms - silentMs, now, side.muteMs >= silentMs - muteBeginMs)
  }

  #sideOf(channel: number): Side {
    let side = this.#sides.get(channel)
    if (side === undefined) {
      side = new Side()
      this.#sides.set(channel, side)
    }
    return side
  }

  #checkLikeness(voices: readonly TalkingVoice[], now: Moment): void {
    for (const { channel, frame } of voices) this.#sideOf(channel).remember(frame)
    if (++this.#frames % framesPerComparison !== 0) return
    const sides = voices.map(({ channel }) => this.#sideOf(channel))
    if (!sides.some((side) => side.speechRemembered >= speechCompared)) return
    if (areAlike(sides)) {
      this.#unlikeMs = 0
      this.#book.raise('same_channels', null, now.ms - alikeMs, now)
      return
    }
    this.#unlikeMs += framesPerComparison * frameMs
    if (this.#unlikeMs >= unlikeClearMs) this.#book.clear('same_channels', null, now)
  }
}

/** Those that take turns need not be compared: what is one sound is as long in both. */
function areAlike(sides: readonly Side[]): boolean {
  return sides.some((side, index) =>
    sides
      .slice(index + 1)
      .some(
        (other) =>
          Math.min(side.speechRemembered, other.speechRemembered) >=
            alikeSpeechMin * Math.max(side.speechRemembered, other.speechRemembered) &&
          isAlike(side.envelope, other.envelope),
      ),
  )
}

/** What one voice leaves to the others. */
class Side {
  readonly envelope = new Envelope()
  hasSpoken = false
  /** Others' speech since this one has spoken. */
  othersMs = 0
  /** Since each of its samples is the same, and others' speech since then. */
  muteMs = 0
  othersInMuteMs = 0
  #silentMs = 0
  #isAbsent = false
  #silentAt = 0
  readonly #spoken = new Uint8Array(comparedFrames)
  #at = 0
  /** Frames with speech among those that are remembered. */
  speechRemembered = 0

  speaks(): void {
    this.hasSpoken = true
    this.#silentMs = 0
    this.#isAbsent = false
    this.othersMs = 0
    this.#hears()
  }

  #hears(): void {
    this.muteMs = 0
    this.othersInMuteMs = 0
  }

  isSilent(frame: VoiceFrame | null, othersSpeak: boolean, now: Moment): void {
    if (this.#silentMs === 0) this.#silentAt = now.at
    this.#silentMs += frameMs
    if (frame === null) this.#isAbsent = true
    if (othersSpeak) this.othersMs += frameMs
    if (frame?.isReceived === true && !frame.isEqual) return this.#hears()
    // What is missing goes on as what came before it.
    if (frame?.isEqual !== true && this.muteMs === 0) return
    this.muteMs += frameMs
    if (othersSpeak) this.othersInMuteMs += frameMs
  }

  /** A voice of which nothing comes is missed as time passes: the packets of others may come in one heap. */
  silentMs(now: Moment): number {
    return this.#isAbsent ? Math.min(this.#silentMs, now.at - this.#silentAt) : this.#silentMs
  }

  remember(frame: VoiceFrame | null): void {
    const isSpeaking = frame?.isSpeaking === true
    this.envelope.add(frame?.envelope ?? [])
    this.speechRemembered += (isSpeaking ? 1 : 0) - (this.#spoken[this.#at] as number)
    this.#spoken[this.#at] = isSpeaking ? 1 : 0
    this.#at = (this.#at + 1) % comparedFrames
  }
}
