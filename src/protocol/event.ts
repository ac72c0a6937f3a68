/** The events for supervisors, one JSON object a message. Published after the commit that contains it, in commit order. */
import Type, { type Static } from 'typebox'
import { limits } from '../limits.js'
import { RaisedAlert } from './alert.js'
import { Sentiment, Truncated } from './analysis.js'
import { CallState, CompletionReason } from './call.js'
import { CallDetails } from './media.js'
import { CallIdText, MissingSequences, Sequence, TrackNumber } from './packet.js'

const head = <Name extends string>(name: Name) => ({
  event: Type.Literal(name),
  position: Type.String({
    description: 'A short token, opaque to clients. Events are in the order of their positions.',
  }),
  at: Type.String({ format: 'date-time' }),
  call_id: CallIdText,
})

const account = {
  track: Type.Optional(TrackNumber),
  sequence: Sequence,
  total_received: Type.Integer({ minimum: 0 }),
  missing_sequences: MissingSequences,
  missing_count: Type.Integer({ minimum: 0 }),
}

export const PacketReceived = Type.Object(
  { ...head('packet_received'), ...account },
  { $id: 'packet_received', description: 'A new packet is on disk.' },
)
export const PacketDuplicate = Type.Object(
  { ...head('packet_duplicate'), ...account },
  { $id: 'packet_duplicate', description: 'A packet arrived again; the first one is kept.' },
)
export const PacketsReceived = Type.Object(
  {
    ...head('packets_received'),
    track: TrackNumber,
    first: { ...Sequence, description: 'The lowest of their numbers.' },
    last: { ...Sequence, description: 'The highest of them.' },
    count: Type.Integer({
      minimum: 1,
      description: 'How many are new on disk. Others between the two may be missing.',
    }),
    total_received: Type.Integer({ minimum: 1, description: 'Of the track.' }),
    missing_count: Type.Integer({ minimum: 0, description: 'Of the track.' }),
  },
  {
    $id: 'packets_received',
    description:
      'New packets of a media stream are on disk: at most two such events a second for each track.',
  },
)
export const PacketRejected = Type.Object(
  { ...head('packet_rejected'), ...account, reason: Type.Literal('grace_period_over'), state: CallState },
  { $id: 'packet_rejected', description: 'A packet arrived after the grace period and is not stored.' },
)
export const StateChanged = Type.Object(
  {
    ...head('state_changed'),
    from_state: CallState,
    to_state: CallState,
    reason: Type.Union([
      CompletionReason,
      Type.Literal('grace_period_over'),
      Type.Literal('analysed'),
      Type.Literal('analysis_failed'),
      Type.Literal('retried'),
    ]),
  },
  { $id: 'state_changed' },
)
export const AiCompleted = Type.Object(
  {
    ...head('ai_completed'),
    transcription: Type.String({
      maxLength: limits.digestCharactersMax,
      description: `The first ${limits.digestCharactersMax.toLocaleString('en')} characters of the transcript. \`GET …/transcript\` has all of it.`,
    }),
    truncated: Truncated,
    sentiment: Sentiment,
    confidence: Type.Number(),
  },
  { $id: 'ai_completed' },
)
export const AiAttemptFailed = Type.Object(
  {
    ...head('ai_attempt_failed'),
    attempt: Type.Integer({ minimum: 1 }),
    error: Type.String(),
    next_attempt_at: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
      description:
        'Null if the provider is down for all calls: the call waits for it, and the attempt does not count.',
    }),
    wait_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
  },
  {
    $id: 'ai_attempt_failed',
    description: 'An attempt at the analysis failed; another one follows.',
  },
)
export const AiFailed = Type.Object(
  { ...head('ai_failed'), reason: Type.String() },
  { $id: 'ai_failed', description: 'The analysis failed finally.' },
)

export const CallStarted = Type.Object(
  { ...head('call_started'), ...CallDetails.properties },
  {
    $id: 'call_started',
    description:
      'The PBX described the call. Sent again when the description changes. A call without a description begins with its first packet.',
  },
)
export const AlertRaised = Type.Object(
  { ...head('alert_raised'), alert: RaisedAlert },
  { $id: 'alert_raised', description: 'Something is wrong with the sound of a call that runs.' },
)
export const AlertCleared = Type.Object(
  {
    ...head('alert_cleared'),
    alert_id: Type.String(),
    to_ms: Type.Integer({ minimum: 0, description: 'Milliseconds of audio from the start of the call.' }),
  },
  { $id: 'alert_cleared', description: 'It is over, or the call is.' },
)
export const AlertAcknowledged = Type.Object(
  {
    ...head('alert_acknowledged'),
    alert_id: Type.String(),
    acknowledged_by: Type.Union([Type.String(), Type.Null()], {
      description: 'The name of the credential; null without credentials.',
    }),
    note: Type.Union([Type.String(), Type.Null()]),
  },
  { $id: 'alert_acknowledged', description: 'A supervisor has taken care of an alert. Sent once for each.' },
)
export const CallDeleted = Type.Object(
  { ...head('call_deleted') },
  { $id: 'call_deleted', description: 'The call was erased completely.' },
)

export const eventSchemas = [
  CallStarted,
  PacketReceived,
  PacketsReceived,
  PacketDuplicate,
  PacketRejected,
  StateChanged,
  AiCompleted,
  AiAttemptFailed,
  AiFailed,
  AlertRaised,
  AlertCleared,
  AlertAcknowledged,
  CallDeleted,
] as const
export const eventNames = eventSchemas.map(({ properties }) => properties.event.const)
export const SupervisorEvent = Type.Union([...eventSchemas], { $id: 'SupervisorEvent' })
export type SupervisorEvent = Static<typeof SupervisorEvent>
