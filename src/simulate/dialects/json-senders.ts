/** The engine of platforms that send JSON with audio in base64; `json-platforms` says what each calls things. */
import {
  control,
  type Sender,
  type SentMessage,
  type SentStream,
  type SentTrack,
  type TokenPlace,
  trackPackets,
  untilBreak,
} from './sender.js'

export interface Numbered {
  readonly track: number
  readonly index: number
  /** From 1, of the track and of all tracks. */
  readonly chunk: number
  readonly streamChunk: number
  /** From 2, behind the start. */
  readonly sequence: number
  readonly dueMs: number
  readonly bytes: Buffer
}

/** Packets in the order of the wire: at each time those of all tracks. */
function* numbered(stream: SentStream, tracks: readonly SentTrack[]): Generator<Numbered> {
  const packets = tracks.map((each, track) => trackPackets(stream, each, [track === 1 ? 1 : 0]))
  let sequence = 1
  let streamChunk = 0
  for (let index = 0; index < (packets[0]?.length ?? 0); index++)
    for (const [track, { packetMs }] of tracks.entries()) {
      const bytes = packets[track]?.[index]
      if (bytes === undefined) continue
      // Due when its last sample was spoken.
      yield {
        track,
        index,
        chunk: index + 1,
        streamChunk: ++streamChunk,
        sequence: ++sequence,
        dueMs: (index + 1) * packetMs,
        bytes,
      }
    }
}

export interface JsonPlatform {
  readonly tokenPlace: TokenPlace
  readonly signature?: 'twilio' | 'plivo'
  /** False where its packets have no numbers. */
  readonly isNumbered?: boolean
  readonly tracks: readonly SentTrack[]
  before(stream: SentStream): readonly object[]
  media(stream: SentStream, packet: Numbered, payload: string): object
  stop(stream: SentStream, sequence: number): object | null
}

function* messagesOf(stream: SentStream, platform: JsonPlatform): Generator<SentMessage> {
  for (const message of platform.before(stream)) yield control(0, message)
  let lastSequence = 1
  let endMs = 0
  for (const packet of numbered(stream, platform.tracks)) {
    const { track, index, bytes, dueMs, sequence } = packet
    lastSequence = sequence
    endMs = dueMs
    if (stream.isLost(track, index)) continue
    const message = JSON.stringify(platform.media(stream, packet, bytes.toString('base64')))
    yield { dueMs, message, audio: { track, index, bytes }, waitsFor: null }
  }
  const stop = platform.stop(stream, lastSequence + 1)
  if (stop !== null) yield control(endMs, stop)
}

export function jsonSender(name: string, platform: JsonPlatform): Sender {
  return {
    name,
    path: `/v1/media/${name}`,
    subprotocol: null,
    tokenPlace: platform.tokenPlace,
    signature: platform.signature ?? null,
    hasUuids: false,
    tracks: platform.tracks,
    numbering: platform.isNumbered === false ? 'counted' : 'numbered',
    queryOf: () => ({}),
    messagesOf: (stream) => untilBreak(stream, messagesOf(stream, platform)),
  }
}
