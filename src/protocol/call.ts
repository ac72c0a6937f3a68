/** The words of a call: its states, its completion, what is read back of it. */

import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import { Insight } from './alert.js'
import { FindingsState, Incomplete, Sentiment, Truncated } from './analysis.js'
import { CallDetails, Direction, Media } from './media.js'
import { nullable } from './nullable.js'
import { CallIdText, Sequence, TrackNumber } from './packet.js'
import { MatchPart } from './search.js'

export const CallState = Type.Union(
  [
    Type.Literal('IN_PROGRESS'),
    Type.Literal('COMPLETED'),
    Type.Literal('PROCESSING_AI'),
    Type.Literal('ARCHIVED'),
    Type.Literal('FAILED'),
  ],
  {
    description:
      'IN_PROGRESS → COMPLETED (the grace period) → PROCESSING_AI → ARCHIVED or FAILED; a retry takes a FAILED call back to PROCESSING_AI.',
  },
)
export type CallState = Static<typeof CallState>

export const CompletionReason = Type.Union(
  [
    Type.Literal('completed'),
    Type.Literal('idle_timeout'),
    Type.Literal('no_audio'),
    Type.Literal('stream_lost'),
  ],
  {
    description:
      'Why the call left IN_PROGRESS: the PBX completed it, no packet came for the idle timeout, the PBX reported a call without packets, or its last media stream was lost and none came in its place.',
  },
)
export type CompletionReason = Static<typeof CompletionReason>

const totalPackets = { minimum: 0, maximum: limits.totalPacketsMax }

export const CompletionBody = Type.Object(
  {
    total_packets: Type.Optional(
      Type.Integer({
        ...totalPackets,
        description:
          'How many packets the call has, or track 0 of it. Missing numbers are counted up to it. 0 is allowed only for a started call without packets.',
      }),
    ),
    totals: Type.Optional(
      Type.Record(Type.String({ pattern: `^[0-${limits.tracksMax - 1}]$` }), Type.Integer(totalPackets), {
        additionalProperties: false,
        description: 'How many packets each track has, by its number. One of the two members is required.',
      }),
    ),
  },
  { $id: 'Completion', examples: [{ total_packets: 10 }, { totals: { 0: 1500, 1: 1498 } }] },
)
export type CompletionBody = Static<typeof CompletionBody>

/** How many packets a call has, as far as anybody has said. */
export interface ExpectedTotals {
  /** Of track 0. */
  readonly totalPackets: number | null
  /** Of all tracks by their numbers, where one beside track 0 is known. */
  readonly totals?: readonly (number | null)[]
}

export function totalsOf({ totalPackets, totals }: ExpectedTotals): readonly (number | null)[] {
  return totals ?? [totalPackets]
}

export const CompletionReceipt = Type.Object(
  {
    status: Type.Literal('accepted'),
    message: Type.String(),
    call_id: CallIdText,
    expected_total_packets: Type.Integer(),
  },
  { $id: 'CompletionReceipt' },
)

const Time = Type.String({ format: 'date-time', description: 'RFC 3339, UTC, with milliseconds.' })
export const WaitingFor = Type.Union(
  [Type.Literal('slot'), Type.Literal('retry'), Type.Literal('provider')],
  {
    description:
      'The reason why a call in PROCESSING_AI waits: for a free slot, its next attempt, or a provider that is down for all calls. Null during an attempt.',
  },
)
export type WaitingFor = Static<typeof WaitingFor>

export const AnalysisView = Type.Object({
  attempts: Type.Integer({ minimum: 0, description: 'Attempts that count, since the last retry by hand.' }),
  attempts_total: Type.Integer({ minimum: 0, description: 'All attempts in the call’s life.' }),
  redrives: Type.Integer({ minimum: 0 }),
  waiting_for: nullable(WaitingFor),
  next_attempt_at: Type.Union([Time, Type.Null()], {
    description: 'Time of the next attempt; null if the call does not wait for one.',
  }),
  provider: nullable(Type.String()),
  transcription: nullable(
    Type.String({
      maxLength: limits.digestCharactersMax,
      description: `The first ${limits.digestCharactersMax.toLocaleString('en')} characters of the transcript. \`GET …/transcript\` has all of it.`,
    }),
  ),
  truncated: Truncated,
  incomplete: Incomplete,
  findings: nullable(FindingsState),
  sentiment: nullable(Sentiment),
  confidence: nullable(Type.Number()),
  error: nullable(Type.String()),
})

export const GapRange = Type.Tuple([Sequence, Sequence], {
  description: 'First and last missing number, inclusive.',
})

export const TrackView = Type.Object({
  track: TrackNumber,
  name: nullable(Type.String()),
  media: Media,
  total_received: Type.Integer({ minimum: 0 }),
  expected_total_packets: nullable(Type.Integer()),
  highest_sequence: nullable(Sequence),
  missing_count: Type.Integer({ minimum: 0 }),
  missing_ranges: Type.Array(GapRange, { maxItems: limits.gapRangesListedMax }),
  late_count: Type.Integer({ minimum: 0 }),
})
export type TrackView = Static<typeof TrackView>

