/** Genesys as the client of AudioHook: it waits for `opened`, sends stereo audio, pings, and waits for `closed`. */
import {
  control,
  type Heard,
  type Sender,
  type SentMessage,
  type SentStream,
  type SentTrack,
  trackPackets,
} from './sender.js'

const track: SentTrack = { name: 'external+internal', encoding: 'mulaw', channels: 2, packetMs: 200 }
const firstPingMs = 1000
const pingMs = 5000
/** Signed, and said again in the stream. */
export const organization = '11111111-1111-4111-8111-111111111111'

export const audiohookSender: Sender = {
  name: 'audiohook',
  path: '/v1/media/audiohook',
  subprotocol: null,
  tokenPlace: 'x-api-key',
  signature: 'audiohook',
  hasUuids: true,
  tracks: [track],
  numbering: 'positioned',
  queryOf: () => ({}),
  messagesOf,
}

/** Call and stream ids are UUIDs here. A lost packet is one that the client threw away: its position goes on. */
function* messagesOf(stream: SentStream, heard: Heard): Generator<SentMessage> {
  const { callId, parties, streamId, sampleRate, breaksAtMs } = stream
  const isBroken = (dueMs: number) => breaksAtMs !== null && dueMs >= breaksAtMs
  let seq = 0
  let frames = 0
  const say = (type: string, parameters: object): object => ({
    version: '2',
    id: streamId,
    type,
    seq: ++seq,
    serverseq: heard.serverSeq,
    position: `PT${frames / sampleRate}S`,
    parameters,
  })
  const media = [{ type: 'audio', format: 'PCMU', channels: ['external', 'internal'], rate: sampleRate }]
  const participant = { id: streamId, ani: parties.caller, aniName: 'caller', dnis: parties.callee }
  const open = { organizationId: organization, conversationId: callId, participant, media }
  yield control(0, say('open', open), 'opened')
  const { packetMs } = track
  let nextPingMs = firstPingMs
  let dueMs = 0
  for (const [index, bytes] of trackPackets(stream, track, [0, 1]).entries()) {
    dueMs = (index + 1) * packetMs
    if (isBroken(dueMs)) return
    frames += bytes.length / track.channels
    if (!stream.isLost(0, index))
      yield { dueMs, message: bytes, audio: { track: 0, index, bytes }, waitsFor: null }
    if (dueMs >= nextPingMs) {
      yield control(dueMs, say('ping', {}), 'pong')
      nextPingMs += pingMs
    }
  }
  yield control(dueMs, say('close', { reason: 'end' }), 'closed')
}
