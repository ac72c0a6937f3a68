/** The words of the floor: every current call in a row, their totals, and the last hour of them. */

import Type, { type Static } from 'typebox'
import { WorstAlert } from './alert.js'
import { Sentiment } from './analysis.js'
import { CallState, CompletionReason } from './call.js'
import { nullable } from './nullable.js'
import { CallIdText } from './packet.js'

const Time = Type.String({ format: 'date-time' })
const Count = Type.Integer({ minimum: 0 })
export const CallRow = Type.Object(
  {
    call_id: CallIdText,
    state: CallState,
    reason: nullable(CompletionReason),
    created_at: Time,
    last_packet_at: nullable(Time),
    completed_at: nullable(Time),
    ended_at: nullable(Time),
    caller: nullable(Type.String({ description: 'From `start`, as are the next three; null if unknown.' })),
    callee: nullable(Type.String()),
    agent: nullable(Type.String()),
    queue: nullable(Type.String()),
    total_received: Count,
    expected_total_packets: nullable(Count),
    missing_count: Count,
    late_count: Count,
    duplicate_count: Count,
    sentiment: nullable(Sentiment),
    alerts: Type.Integer({ minimum: 0, description: 'Open alerts of its sound.' }),
    worst: nullable(WorstAlert),
    ai: Type.Object({
      attempts: Count,
      next_attempt_at: nullable(Time),
      error: nullable(
        Type.String({ description: 'Error of the last failed attempt; null after a success.' }),
      ),
    }),
  },
  {
    $id: 'call_row',
    description:
      'One call in a snapshot or on the floor, as of its place in the stream. Figures are absolute: a row replaces everything known of the call.',
  },
)
export type CallRow = Static<typeof CallRow>

const PerSecond = Type.Number({ minimum: 0, description: 'Mean of the last 5 s.' })

export const FloorTotals = Type.Object(
  {
    calls: Type.Object(
      { IN_PROGRESS: Count, COMPLETED: Count, PROCESSING_AI: Count, ARCHIVED: Count, FAILED: Count },
      { description: 'All stored calls, by state.' },
    ),
    packets_per_second: PerSecond,
    duplicates_per_second: PerSecond,
    rejected_per_second: PerSecond,
    late_per_second: PerSecond,
    skipped_per_second: PerSecond,
    ai_queue: Type.Integer({
      minimum: 0,
      description: 'Calls that wait for their analysis or are being analysed.',
    }),
    last_hour: Type.Object({
      packets: Count,
      lost: Type.Integer({
        minimum: 0,
        description: 'Packets that were still missing when the grace period of their call was over.',
      }),
      archived: Count,
      failed: Count,
      ai_attempts_failed: Count,
    }),
  },
  { $id: 'FloorTotals' },
)
export type FloorTotals = Static<typeof FloorTotals>

export const FloorBucket = Type.Object(
  {
    at: Type.String({ format: 'date-time', description: 'Its beginning.' }),
    packets: Type.Integer({ minimum: 0, description: 'New packets on disk.' }),
    duplicates: Count,
    rejected: Count,
    late: Type.Integer({ minimum: 0, description: 'Packets that closed a gap.' }),
    skipped: Type.Integer({
      minimum: 0,
      description: 'Numbers that packets skipped: gaps that opened.',
    }),
    lost: Type.Integer({ minimum: 0, description: 'Still missing when the grace period was over.' }),
    calls_started: Count,
    calls_archived: Count,
    calls_failed: Count,
    ai_attempts_succeeded: Count,
    ai_attempts_failed: Count,
    calls_in_progress: Type.Integer({ minimum: 0, description: 'At its end.' }),
    ai_queue: Type.Integer({ minimum: 0, description: 'At its end.' }),
  },
  { $id: 'FloorBucket' },
)
export type FloorBucket = Static<typeof FloorBucket>

export const Floor = Type.Object(
  {
    at: Time,
    totals: FloorTotals,
    bucket_seconds: Type.Integer(),
    history: Type.Array(FloorBucket, {
      description:
        'Oldest first, without holes, the last hour or since the start; the last one is still open.',
    }),
  },
  { $id: 'Floor' },
)
export type Floor = Static<typeof Floor>
