/**
 * A dialect: how one platform tells a call over a socket of its own. Pure: messages in, media events out. It knows no clock, no
 * call and no socket, so vectors alone test it. `media-session` makes packets and lifecycle entries of its events.
 */
import type { Media, StartBody } from '../protocol/media.js'

/** A voice, or several that arrive interleaved, as one stream of packets. */
export interface DialectTrack {
  /** As the platform calls it: `inbound`, `outbound`, `mix`, `external+internal`. */
  readonly name: string
  readonly media: Media
}

/** Why packets of the time line have no audio. */
export type SkipReason =
  /** The platform's own numbers or positions say so. */
  | 'numbered'
  /** Concluded from clocks, where the platform numbers nothing. */
  | 'inferred'
  /** The platform has thrown them away on purpose, and said so. */
  | 'discarded'
  /** A gateway has given them up, and said so. */
  | 'lost'
  /** We did: a bound was reached. */
  | 'shed'

export type StopReason = 'stopped' | 'closed' | 'lost'

export type MediaEvent =
  /**
   * What the stream is, before its first audio. It comes again for another stream on the same socket, and where the platform's
   * numbers begin anew: each one is a leg of its own, whose indexes begin at 0.
   */
  | {
      readonly type: 'start'
      /** The platform's id of the call; null where it has none and the path or the query must name it. */
      readonly call: string | null
      /** The platform's id of this stream of the call; null where it has none. */
      readonly leg: string | null
      /** Those that the platform announces, at least one but for a probe. Others follow as `track`. */
      readonly tracks: readonly DialectTrack[]
      /** Of one packet of the grid on which unnumbered audio is cut; null where each message is a packet. */
      readonly packetBytes: number | null
      /** Parties and metadata, within the bounds of `StartBody`. */
      readonly details: Omit<StartBody, 'media'>
      /** A secret that the call brings with it; never stored. */
      readonly token: string | null
      /** A probe of a platform's set-up: answered, and never stored. */
      readonly isProbe: boolean
    }
  /** A voice that the start did not announce, before its first audio. Its index is the next one. */
  | { readonly type: 'track'; readonly track: DialectTrack }
  | {
      readonly type: 'audio'
      /** An index into the tracks of the start, and those that were added since. */
      readonly track: number
      /** Of the packet in its track of this leg, from 0; null where the platform numbers nothing: the grid counts. */
      readonly index: number | null
      /** Milliseconds since the stream began, by the sender's clock; null where it tells none. */
      readonly atMs: number | null
      /** The bytes of the codec, or their base64 as it came. A view of the message: valid in this turn only. */
      readonly data: Uint8Array
      readonly isBase64: boolean
    }
  /** So many packets of the grid have no audio. */
  | {
      readonly type: 'skipped'
      readonly track: number
      readonly packets: number
      readonly why: SkipReason
    }
  | { readonly type: 'paused'; readonly track: number | null }
  | { readonly type: 'resumed'; readonly track: number | null }
  /** The digit is counted and never stored. */
  | { readonly type: 'dtmf'; readonly durationMs: number | null }
  | { readonly type: 'mark'; readonly name: string }
  | {
      readonly type: 'stop'
      readonly why: StopReason
      /** Packets of each track, where the platform's numbers prove it. */
      readonly totals: readonly (number | null)[] | null
    }
  /** To be sent to the platform. */
  | { readonly type: 'reply'; readonly message: string | Uint8Array }
  /** The stream is not what the platform documents: closed with this code, after what was taken is kept. */
  | { readonly type: 'refuse'; readonly closeCode: number; readonly why: string }
  /** Worth a line in the log, once for each stream. */
  | { readonly type: 'warning'; readonly why: string }

export interface Dialect {
  /** A whole message of the peer, or a part of the stream on TCP. Bad input never throws: it is an event. */
  feed(message: Uint8Array, isBinary: boolean): readonly MediaEvent[]
  /** The socket has closed; `isClean` where the peer has closed it. */
  closed(isClean: boolean): readonly MediaEvent[]
}

/** What the upgrade says of a stream. */
export interface DialectRequest {
  /** Names in lower case; the last one of a name. */
  readonly query: ReadonlyMap<string, string>
  /** The part of the path behind the dialect's name, or null. */
  readonly segment: string | null
  /** Names in lower case; a missing one is undefined or empty. */
  readonly headers: { get(name: string): string | undefined }
  /** For generated ids. */
  newId(): string
  /** The service stops, or has no room: a platform that asks before it sends anything is told so. */
  isBusy?(): boolean
}

export interface DialectKind {
  /** In paths, metrics and logs: `/v1/media/{name}`. */
  readonly name: string
  /** Echoed when the peer asks for one of them; without one asked for, none. */
  readonly subprotocols: readonly string[]
  readonly messageBytesMax: number
  /** It asks before it sends anything, and a socket that we close costs the caller the call. */
  readonly asksFirst?: true
  /** How long a packet plays, where it is not 20 ms and the stream does not say it. */
  readonly packetMs?: number
  create(request: DialectRequest): Dialect
}
