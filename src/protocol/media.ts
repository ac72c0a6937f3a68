/** What a call is: how its packets carry sound, and who speaks to whom. */
import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'

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
        'What `data` of a packet is: text, or base64 of samples (ITU-T G.711, or linear, 16 bits, little-endian).',
    },
  ),
  sample_rate: Type.Integer({ minimum: 4000, maximum: 192_000, description: 'Frames a second.' }),
  channels: Type.Integer({ minimum: 1, maximum: 8, description: 'Interleaved, one sample of each a frame.' }),
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
      { maxProperties: limits.metadataMax },
    ),
  ),
})
export type CallDetails = Static<typeof CallDetails>
