/** Asterisk's AudioSocket over TCP: frames of kind, length and bytes. The UUID names the call, the kind of the audio its rate. */
import { Buffer } from 'node:buffer'
import {
  type Sender,
  type SentMessage,
  type SentStream,
  type SentTrack,
  trackPackets,
  untilBreak,
} from './sender.js'

const track: SentTrack = { name: 'mix', encoding: 'pcm_s16le', channels: 1, packetMs: 20 }
const kinds = { hangUp: 0x00, uuid: 0x01 } as const
const audioKinds: Readonly<Record<number, number>> = { 8000: 0x10, 16000: 0x12, 24000: 0x13 }

export const audiosocketSender: Sender = {
  name: 'audiosocket',
  path: null,
  subprotocol: null,
  tokenPlace: 'path',
  signature: null,
  hasUuids: true,
  tracks: [track],
  numbering: 'counted',
  queryOf: () => ({}),
  messagesOf: (stream) => untilBreak(stream, messagesOf(stream)),
}

function* messagesOf(stream: SentStream): Generator<SentMessage> {
  yield frame(0, kinds.uuid, Buffer.from(stream.callId.replaceAll('-', ''), 'hex'), null)
  const kind = audioKinds[stream.sampleRate] ?? kinds.hangUp
  let dueMs = 0
  for (const [index, bytes] of trackPackets(stream, track, [0]).entries()) {
    dueMs = (index + 1) * track.packetMs
    if (!stream.isLost(0, index)) yield frame(dueMs, kind, bytes, { track: 0, index, bytes })
  }
  yield frame(dueMs, kinds.hangUp, Buffer.alloc(0), null)
}

function frame(dueMs: number, kind: number, payload: Buffer, audio: SentMessage['audio']): SentMessage {
  const header = Buffer.from([kind, payload.length >> 8, payload.length & 0xff])
  return { dueMs, message: Buffer.concat([header, payload]), audio, waitsFor: null }
}
