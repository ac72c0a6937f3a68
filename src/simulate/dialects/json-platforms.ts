/** Twilio, SignalWire, Telnyx, Plivo, Exotel, Bandwidth and Voximplant as senders: one row of words each. */
import { allParameters, ownParameters } from '../parties.js'
import { type JsonPlatform, jsonSender } from './json-senders.js'
import type { SentTrack } from './sender.js'

const voice = (name: string): SentTrack => ({ name, encoding: 'mulaw', channels: 1, packetMs: 20 })
const both = [voice('inbound'), voice('outbound')]

/** Twilio's clock begins a little after the start. */
const firstTimestampMs = 60

const twilioPlatform: JsonPlatform = {
  tokenPlace: 'path',
  signature: 'twilio',
  tracks: both,
  before: ({ callId, parties, streamId, sampleRate }) => [
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
        customParameters: allParameters(parties),
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
}

export const twilioSender = jsonSender('twilio', twilioPlatform)

/** The same messages, with a token in a header. */
const { signature: _, ...unsigned } = twilioPlatform
export const signalwireSender = jsonSender('signalwire', { ...unsigned, tokenPlace: 'bearer' })

export const telnyxSender = jsonSender('telnyx', {
  tokenPlace: 'x-telnyx-streaming-auth-token',
  tracks: both,
  before: ({ callId, parties, streamId, sampleRate }) => [
    { event: 'connected', version: '1.0.0' },
    {
      event: 'start',
      sequence_number: '1',
      start: {
        call_control_id: callId,
        call_session_id: `session-${callId}`,
        from: parties.caller,
        to: parties.callee,
        custom_parameters: ownParameters(parties),
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
export const plivoSender = jsonSender('plivo', {
  tokenPlace: 'path',
  signature: 'plivo',
  tracks: [voice('inbound')],
  before: ({ callId, parties, streamId, sampleRate }) => [
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
      extra_headers: Object.entries(allParameters(parties))
        .map(([name, value]) => `${name}=${value}`)
        .join(';'),
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
export const exotelSender = jsonSender('exotel', {
  tokenPlace: 'basic',
  tracks: [{ name: 'mix', encoding: 'pcm_s16le', channels: 1, packetMs: 100 }],
  before: ({ callId, parties, streamId, sampleRate }) => [
    { event: 'connected' },
    {
      event: 'start',
      sequence_number: '1',
      stream_sid: streamId,
      start: {
        stream_sid: streamId,
        call_sid: callId,
        account_sid: 'account',
        from: parties.caller,
        to: parties.callee,
        custom_parameters: ownParameters(parties),
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

/** Without numbers: a lost packet is nowhere. */
export const bandwidthSender = jsonSender('bandwidth', {
  tokenPlace: 'basic',
  isNumbered: false,
  tracks: both,
  before: ({ callId, parties, streamId, sampleRate }) => [
    {
      eventType: 'start',
      metadata: {
        accountId: '9',
        callId,
        streamId,
        streamName: 'simulated',
        tracks: both.map(({ name }) => ({ name, mediaFormat: { encoding: 'PCMU', sampleRate } })),
      },
      streamParams: allParameters(parties),
    },
  ],
  media: (_stream, { track }, payload) => ({ eventType: 'media', track: both[track]?.name, payload }),
  stop: () => ({ eventType: 'stop' }),
})

/** The call's name is a parameter, and messages are numbered from 0. */
export const voximplantSender = jsonSender('voximplant', {
  tokenPlace: 'path',
  tracks: [{ name: 'mix', encoding: 'pcm_s16le', channels: 1, packetMs: 20 }],
  before: ({ callId, parties, sampleRate }) => [
    {
      event: 'start',
      sequenceNumber: 0,
      start: {
        mediaFormat: { encoding: 'PCM16', sampleRate },
        customParameters: { call_id: callId, ...allParameters(parties) },
      },
    },
  ],
  media: (_stream, { chunk, sequence, index }, payload) => ({
    event: 'media',
    sequenceNumber: sequence - 1,
    media: { chunk, timestamp: index * 20, payload },
  }),
  stop: (_stream, sequence) => ({ event: 'stop', sequenceNumber: sequence - 1, stop: {} }),
})
