/** The platforms that send JSON with audio in base64: one row each for what they call things, and what their numbers mean. */
import type { Media } from '../../../protocol/media.js'
import { linear8k, muLaw8k } from '../../codecs.js'
import { isObject, type JsonObject, objectAt, textAt, textsAt } from '../../json-text.js'
import type { Said } from '../../stream-details.js'
import type { NumberingRules } from './chunk-numbers.js'

export interface StreamStart {
  readonly call: string | null
  readonly leg: string | null
  /** Those that are announced. */
  readonly tracks: readonly string[]
  readonly encoding: string | null
  readonly rate: unknown
  readonly channels: unknown
  readonly said: Said
}

export interface StreamPlatform {
  readonly name: string
  readonly eventKey: 'event' | 'eventType'
  readonly sequenceKey: string
  readonly streamKey: string
  /** What is not said in the start, or where the start is lost. */
  readonly usualMedia: Media
  /** The track of media that names none, and of a start that announces none. */
  readonly usualTrack: string
  /** Null where nothing is numbered. */
  readonly numbers: NumberingRules | null
  /** Audio may be in network order, against what its own documents say. */
  readonly mayBeBigEndian: boolean
  /** Its `timestamp` counts from 1970, not from the start. */
  readonly isUnixTime: boolean
  /** Several streams on one socket are told apart by a member `tag`: each is a track. */
  readonly hasTags: boolean
  /** Members of a message itself: `track` and `payload` are not in a `media`. */
  readonly isFlat: boolean
  /** Where it is not 20 ms. */
  readonly packetMs?: number
  readStart(message: JsonObject): StreamStart
}

const twilioNumbers: NumberingRules = { mayShareChunks: true, isOrdered: true, firstChunk: 1 }
const apartNumbers: NumberingRules = { mayShareChunks: false, isOrdered: true, firstChunk: 1 }

const usual = {
  eventKey: 'event',
  usualMedia: muLaw8k,
  usualTrack: 'inbound',
  mayBeBigEndian: false,
  isUnixTime: false,
  hasTags: false,
  isFlat: false,
} as const

function readTwilio(message: JsonObject): StreamStart {
  const start = objectAt(message, 'start')
  const format = objectAt(start, 'mediaFormat')
  return {
    call: textAt(start, 'callSid'),
    leg: textAt(start, 'streamSid') ?? textAt(message, 'streamSid'),
    tracks: textsAt(start, 'tracks'),
    encoding: textAt(format, 'encoding'),
    rate: format['sampleRate'],
    channels: format['channels'],
    said: {
      caller: textAt(start, 'from'),
      callee: textAt(start, 'to'),
      direction: textAt(start, 'direction'),
      labels: Object.entries(objectAt(start, 'customParameters')),
    },
  }
}

/** Also Fonoster, 2600Hz and Smartflo, which send the same words with other codecs and longer packets. */
export const twilio: StreamPlatform = {
  ...usual,
  name: 'twilio',
  sequenceKey: 'sequenceNumber',
  streamKey: 'streamSid',
  numbers: twilioNumbers,
  readStart: readTwilio,
}

export const signalwire: StreamPlatform = { ...twilio, name: 'signalwire' }

export const telnyx: StreamPlatform = {
  ...usual,
  name: 'telnyx',
  sequenceKey: 'sequence_number',
  streamKey: 'stream_id',
  // That chunks count each track is read from others' code, and not promised by the vendor.
  numbers: { mayShareChunks: false, isOrdered: false, firstChunk: 1 },
  mayBeBigEndian: true,
  readStart(message) {
    const start = objectAt(message, 'start')
    const format = objectAt(start, 'media_format')
    return {
      call: textAt(start, 'call_control_id') ?? textAt(start, 'call_session_id'),
      leg: textAt(message, 'stream_id') ?? textAt(start, 'stream_id'),
      // Its start does not say which of them come.
      tracks: ['inbound', 'outbound'],
      encoding: textAt(format, 'encoding'),
      rate: format['sample_rate'],
      channels: format['channels'],
      said: {
        caller: textAt(start, 'from'),
        callee: textAt(start, 'to'),
        labels: [
          ...Object.entries(objectAt(start, 'custom_parameters')),
          ...present('client_state', textAt(start, 'client_state')),
          ...present('tags', textsAt(start, 'tags').join(',') || null),
          ...present('call_session_id', textAt(start, 'call_session_id')),
        ],
      },
    }
  },
}

