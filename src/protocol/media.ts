/** The description of a call: the encoding of its packets, and its parties. */
import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import { CallIdText, TrackNumber } from './packet.js'

const name = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: limits.detailCharactersMax,
    pattern: '^[^\\u0000-\\u001f\\u007f]*$',
    description,
  })

export const Media = Type.Object({
  encoding: Type.Union(
    [
      Type.Literal('text'),
      Type.Literal('mulaw'),
      Type.Literal('alaw'),
      Type.Literal('pcm_s16le'),
      Type.Literal('other'),
    ],
    {
      description:
        'Encoding of `data` in packets: text, or base64 of samples (ITU-T G.711, or linear, 16 bits, little-endian). `other`: base64 of another codec, which is kept and counted, but not played or transcribed.',
    },
  ),
  codec: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._-]{1,32}$',
      description: 'Name of an `other` codec: `g722`, `opus`.',
    }),
  ),
  sample_rate: Type.Integer({ minimum: 4000, maximum: 192_000, description: 'Frames a second (Hz).' }),
  channels: Type.Integer({
    minimum: 1,
    maximum: 8,
    description: 'Interleaved channels: a frame has one sample of each.',
  }),
})
export type Media = Static<typeof Media>

export const Direction = Type.Union([
  Type.Literal('inbound'),
  Type.Literal('outbound'),
  Type.Literal('internal'),
])

export const Track = Type.Object({
  track: TrackNumber,
  name: name('What the track carries: `inbound`, `outbound`, `mix`.'),
  media: Media,
})
export type Track = Static<typeof Track>

/** Everything that a PBX may say of a call beside its packets. */
export const CallDetails = Type.Object({
  media: Media,
  tracks: Type.Optional(
    Type.Array(Track, {
      maxItems: limits.tracksMax,
      description: 'The call’s streams of packets, where it has more than one. `media` is of track 0.',
    }),
  ),
  direction: Type.Optional(Direction),
  caller: Type.Optional(name('Who calls, as the PBX writes it.')),
  callee: Type.Optional(name('Who is called.')),
  agent: Type.Optional(name('Who of ours speaks.')),
  queue: Type.Optional(name('The queue that the call came through.')),
  metadata: Type.Optional(
    Type.Record(
      Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }),
      Type.String({ maxLength: limits.metadataCharactersMax }),
      { maxProperties: limits.metadataMax, additionalProperties: false },
    ),
  ),
})
export type CallDetails = Static<typeof CallDetails>

/** The start of a call as a PBX sends it. Members that `media` leaves out stay as they were, or as the settings say. */
export const StartBody = Type.Object(
  {
    ...CallDetails.properties,
    media: Type.Optional(Type.Partial(Media)),
    tracks: Type.Optional(
      Type.Array(Type.Object({ ...Track.properties, media: Type.Optional(Type.Partial(Media)) }), {
        maxItems: limits.tracksMax,
        description:
          'The call’s streams of packets, each number once. What `media` leaves out is as in the call’s `media`.',
      }),
    ),
  },
  {
    $id: 'Start',
    examples: [
      {
        media: { encoding: 'mulaw', sample_rate: 8000, channels: 1 },
        direction: 'inbound',
        caller: '+49 30 1234567',
        agent: 'maria',
        queue: 'billing',
      },
    ],
  },
)
export type StartBody = Static<typeof StartBody>

export const StartReceipt = Type.Object(
  { status: Type.Literal('accepted'), message: Type.String(), call_id: CallIdText, media: Media },
  { $id: 'StartReceipt' },
)
export type StartReceipt = Static<typeof StartReceipt>

/** The media of a call without a start and without a setting. */
export const textMedia: Media = { encoding: 'text', sample_rate: 8000, channels: 1 }

/** Members in one order, so that equal details are equal as text. */
export function completeDetails(body: StartBody, before: Media): CallDetails {
  const { metadata, direction, caller, callee, agent, queue } = body
  const tracks = [...(body.tracks ?? [])].sort((a, b) => a.track - b.track)
  const media = completeMedia(body.media ?? tracks.find(({ track }) => track === 0)?.media, before)
  const labels = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    media,
    ...(tracks.length === 0
      ? {}
      : {
          tracks: tracks.map(({ track, name, media: own }) => ({
            track,
            name,
            media: completeMedia(own, media),
          })),
        }),
    ...(direction === undefined ? {} : { direction }),
    ...(caller === undefined ? {} : { caller }),
    ...(callee === undefined ? {} : { callee }),
    ...(agent === undefined ? {} : { agent }),
    ...(queue === undefined ? {} : { queue }),
    ...(labels.length === 0 ? {} : { metadata: Object.fromEntries(labels) }),
  }
}

function completeMedia(media: Partial<Media> | undefined, before: Media): Media {
  const { encoding, codec, sample_rate, channels } = { ...before, ...media }
  // The name is of this encoding alone.
  const named = encoding === 'other' && codec !== undefined ? { codec } : {}
  return { encoding, ...named, sample_rate, channels }
}

export function isSameMedia(a: Media, b: Media): boolean {
  return (
    a.encoding === b.encoding &&
    a.codec === b.codec &&
    a.sample_rate === b.sample_rate &&
    a.channels === b.channels
  )
}

/** The media of the packets of a track. */
export function mediaOf({ media, tracks }: Pick<CallDetails, 'media' | 'tracks'>, track: number): Media {
  return tracks?.find((other) => other.track === track)?.media ?? media
}

export function isSameDetails(a: CallDetails, b: CallDetails): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
