/** The words of ingest: packets, receipts, bulk results. One schema serves validation, types and the documents. */
import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import { callIdPattern } from './call-id.js'

export const Sequence = Type.Integer({
  minimum: 0,
  maximum: limits.sequenceMax,
  description:
    'A plain counter from 0 for each call: no wrap, no window. Written as digits only: `1.0` and `1e2` are refused.',
})

export const TrackNumber = Type.Integer({
  minimum: 0,
  maximum: limits.tracksMax - 1,
  description:
    'A stream of packets of the call, with numbers of its own: one for each direction, for example. Absent means 0. Written as a digit.',
})

export const PacketTimestamp = Type.Number({
  exclusiveMinimum: 0,
  description: 'The sender’s time in seconds. It is stored and returned; it never affects a deadline.',
})

export const PacketData = Type.String({
  minLength: 1,
  description: `1 byte to ${limits.dataBytesMax} bytes of UTF-8, without U+0000 and lone surrogates. Audio is sent as base64.`,
})

export const PacketBody = Type.Object(
  { track: Type.Optional(TrackNumber), sequence: Sequence, data: PacketData, timestamp: PacketTimestamp },
  {
    $id: 'Packet',
    description: 'One audio packet of a call. Other members are ignored.',
    examples: [{ sequence: 5, data: 'audio_chunk_5', timestamp: 1234567890.0 }],
  },
)

export const CallIdText = Type.String({
  maxLength: limits.callIdCharactersMax,
  pattern: callIdPattern,
  description:
    'What RFC 3261 allows in a Call-ID, compared case-sensitively; no part between slashes is `.` or `..`. Percent-encoded in paths.',
})

export const BulkLine = Type.Object(
  {
    call_id: CallIdText,
    track: Type.Optional(TrackNumber),
    sequence: Sequence,
    data: PacketData,
    timestamp: PacketTimestamp,
  },
  { $id: 'BulkLine', description: 'One line of `application/x-ndjson`.' },
)

export const ReceiptStatus = Type.Union([
  Type.Literal('accepted'),
  Type.Literal('duplicate'),
  Type.Literal('rejected'),
])

export const MissingSequences = Type.Array(Sequence, {
  maxItems: limits.missingListedMax,
  description: `The first ${limits.missingListedMax} missing numbers, ascending. \`missing_count\` is always exact.`,
})

export const Receipt = Type.Object(
  {
    status: ReceiptStatus,
    message: Type.String(),
    call_id: CallIdText,
    track: Type.Optional(TrackNumber),
    sequence: Sequence,
    total_received: Type.Integer({ minimum: 0, description: 'Of the packet’s track, as the figures below.' }),
    missing_sequences: MissingSequences,
    missing_count: Type.Integer({ minimum: 0 }),
    duplicate: Type.Boolean(),
  },
  { $id: 'Receipt', description: 'Sent when the packet is on disk: a 202 means durable.' },
)
export type Receipt = Static<typeof Receipt>

export const BulkLineResult = Type.Object({
  line: Type.Integer({ minimum: 1, description: 'Counted from 1.' }),
  status: Type.Union([Type.Literal('duplicate'), Type.Literal('rejected'), Type.Literal('invalid')]),
  call_id: Type.Optional(CallIdText),
  track: Type.Optional(TrackNumber),
  sequence: Type.Optional(Sequence),
  errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
})
export type BulkLineResult = Static<typeof BulkLineResult>

export const BulkResult = Type.Object(
  {
    received: Type.Integer({ minimum: 0 }),
    accepted: Type.Integer({ minimum: 0 }),
    duplicate: Type.Integer({ minimum: 0 }),
    rejected: Type.Integer({ minimum: 0 }),
    invalid: Type.Integer({ minimum: 0 }),
    lines: Type.Array(BulkLineResult, {
      maxItems: limits.bulkLinesListedMax,
      description: `The lines with another result than \`accepted\`, the first ${limits.bulkLinesListedMax}.`,
    }),
  },
  { $id: 'BulkResult' },
)
export type BulkResult = Static<typeof BulkResult>
