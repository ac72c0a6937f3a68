/** Asterisk, Vonage, jambonz and FreeSWITCH as senders: one text, then raw audio, and no numbers. */
import {
  control,
  type Sender,
  type SentMessage,
  type SentStream,
  type SentTrack,
  untilBreak,
} from './sender.js'
import { packetsOf } from './voices.js'

interface BinaryPlatform {
  readonly name: string
  readonly subprotocol?: string
  readonly track: SentTrack
  /** Which of the two voices are on the socket. */
  readonly voices: readonly (0 | 1)[]
  preamble(stream: SentStream): string | object | null
  queryOf?(stream: SentStream): Readonly<Record<string, string>>
}

function* messagesOf(stream: SentStream, platform: BinaryPlatform): Generator<SentMessage> {
  const preamble = platform.preamble(stream)
  if (preamble !== null) yield control(0, preamble)
  const { encoding, packetMs } = platform.track
  const voices = platform.voices.map((each) => stream.voices[each])
  const packets = packetsOf({ voices, sampleRate: stream.sampleRate, encoding, packetMs })
  for (const [index, bytes] of packets.entries())
    if (!stream.isLost(0, index))
      yield {
        dueMs: (index + 1) * packetMs,
        message: bytes,
        audio: { track: 0, index, bytes },
        waitsFor: null,
      }
}

function sender(platform: BinaryPlatform): Sender {
  return {
    name: platform.name,
    path: `/v1/media/${platform.name}`,
    subprotocol: platform.subprotocol ?? null,
    tracks: [platform.track],
    isNumbered: false,
    queryOf: (stream) => platform.queryOf?.(stream) ?? {},
    messagesOf: (stream) => untilBreak(stream, messagesOf(stream, platform)),
  }
}

/** A socket for each side. `at` places the names as a real Asterisk does: in the URL, and again in MEDIA_START. */
function asteriskSide(leg: 'caller' | 'agent', place: 0 | 1): Sender {
  return sender({
    name: 'asterisk',
    subprotocol: 'media',
    track: { name: leg, encoding: 'mulaw', channels: 1, packetMs: 20 },
    voices: [place],
    queryOf: ({ callId }) => ({ call_id: callId, leg }),
    preamble: ({ callId, streamId, sampleRate }) => ({
      event: 'MEDIA_START',
      connection_id: 'voicestream',
      channel: `WebSocket/voicestream/${streamId}`,
      channel_id: streamId,
      format: 'ulaw',
      optimal_frame_size: sampleRate / 50,
      ptime: 20,
      channel_variables: { CALL_ID: callId, LEG: leg, MEDIA_WEBSOCKET_CONNECTION_ID: 'voicestream' },
    }),
  })
}

export const asteriskSenders: readonly Sender[] = [asteriskSide('caller', 0), asteriskSide('agent', 1)]

const linear = (name: string, channels = 1): SentTrack => ({
  name,
  encoding: 'pcm_s16le',
  channels,
  packetMs: 20,
})

export const vonageSender = sender({
  name: 'vonage',
  track: linear('mix'),
  voices: [0],
  preamble: ({ callId, sampleRate }) => ({
    event: 'websocket:connected',
    'content-type': `audio/l16;rate=${sampleRate}`,
    call_uuid: callId,
  }),
})

export const jambonzSender = sender({
  name: 'jambonz',
  subprotocol: 'audio.jambonz.org',
  track: linear('inbound+outbound', 2),
  voices: [0, 1],
  preamble: ({ callId, sampleRate }) => ({
    callSid: callId,
    sampleRate,
    mixType: 'stereo',
    from: '+15550100',
    to: '+15550101',
    direction: 'inbound',
  }),
})

export const freeswitchSender = sender({
  name: 'freeswitch',
  subprotocol: 'audio.drachtio.org',
  track: linear('inbound+outbound', 2),
  voices: [0, 1],
  queryOf: ({ sampleRate }) => ({ rate: String(sampleRate), mix: 'stereo' }),
  preamble: ({ callId }) => ({ call_id: callId }),
})
