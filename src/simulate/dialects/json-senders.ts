/** Twilio, Telnyx, Plivo and Exotel as senders: JSON with audio in base64. */
import {
  control,
  type Sender,
  type SentMessage,
  type SentStream,
  type SentTrack,
  untilBreak,
} from './sender.js'
import { packetsOf } from './voices.js'

interface Numbered {
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
  const packets = tracks.map(({ encoding, packetMs }, track) =>
    packetsOf({
      voices: [stream.voices[track === 1 ? 1 : 0]],
      sampleRate: stream.sampleRate,
      encoding,
      packetMs,
    }),
  )
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

interface JsonPlatform {
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

function sender(name: string, platform: JsonPlatform): Sender {
  return {
    name,
    path: `/v1/media/${name}`,
    subprotocol: null,
    tracks: platform.tracks,
    isNumbered: true,
    queryOf: () => ({}),
    messagesOf: (stream) => untilBreak(stream, messagesOf(stream, platform)),
  }
}

const voice = (name: string): SentTrack => ({ name, encoding: 'mulaw', channels: 1, packetMs: 20 })
const both = [voice('inbound'), voice('outbound')]

/** Twilio's clock begins a little after the start. */
const firstTimestampMs = 60

export const twilioSender = sender('twilio', {
  tracks: both,
  before: ({ callId, streamId, sampleRate }) => [
    { event: 'connected', protocol: 'Call', version: '1.0.0' },
    {
      event: 'start',
      sequenceNumber: '1',
      start: {
        accountSid: 'AC00000000000000000000000000000000',
        streamSid: streamId,
        callSid: callId,
        tracks: both.map(({ name }) => name),
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate, channels: 1 },
        customParameters: {},
      },
      streamSid: streamId,
    },
  ],
  // One counter for both tracks, as in the vendor's documents.
  media: ({ streamId }, { track, streamChunk, sequence, index }, payload) => ({
    event: 'media',
    sequenceNumber: String(sequence),
    media: {
      track: both[track]?.name,
      chunk: String(streamChunk),
      timestamp: String(firstTimestampMs + index * 20),
      payload,
    },
    streamSid: streamId,
  }),
  stop: ({ callId, streamId }, sequence) => ({
    event: 'stop',
    sequenceNumber: String(sequence),
    streamSid: streamId,
    stop: { accountSid: 'AC00000000000000000000000000000000', callSid: callId },
  }),
})

export const telnyxSender = sender('telnyx', {
  tracks: both,
  before: ({ callId, streamId, sampleRate }) => [
    { event: 'connected', version: '1.0.0' },
    {
      event: 'start',
      sequence_number: '1',
      start: {
        call_control_id: callId,
        call_session_id: `session-${callId}`,
        from: '+15550100',
        to: '+15550101',
        media_format: { encoding: 'PCMU', sample_rate: sampleRate, channels: 1 },
      },
      stream_id: streamId,
    },
  ],
  media: ({ streamId }, { track, chunk, sequence, index }, payload) => ({
    event: 'media',
    sequence_number: String(sequence),
    media: { track: both[track]?.name, chunk: String(chunk), timestamp: String(index * 20), payload },
    stream_id: streamId,
  }),
  stop: ({ callId, streamId }, sequence) => ({
    event: 'stop',
    sequence_number: String(sequence),
    stop: { user_id: 'user', call_control_id: callId },
    stream_id: streamId,
  }),
})

/** Says no stop: its socket closes. */
export const plivoSender = sender('plivo', {
  tracks: [voice('inbound')],
  before: ({ callId, streamId, sampleRate }) => [
    {
      event: 'start',
      sequenceNumber: 1,
      start: {
        callId,
        streamId,
        accountId: 'MA0',
        tracks: ['inbound'],
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate },
      },
      extra_headers: '',
    },
  ],
  media: ({ streamId, startMs }, { chunk, sequence, dueMs }, payload) => ({
    event: 'media',
    sequenceNumber: sequence,
    streamId,
    media: { track: 'inbound', timestamp: String(startMs + dueMs), chunk, payload },
    extra_headers: '',
  }),
  stop: () => null,
})

/** One mix of both, in packets of 100 ms of linear samples. */
export const exotelSender = sender('exotel', {
  tracks: [{ name: 'mix', encoding: 'pcm_s16le', channels: 1, packetMs: 100 }],
  before: ({ callId, streamId, sampleRate }) => [
    { event: 'connected' },
    {
      event: 'start',
      sequence_number: '1',
      stream_sid: streamId,
      start: {
        stream_sid: streamId,
        call_sid: callId,
        account_sid: 'account',
        from: '+91000',
        to: '+91001',
        media_format: { encoding: 'audio/x-raw', sample_rate: String(sampleRate), bit_rate: '16' },
      },
    },
  ],
  media: ({ streamId }, { chunk, sequence, index }, payload) => ({
    event: 'media',
    sequence_number: String(sequence),
    stream_sid: streamId,
    media: { chunk: String(chunk), timestamp: String(index * 100), payload },
  }),
  stop: ({ callId, streamId }, sequence) => ({
    event: 'stop',
    sequence_number: String(sequence),
    stream_sid: streamId,
    stop: { call_sid: callId, account_sid: 'account', reason: 'callended' },
  }),
})
