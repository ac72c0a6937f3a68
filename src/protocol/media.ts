/** The description of a call: the encoding of its packets, and its parties. */
import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import { CallIdText } from './packet.js'

const name = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: limits.detailCharactersMax,
    pattern: '^[^\\u0000-\\u001f\\u007f]*$',
    description,
  })

export const Media = Type.Object({
  encoding: Type.Union(
    [Type.Literal('text'), Type.Literal('mulaw'), Type.Literal('alaw'), Type.Literal('pcm_s16le')],
    {
      description:
        'Encoding of `data` in packets: text, or base64 of samples (ITU-T G.711, or linear, 16 bits, little-endian).',
    },
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

/** Everything that a PBX may say of a call beside its packets. */
export const CallDetails = Type.Object({
  media: Media,
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

/** What a PBX sends to say what a call is. What it leaves out of `media` stays as it was, or as the settings say. */
export const StartBody = Type.Object(
  { ...CallDetails.properties, media: Type.Optional(Type.Partial(Media)) },
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

/** What a call is of which nobody has said anything, and no setting either. */
export const textMedia: Media = { encoding: 'text', sample_rate: 8000, channels: 1 }

/** Members in one order, so that equal details are equal as text. */
export function completeDetails(body: StartBody, before: Media): CallDetails {
  const { media, metadata, direction, caller, callee, agent, queue } = body
  const { encoding, sample_rate, channels } = { ...before, ...media }
  const labels = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    media: { encoding, sample_rate, channels },
    ...(direction === undefined ? {} : { direction }),
    ...(caller === undefined ? {} : { caller }),
    ...(callee === undefined ? {} : { callee }),
    ...(agent === undefined ? {} : { agent }),
    ...(queue === undefined ? {} : { queue }),
    ...(labels.length === 0 ? {} : { metadata: Object.fromEntries(labels) }),
  }
}

export function isSameMedia(a: Media, b: Media): boolean {
  return a.encoding === b.encoding && a.sample_rate === b.sample_rate && a.channels === b.channels
}

export function isSameDetails(a: CallDetails, b: CallDetails): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
