/** One stream of a socket, from its start: its tracks, its numbers, and its audio as events. */
import { Buffer } from 'node:buffer'
import type { Media } from '../../../protocol/media.js'
import { quoted } from '../../../quoted.js'
import type { ByteOrder } from '../../byte-order.js'
import { codecOf, durationMsOf } from '../../codecs.js'
import type { MediaEvent } from '../../dialect.js'
import { streamDetails } from '../../stream-details.js'
import { Warnings } from '../../warnings.js'
import { ChunkNumbers } from './chunk-numbers.js'
import { base64Bytes, Payloads } from './payloads.js'
import type { StreamPlatform, StreamStart } from './platforms.js'

/** The members of a media message that matter. */
export interface MediaMessage {
  readonly track: string
  /** Whose stream it says it is. */
  readonly stream: Uint8Array | null
  readonly sequence: number | null
  readonly chunk: number | null
  readonly timestamp: number | null
  /** Base64. */
  readonly payload: Uint8Array
}

export interface LegBeginning {
  readonly platform: StreamPlatform
  readonly start: StreamStart
  readonly tag: string | null
  readonly token: string | null
  readonly order: ByteOrder | null
  /** Of the start. */
  readonly sequence: number | null
}

const tracksMax = 8
const trackCharactersMax = 64
const usualPacketMs = 20
const none: readonly MediaEvent[] = []

interface Track {
  readonly name: string
  readonly bytes: Uint8Array
  readonly payloads: Payloads
}

export class JsonLeg {
  readonly #beginning: LegBeginning
  readonly #platform: StreamPlatform
  readonly #media: Media
  readonly #stream: Uint8Array | null
  readonly #numbers: ChunkNumbers | null
  readonly #warnings = new Warnings()
  readonly #tracks: Track[] = []
  readonly #openTags = new Set<string>()
  #firstTimestamp: number | null = null
  #isSplitTold = false

