/**
 * A platform as the sender of one stream: the messages of one socket, in their order, each with the time when it is due. Pure: nothing is
 * sent here, and whoever sends keeps the clock. A lost packet has a number and no message; a dropped stream just ends.
 */
import type { Voice } from './voices.js'

export interface SentStream {
  readonly callId: string
  /** The platform's id of this stream of the call: two of one call differ. */
  readonly streamId: string
  readonly voices: readonly [Voice, Voice]
  readonly sampleRate: number
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
  /** The `type` or `command` of the answer without which the platform does not go on. */
  readonly waitsFor: string | null
}

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
  readonly path: string
  readonly subprotocol: string | null
  /** Of one socket. A platform with a socket for each voice has two senders. */
  readonly tracks: readonly SentTrack[]
  /** The platform numbers its packets, so the service must know each loss. */
  readonly isNumbered: boolean
  /** For the address of the socket. */
  queryOf(stream: SentStream): Readonly<Record<string, string>>
  messagesOf(stream: SentStream, heard: Heard): Iterable<SentMessage>
}

/** What of each track arrives when every message does. */
export interface SentAccount {
  readonly received: number
  /** Numbers of lost packets, as far as the platform got: those after the last number that it told are not known. */
  readonly lost: readonly number[]
  readonly sound: Buffer
}

export function accountOf(sender: Sender, stream: SentStream): readonly SentAccount[] {
  const sent = [...sender.messagesOf(stream, { serverSeq: 0 })].flatMap(({ audio }) => audio ?? [])
  return sender.tracks.map((_, track) => {
    const own = sent.filter((audio) => audio.track === track)
    const indexes = new Set(own.map(({ index }) => index))
    const last = Math.max(-1, ...indexes)
    const lost = Array.from({ length: last + 1 }, (_unused, index) => index).filter(
      (index) => !indexes.has(index),
    )
    return { received: own.length, lost, sound: Buffer.concat(own.map(({ bytes }) => bytes)) }
  })
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