export const plivo: StreamPlatform = {
  ...usual,
  name: 'plivo',
  sequenceKey: 'sequenceNumber',
  streamKey: 'streamId',
  usualMedia: linear8k,
  numbers: { mayShareChunks: false, isOrdered: true, firstChunk: 'seen' },
  isUnixTime: true,
  readStart(message) {
    const start = objectAt(message, 'start')
    const format = objectAt(start, 'mediaFormat')
    return {
      call: textAt(start, 'callId'),
      leg: textAt(start, 'streamId') ?? textAt(message, 'streamId'),
      tracks: textsAt(start, 'tracks'),
      encoding: textAt(format, 'encoding'),
      rate: format['sampleRate'],
      channels: format['channels'],
      said: {
        caller: textAt(start, 'from'),
        callee: textAt(start, 'to'),
        labels: plivoHeaders(message['extra_headers'] ?? start['extra_headers']),
      },
    }
  },
}

/** `k=v;k2=v2`. */
function plivoHeaders(value: unknown): readonly (readonly [string, unknown])[] {
  if (isObject(value)) return Object.entries(value)
  if (typeof value !== 'string') return []
  return value.split(';').flatMap((pair) => {
    const [name = '', ...rest] = pair.split('=')
    return name.trim() === '' ? [] : [[name.trim(), rest.join('=')] as const]
  })
}

export const exotel: StreamPlatform = {
  ...usual,
  name: 'exotel',
  packetMs: 100,
  sequenceKey: 'sequence_number',
  streamKey: 'stream_sid',
  usualMedia: linear8k,
  usualTrack: 'mix',
  numbers: apartNumbers,
  readStart(message) {
    const start = objectAt(message, 'start')
    const format = objectAt(start, 'media_format')
    return {
      call: textAt(start, 'call_sid'),
      leg: textAt(start, 'stream_sid') ?? textAt(message, 'stream_sid'),
      tracks: [],
      encoding: textAt(format, 'encoding'),
      rate: format['sample_rate'],
      channels: format['channels'],
      said: {
        caller: textAt(start, 'from'),
        callee: textAt(start, 'to'),
        labels: Object.entries(objectAt(start, 'custom_parameters')),
      },
    }
  },
}

/** Not known: whether `track` and `payload` are in the message itself or in a `media`, so both are read. */
export const bandwidth: StreamPlatform = {
  ...usual,
  name: 'bandwidth',
  eventKey: 'eventType',
  sequenceKey: 'sequenceNumber',
  streamKey: 'streamId',
  numbers: null,
  isFlat: true,
  readStart(message) {
    const metadata = objectAt(message, 'metadata')
    const tracks = Array.isArray(metadata['tracks']) ? metadata['tracks'].filter(isObject) : []
    const format = objectAt(tracks[0] ?? {}, 'mediaFormat')
    return {
      call: textAt(metadata, 'callId'),
      leg: textAt(metadata, 'streamId'),
      tracks: tracks.flatMap((track) => textAt(track, 'name') ?? []),
      encoding: textAt(format, 'encoding'),
      rate: format['sampleRate'],
      channels: format['channels'],
      said: {
        labels: [
          ...Object.entries(objectAt(message, 'streamParams')),
          ...present('stream_name', textAt(metadata, 'streamName')),
        ],
      },
    }
  },
}

export const voximplant: StreamPlatform = {
  ...usual,
  name: 'voximplant',
  sequenceKey: 'sequenceNumber',
  streamKey: 'streamSid',
  usualMedia: { encoding: 'pcm_s16le', sample_rate: 16_000, channels: 1 },
  usualTrack: 'mix',
  numbers: apartNumbers,
  hasTags: true,
  readStart(message) {
    const start = objectAt(message, 'start')
    const format = objectAt(start, 'mediaFormat')
    const labels = Object.entries(objectAt(start, 'customParameters'))
    const named = labels.find(([name]) => ['call_id', 'callId', 'call'].includes(name))
    return {
      call: typeof named?.[1] === 'string' ? named[1] : null,
      leg: null,
      tracks: [],
      encoding: textAt(format, 'encoding'),
      rate: format['sampleRate'],
      channels: format['channels'],
      said: { labels },
    }
  },
}

function present(name: string, value: string | null): readonly (readonly [string, string])[] {
  return value === null ? [] : [[name, value]]
}
