/** Asterisk, Vonage, Infobip, Sinch, jambonz and FreeSWITCH as senders: one text, then raw audio, and no numbers. */
import { allParameters, ownParameters } from '../parties.js'
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

interface BinaryPlatform {
  readonly name: string
  readonly subprotocol?: string
  readonly tokenPlace: TokenPlace
  readonly track: SentTrack
  /** Which of the two voices are on the socket. */
  readonly voices: readonly (0 | 1)[]
  preamble(stream: SentStream): string | object | null
  /** The command of the answer without which no audio is sent. */
  readonly waitsFor?: string
  queryOf?(stream: SentStream): Readonly<Record<string, string>>
}

function* messagesOf(stream: SentStream, platform: BinaryPlatform): Generator<SentMessage> {
  const preamble = platform.preamble(stream)
  if (preamble !== null) yield control(0, preamble, platform.waitsFor ?? null)
  const { packetMs } = platform.track
  for (const [index, bytes] of trackPackets(stream, platform.track, platform.voices).entries())
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
    tokenPlace: platform.tokenPlace,
    signature: null,
    hasUuids: false,
    tracks: [platform.track],
    numbering: 'counted',
    queryOf: (stream) => platform.queryOf?.(stream) ?? {},
    messagesOf: (stream) => untilBreak(stream, messagesOf(stream, platform)),
  }
}

/** A socket for each side. `at` places the names as a real Asterisk does: in the URL, and again in MEDIA_START. */
function asteriskSide(leg: 'caller' | 'agent', place: 0 | 1): Sender {
  return sender({
    name: 'asterisk',
    subprotocol: 'media',
    tokenPlace: 'basic',
    track: { name: leg, encoding: 'mulaw', channels: 1, packetMs: 20 },
    voices: [place],
    queryOf: ({ callId, parties }) => ({
      call_id: callId,
      leg,
      caller: parties.caller,
      callee: parties.callee,
      ...ownParameters(parties),
    }),
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
  tokenPlace: 'bearer',
  track: linear('mix'),
  voices: [0],
  preamble: ({ callId, parties, sampleRate }) => ({
    event: 'websocket:connected',
    'content-type': `audio/l16;rate=${sampleRate}`,
    call_uuid: callId,
    ...allParameters(parties),
  }),
})

export const infobipSender = sender({
  name: 'infobip',
  tokenPlace: 'path',
  track: linear('mix'),
  voices: [0],
  preamble: ({ callId, parties, sampleRate }) => ({
    event: 'websocket:connected',
    'content-type': `audio/x-private-pcm-16;rate=${sampleRate}`,
    callId,
    from: parties.caller,
    to: parties.callee,
    ...ownParameters(parties),
  }),
})

export const sinchSender = sender({
  name: 'sinch',
  tokenPlace: 'path',
  track: linear('mix'),
  voices: [0],
  preamble: ({ callId, parties, sampleRate }) => ({
    command: 'connect',
    version: 1,
    callId,
    applicationKey: 'key',
    codec: 'PCM',
    sampleRate,
    callHeaders: allParameters(parties),
  }),
  waitsFor: 'answer',
})

export const jambonzSender = sender({
  name: 'jambonz',
  tokenPlace: 'basic',
  subprotocol: 'audio.jambonz.org',
  track: linear('inbound+outbound', 2),
  voices: [0, 1],
  preamble: ({ callId, parties, sampleRate }) => ({
    callSid: callId,
    sampleRate,
    mixType: 'stereo',
    from: parties.caller,
    to: parties.callee,
    direction: parties.direction,
    ...ownParameters(parties),
  }),
})

export const freeswitchSender = sender({
  name: 'freeswitch',
  tokenPlace: 'basic',
  subprotocol: 'audio.drachtio.org',
  track: linear('inbound+outbound', 2),
  voices: [0, 1],
  queryOf: ({ sampleRate }) => ({ rate: String(sampleRate), mix: 'stereo' }),
  preamble: ({ callId, parties }) => ({ call_id: callId, ...allParameters(parties) }),
})