  constructor(beginning: LegBeginning) {
    const { platform, start, tag, sequence } = beginning
    this.#beginning = beginning
    this.#platform = platform
    this.#media = codecOf(start.encoding, start.rate, start.channels, platform.usualMedia).media
    this.#stream = start.leg === null ? null : Buffer.from(start.leg)
    if (tag !== null) this.#openTags.add(tag)
    const announced = start.tracks.length === 0 ? [tag ?? platform.usualTrack] : start.tracks
    for (const name of announced.slice(0, tracksMax)) this.#addTrack(name)
    this.#numbers =
      platform.numbers === null ? null : new ChunkNumbers(platform.numbers, sequence, this.#tracks.length)
  }

  /** The same stream from a beginning of its own, whose start has no number. */
  again(): JsonLeg {
    return new JsonLeg({ ...this.#beginning, sequence: null })
  }

  get hasTags(): boolean {
    return this.#platform.hasTags
  }

  get usualTrack(): string {
    return this.#tracks[0]?.name ?? this.#platform.usualTrack
  }

  startEvents(): readonly MediaEvent[] {
    const { start, token } = this.#beginning
    const codec = codecOf(start.encoding, start.rate, start.channels, this.#platform.usualMedia)
    const labels = [
      ...(start.said.labels ?? []),
      ...(codec.foreignName === null ? [] : [['codec', codec.foreignName] as const]),
    ]
    const { call, token: ownToken, details, warnings } = streamDetails({ ...start.said, labels })
    const foreign = `the codec ${quoted(codec.foreignName ?? '')} is kept as it came: not played, not transcribed`
    return [
      ...[codec.warning, codec.foreignName === null ? null : foreign, ...warnings]
        .filter((why) => why !== null)
        .flatMap((why) => this.#warnings.once(why)),
      {
        type: 'start',
        call: call ?? start.call,
        leg: start.leg,
        tracks: this.#tracks.map(({ name }) => ({ name, media: this.#media })),
        packetBytes: null,
        details,
        token: ownToken ?? token,
        isProbe: false,
      },
    ]
  }

  isOwn(stream: Uint8Array, first = 0, end = stream.length): boolean {
    return this.#stream === null || (this.#stream.length === end - first && isAt(stream, first, this.#stream))
  }

  /** False for a tag that is open: its start begins another stream. */
  openTag(tag: string): boolean {
    if (this.#openTags.has(tag)) return false
    this.#openTags.add(tag)
    return true
  }

  /** Whether that was the last one. */
  closeTag(tag: string | null): boolean {
    if (tag !== null) this.#openTags.delete(tag)
    return tag === null || this.#openTags.size === 0
  }

  hear(sequence: number | null): void {
    if (!this.#platform.hasTags) this.#numbers?.hear(sequence)
  }

  totals(stopSequence: number | null): readonly (number | null)[] | null {
    if (this.#platform.hasTags && this.#tracks.length > 1) return null
    return this.#numbers?.totals(stopSequence) ?? null
  }

  /** The name of a track as it is in a message, without a copy where it is a known one. */
  nameAt(message: Uint8Array, first: number, end: number): string {
    if (first < 0) return this.usualTrack
    for (const { bytes, name } of this.#tracks)
      if (bytes.length === end - first && isAt(message, first, bytes)) return name
    return Buffer.prototype.latin1Slice.call(message, first, end)
  }

  track(said: string): { index: number; events: readonly MediaEvent[] } {
    const name = said.slice(0, trackCharactersMax)
    const index = this.#indexOfTrack(name)
    if (index >= 0) return { index, events: [] }
    if (this.#tracks.length >= tracksMax)
      return { index: -1, events: this.#warnings.once(`audio beyond ${tracksMax} tracks is dropped`) }
    this.#addTrack(name)
    this.#numbers?.addTrack()
    const track = { name, media: this.#media }
    return { index: this.#tracks.length - 1, events: [{ type: 'track', track }] }
  }

  /** Null when the numbers begin anew: the message belongs to another stream. */
  place(message: MediaMessage): readonly MediaEvent[] | null {
    const known = this.#indexOfTrack(message.track)
    const { index: track, events } = known < 0 ? this.track(message.track) : { index: known, events: none }
    const payloads = this.#tracks[track]?.payloads
    if (payloads === undefined) return events
    const atMs = this.#atMs(message.timestamp)
    const index = this.#indexOf(track, atMs, message)
    if (index === undefined) return null
    const payload = payloads.take(message.payload)
    const split = this.#splitWarning()
    if (payload.kind === 'none') return [...events, ...split, ...this.#warnings.once(payload.warning)]
    const { data, isBase64 } = payload
    const audio: MediaEvent = { type: 'audio', track, index, atMs, data, isBase64 }
    if (events.length === 0 && split.length === 0 && payload.warning === null) return [audio]
    const warnings = payload.warning === null ? [] : this.#warnings.once(payload.warning)
    return [...events, ...split, ...warnings, audio]
  }

  #indexOfTrack(name: string): number {
    for (let i = 0; i < this.#tracks.length; i++) if (this.#tracks[i]?.name === name) return i
    return -1
  }

  #addTrack(said: string): void {
    const name = said.slice(0, trackCharactersMax)
    const payloads = new Payloads(this.#media, this.#platform.mayBeBigEndian, this.#beginning.order)
    this.#tracks.push({ name, bytes: Buffer.from(name, 'latin1'), payloads })
  }

  #atMs(timestamp: number | null): number | null {
    if (timestamp === null || !this.#platform.isUnixTime) return timestamp
    this.#firstTimestamp ??= timestamp
    return Math.max(0, timestamp - this.#firstTimestamp)
  }

  /** Null where nothing is numbered; undefined when the numbers begin anew. */
  #indexOf(track: number, atMs: number | null, message: MediaMessage): number | null | undefined {
    if (this.#numbers === null) return null
    const bytes = base64Bytes(message.payload)
    const durationMs = durationMsOf(this.#media, bytes) || usualPacketMs
    // One socket may carry several streams, each with messages of its own.
    const sequence = this.#platform.hasTags && this.#tracks.length > 1 ? null : message.sequence
    return this.#numbers.place({ track, sequence, chunk: message.chunk, atMs, durationMs }) ?? undefined
  }

  #splitWarning(): readonly MediaEvent[] {
    if (this.#isSplitTold || this.#numbers?.isInferred !== true) return []
    this.#isSplitTold = true
    return this.#warnings.once(
      'the platform numbers all tracks together: which of them lost packets is concluded from its clock',
    )
  }
}

function isAt(message: Uint8Array, first: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (message[first + i] !== text[i]) return false
  return true
}