const LegView = Type.Object({
  leg: Type.String(),
  dialect: Type.String(),
  started_at: Time,
  ended_at: nullable(Time),
  ended_by: nullable(
    Type.Union([Type.Literal('stopped'), Type.Literal('closed'), Type.Literal('lost')], {
      description: 'The platform ended the stream, closed its socket, or the stream was lost.',
    }),
  ),
  tracks: Type.Array(Type.Object({ track: TrackNumber, first_sequence: Sequence }), {
    maxItems: limits.tracksMax,
  }),
})

const NoteView = Type.Object({
  at: Time,
  kind: Type.Union([
    Type.Literal('dtmf'),
    Type.Literal('mark'),
    Type.Literal('paused'),
    Type.Literal('resumed'),
    Type.Literal('held'),
    Type.Literal('hangup'),
    Type.Literal('skipped'),
  ]),
  leg: Type.Optional(Type.String({ description: 'Absent where it is of the call.' })),
  track: Type.Optional(TrackNumber),
  text: Type.Optional(
    Type.String({
      description: 'Of a mark its name; of skipped packets the reason; of a hang-up its cause.',
    }),
  ),
  packets: Type.Optional(Type.Integer({ minimum: 0 })),
})

export const CallView = Type.Object(
  {
    call_id: CallIdText,
    state: CallState,
    reason: nullable(CompletionReason),
    total_received: Type.Integer({ minimum: 0 }),
    expected_total_packets: nullable(Type.Integer()),
    highest_sequence: nullable(Sequence),
    missing_count: Type.Integer({ minimum: 0 }),
    missing_ranges: Type.Array(GapRange, { maxItems: limits.gapRangesListedMax }),
    surplus_count: Type.Integer({ minimum: 0 }),
    late_count: Type.Integer({ minimum: 0 }),
    duplicate_count: Type.Integer({
      minimum: 0,
      description:
        'Duplicates are not stored. After a crash, those since the last snapshot of the call are not counted.',
    }),
    created_at: Time,
    last_packet_at: nullable(Time),
    completed_at: nullable(Time),
    ended_at: nullable(Time),
    media: Media,
    direction: nullable(Direction),
    caller: nullable(Type.String()),
    callee: nullable(Type.String()),
    agent: nullable(Type.String()),
    queue: nullable(Type.String()),
    metadata: CallDetails.properties.metadata,
    tracks: Type.Optional(
      Type.Array(TrackView, {
        maxItems: limits.tracksMax,
        description:
          'The account of each track. The figures above are those of track 0 while it is the only one, and sums otherwise; `missing_ranges` is always of track 0.',
      }),
    ),
    legs: Type.Optional(
      Type.Array(LegView, {
        maxItems: limits.legsMax,
        description: 'Media streams of the call, oldest first.',
      }),
    ),
    notes: Type.Optional(
      Type.Array(NoteView, {
        maxItems: limits.notesMax,
        description: `What happened on its media streams, oldest first; the first ${limits.notesMax}.`,
      }),
    ),
    digits: Type.Optional(
      Type.Integer({ minimum: 0, description: 'Digits that were pressed: counted, never stored.' }),
    ),
    listeners: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Names of the credentials that listen to the call now; with `LISTEN_NOTICE` only.',
      }),
    ),
    insight: nullable(Insight),
    ai: AnalysisView,
  },
  { $id: 'Call' },
)
export type CallView = Static<typeof CallView>

/** Of a request that says all with its path: nothing at all will do, too. */
export const EmptyBody = Type.Object({}, { $id: 'Empty' })

export const RetryReceipt = Type.Object(
  {
    status: Type.Union([Type.Literal('accepted'), Type.Literal('under_way')], {
      description: '`under_way`: the call is already in PROCESSING_AI; nothing was changed.',
    }),
    message: Type.String(),
    call_id: CallIdText,
    redrives: Type.Integer({ minimum: 0 }),
  },
  { $id: 'RetryReceipt' },
)
export type RetryReceipt = Static<typeof RetryReceipt>

const FoundCall = Type.Object({
  ...CallView.properties,
  match: Type.Optional(
    Type.Array(MatchPart, {
      description: 'Only for a search in transcripts: a part of the transcript, with the found words.',
    }),
  ),
})
export type FoundCall = Static<typeof FoundCall>

export const DamagedCall = Type.Object(
  {
    call_id: CallIdText,
    state: nullable(CallState),
    damaged: Type.Literal(true),
  },
  {
    $id: 'damaged_call',
    description:
      'Stands for a call whose row in the database is damaged. Nothing of the row is shown. `voicestream verify` names it.',
  },
)
export type DamagedCall = Static<typeof DamagedCall>

export const CallPage = Type.Object(
  { calls: Type.Array(Type.Union([FoundCall, DamagedCall])), next_cursor: nullable(Type.String()) },
  {
    $id: 'CallPage',
    description:
      'Newest first. A page may end early, and may be empty: continue while `next_cursor` is not null.',
  },
)

export const StoredPacket = Type.Object({
  track: Type.Optional(TrackNumber),
  sequence: Sequence,
  data: Type.String({ description: 'As it was sent; base64 where it came as bytes, over a media stream.' }),
  timestamp: Type.Number(),
  received_at: Time,
})

export const PacketPage = Type.Object(
  { packets: Type.Array(StoredPacket), next_from: nullable(Sequence) },
  {
    $id: 'PacketPage',
    description: 'Ascending. A page may end early: continue while `next_from` is not null.',
  },
)

export const GapPage = Type.Object(
  { gaps: Type.Array(GapRange), next_from: nullable(Sequence) },
  { $id: 'GapPage' },
)
