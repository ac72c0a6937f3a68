/**
 * A voice of a call that goes on, by the clock: packets go in as they are stored, frames come out at the pace of speech. Pure.
 *
 *     stored    … 7 8 9 _ 11 12 13 14       a listener hears what lies `behindMs` back
 *     heard     … 7 8                       9 is next; 10 has until its turn to arrive, then it is silence of its length
 *
 * A voice that has run dry, as on hold, begins again as far behind its newest packet. One that is much further behind, after
 * a stall, skips to that place: who listens is never later than `behindMs` and the slack.
 */
import type { AudioFormat } from './audio-format.js'
import { decodeG711 } from './g711.js'
import { type AudioPacket, samplesIn } from './packet-audio.js'

/** So much more than `behindMs` may wait to be heard. */
export const liveSlackMs = 2000
/** A hole that is longer, in packets, is a restart of the sender's numbers rather than lost speech. */
const silentPacketsMax = 250

export class LiveVoice {
  readonly format: AudioFormat
  readonly #targetRate: number
  readonly #behindMs: number
  /** Interleaved frames of the voice at its own rate, oldest first. */
  #parts: Int16Array[] = []
  /** Samples of the first part that were heard. */
  #heard = 0
  #samples = 0
  #isPlaying = false
  /** When the oldest waiting part came, while nothing is played. */
  #waitsSince: number | null = null
  #packetSamples = 0
  /** Frames that were given since it began to play, at the target's rate, and those of its own that they took. */
  #given = 0
  #taken = 0
  /** The first number that is wanted. */
  next: number

  constructor(format: AudioFormat, { targetRate, behindMs, next }: LiveVoiceTerms) {
    this.format = format
    this.#targetRate = targetRate
    this.#behindMs = behindMs
    this.next = next
  }

  get bufferedMs(): number {
    return (this.#samples / this.format.channels / this.format.sampleRate) * 1000
  }

  /**
   * Packets from `next` on, ascending, as far as they are stored. What lies behind a hole is passed on only once its turn has
   * come. `isLast`: no other packet will come.
   */
  add(packets: Iterable<AudioPacket>, now: number, isLast = false): void {
    this.#beginIfDue(now)
    for (const packet of packets) {
      if (packet.sequence < this.next) continue
      if (packet.sequence > this.next && !isLast && !this.#isHoleDue(now)) break
      const missing = packet.sequence - this.next
      if (missing <= silentPacketsMax) this.#push(new Int16Array(missing * this.#packetSamples), now)
      this.#push(this.#decoded(packet), now)
      this.next = packet.sequence + 1
    }
    if (this.bufferedMs > this.#behindMs + liveSlackMs)
      this.#drop(this.#samples - this.#samplesOf(this.#behindMs))
  }

  /** Whether the missing packets have had their time, half of it: the rest is left for a listener that is late. */
  #isHoleDue(now: number): boolean {
    if (this.#isPlaying) return this.bufferedMs <= this.#behindMs / 2
    this.#waitsSince ??= now
    return false
  }

  #samplesOf(ms: number): number {
    return Math.round((ms / 1000) * this.format.sampleRate) * this.format.channels
  }

  /** A packet that is no audio is heard as one that is missing: the call goes on. */
  #decoded(packet: AudioPacket): Int16Array {
    const { encoding } = this.format
    const bytes = samplesIn(packet, this.format)
    if (bytes === null) return new Int16Array(this.#packetSamples)
    const isLinear = encoding === 'pcm_s16le'
    const samples = new Int16Array(isLinear ? bytes.length / 2 : bytes.length)
    for (let i = 0; i < samples.length; i++)
      samples[i] = isLinear ? bytes.readInt16LE(i * 2) : decodeG711(encoding, bytes[i] as number)
    this.#packetSamples = samples.length
    return samples
  }

  #push(samples: Int16Array, now: number): void {
    if (samples.length === 0) return
    this.#parts.push(samples)
    this.#samples += samples.length
    if (!this.#isPlaying) this.#waitsSince ??= now
  }

  #drop(samples: number): void {
    this.#samples -= samples
    this.#heard += samples
    for (
      let first = this.#parts[0];
      first !== undefined && this.#heard >= first.length;
      first = this.#parts[0]
    ) {
      this.#heard -= first.length
      this.#parts.shift()
    }
  }

  /** The next frames at the target's rate, interleaved; silence where there is nothing. `isLast`: no packet will come. */
  take(frames: number, now: number, isLast = false): Int16Array {
    const { channels } = this.format
    const out = new Int16Array(frames * channels)
    this.#beginIfDue(now, isLast)
    if (!this.#isPlaying) return out
    const ratio = this.format.sampleRate / this.#targetRate
    const wanted = Math.floor((this.#given + frames) * ratio) - this.#taken
    const held = Math.min(wanted, this.#samples / channels)
    const own = this.#peek(held * channels)
    for (let frame = 0; frame < frames; frame++) {
      // Each frame is repeated until the next one is due.
      const source = Math.floor((this.#given + frame) * ratio) - this.#taken
      if (source >= held) break
      for (let channel = 0; channel < channels; channel++)
        out[frame * channels + channel] = own[source * channels + channel] as number
    }
    this.#drop(held * channels)
    this.#given += frames
    this.#taken += wanted
    if (held < wanted) this.#isPlaying = false
    return out
  }

  #beginIfDue(now: number, isLast = false): void {
    if (this.#waitsSince === null) return
    const isDue = this.bufferedMs >= this.#behindMs || now - this.#waitsSince >= this.#behindMs
    if (!isDue && !isLast) return
    this.#isPlaying = true
    this.#waitsSince = null
    this.#given = 0
    this.#taken = 0
  }

  #peek(samples: number): Int16Array {
    const found = new Int16Array(samples)
    let at = 0
    let from = this.#heard
    for (const part of this.#parts) {
      if (at >= samples) break
      const piece = part.subarray(from, from + samples - at)
      found.set(piece, at)
      at += piece.length
      from = 0
    }
    return found
  }
}

export interface LiveVoiceTerms {
  /** Frames a second that are wanted. */
  readonly targetRate: number
  readonly behindMs: number
  /** The number of the first packet that is heard. */
  readonly next: number
}

/** Voices side by side: 16 bits, little-endian, the channels of each after those of the one before. */
export function mixed(voices: readonly LiveVoice[], frames: number, now: number, isLast: boolean): Buffer {
  const channels = voices.reduce((sum, { format }) => sum + format.channels, 0)
  const bytes = Buffer.alloc(frames * channels * 2)
  let first = 0
  for (const voice of voices) {
    const own = voice.take(frames, now, isLast)
    const count = voice.format.channels
    for (let frame = 0; frame < frames; frame++)
      for (let channel = 0; channel < count; channel++)
        bytes.writeInt16LE(own[frame * count + channel] as number, (frame * channels + first + channel) * 2)
    first += count
  }
  return bytes
}
