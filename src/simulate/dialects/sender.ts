/**
 * A platform as the sender of one stream: the messages of one socket, in their order, each with the time when it is due. Pure: nothing is
 * sent here, and whoever sends keeps the clock. A lost packet has a number and no message; a dropped stream just ends.
 */
import type { Parties } from '../parties.js'
import { packetsOf, type Voice } from './voices.js'

export interface SentStream {
  readonly callId: string
  readonly parties: Parties
  /** The platform's id of this stream of the call: two of one call differ. */
  readonly streamId: string
  readonly voices: readonly [Voice, Voice]
  readonly sampleRate: number
  /** Where in the voices it begins: a stream that takes another one's place is behind it. */
  readonly beginsAtMs: number
  /** Unix time of its first packet. */
  readonly startMs: number
  /** Packets that get a number and are not sent. */
  isLost(track: number, index: number): boolean
  /** Milliseconds after which the platform says no more: its socket breaks. Null for a stream that ends as it should. */
  readonly breaksAtMs: number | null
}

export interface SentMessage {
  /** Milliseconds since the stream began. */
  readonly dueMs: number
  /** Text, or binary. */
  readonly message: string | Buffer
  /** The audio that it carries. */
  readonly audio: { readonly track: number; readonly index: number; readonly bytes: Buffer } | null
  /** The `type` or the `command` of the answer without which the platform does not go on. */
  readonly waitsFor: string | null
}

/** What tells the service of a packet that was lost. */
export type Numbering =
  /** Each packet has a number, or the time where it belongs. */
  | 'numbered'
  /** Nothing: the service counts what comes. */
  | 'counted'
  /** A position in later texts, so the hole is where the service was told of it. */
  | 'positioned'

/** Where a platform can put a token: a header of that name, or one of these. */
export type TokenPlace = 'path' | 'bearer' | 'basic' | `x-${string}`

/** What the service has said on the socket, for platforms that refer to it. */
export interface Heard {
  readonly serverSeq: number
}

export interface SentTrack {
  readonly name: string
  readonly encoding: 'mulaw' | 'pcm_s16le'
  readonly channels: number
  readonly packetMs: number
}

export interface Sender {
  readonly name: string
  /** Null for AudioSocket, which is TCP and has no paths. */
  readonly path: string | null
  readonly subprotocol: string | null
  readonly tokenPlace: TokenPlace
  /** What its upgrade is signed with, where it can be. */
  readonly signature: 'twilio' | 'plivo' | 'audiohook' | null
  /** Its calls are UUIDs. */
  readonly hasUuids: boolean
  /** Of one socket. A platform with a socket for each voice has two senders. */
  readonly tracks: readonly SentTrack[]
  readonly numbering: Numbering
  /** For the address of the socket. */
  queryOf(stream: SentStream): Readonly<Record<string, string>>
  messagesOf(stream: SentStream, heard: Heard): Iterable<SentMessage>
}

/** The packets of a track from where the stream begins; the last one may be shorter. */
export function trackPackets(
  { voices, sampleRate, beginsAtMs }: SentStream,
  { encoding, packetMs }: Pick<SentTrack, 'encoding' | 'packetMs'>,
  places: readonly (0 | 1)[],
): readonly Buffer[] {
  const own = places.map((place) => voices[place])
  return packetsOf({ voices: own, sampleRate, encoding, packetMs }).slice(Math.round(beginsAtMs / packetMs))
}

/**
 * What arrives of each track when the first `messages` of a stream do: the packets at their numbers, and nothing where one was lost. Lost ones behind the
 * last that arrived are not known.
 */
export function arrivedOf(
  sender: Sender,
  stream: SentStream,
  messages = Number.POSITIVE_INFINITY,
): readonly (readonly (Buffer | undefined)[])[] {
  const arrived = sender.tracks.map((): (Buffer | undefined)[] => [])
  let lost = 0
  let next = 0
  let sent = 0
  for (const { audio } of sender.messagesOf(stream, { serverSeq: 0 })) {
    if (++sent > messages) break
    if (audio === null) {
      for (; lost > 0; lost--) arrived[0]?.push(undefined)
      continue
    }
    const { track, index, bytes } = audio
    const own = arrived[track]
    if (own === undefined) throw new RangeError(`no track ${track}`)
    if (sender.numbering === 'positioned') {
      lost += index - next
      next = index + 1
      own.push(bytes)
    } else own[sender.numbering === 'numbered' ? index : own.length] = bytes
  }
  return arrived
}

export function control(
  dueMs: number,
  message: string | object,
  waitsFor: string | null = null,
): SentMessage {
  const text = typeof message === 'string' ? message : JSON.stringify(message)
  return { dueMs, message: text, audio: null, waitsFor }
}

/** Up to where the stream breaks. */
export function* untilBreak(
  { breaksAtMs }: SentStream,
  messages: Iterable<SentMessage>,
): Generator<SentMessage> {
  for (const message of messages) {
    if (breaksAtMs !== null && message.dueMs >= breaksAtMs) return
    yield message
  }
}
