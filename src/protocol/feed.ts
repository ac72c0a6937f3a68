/**
 * The messages of a supervisor's socket beside the events of calls: where the stream stands, whether it goes on without a
 * hole, the picture of the current calls, and the floor. Only a client that asked for `since` or a view gets them.
 */
import Type, { type Static } from 'typebox'
import { DamagedCall } from './call.js'
import { eventSchemas, type SupervisorEvent } from './event.js'
import { CallRow, FloorTotals } from './floor.js'
import { CallIdText } from './packet.js'

const head = <Name extends string>(name: Name) => ({
  event: Type.Literal(name),
  position: Type.String({ description: 'The current place in the stream; later messages come after it.' }),
  at: Type.String({ format: 'date-time' }),
})

export const Hello = Type.Object(head('hello'), {
  $id: 'hello',
  description:
    'The first message of a stream that continues without a hole. With `since=POSITION` it has that position, and every missed event follows. With `since=` it has the current position.',
})

export const ResetReason = Type.Union(
  [
    Type.Literal('evicted'),
    Type.Literal('other_epoch'),
    Type.Literal('future'),
    Type.Literal('malformed'),
    Type.Literal('requested'),
    Type.Literal('fell_behind'),
  ],
  {
    description:
      'evicted: the events after the position are no longer held. other_epoch: the position is from another run of the service. future: it is ahead of the stream. malformed: it is not a position. requested: by `since=snapshot`. fell_behind: a floor view read so slowly that it starts over.',
  },
)
export type ResetReason = Static<typeof ResetReason>

export const Reset = Type.Object(
  { ...head('reset'), reason: ResetReason },
  {
    $id: 'reset',
    description:
      'The stream cannot continue at the client’s position: forget every call. A snapshot follows, with the events of the meantime between its parts. This is the first message, unless a floor view fell behind.',
  },
)
export const Snapshot = Type.Object(
  {
    ...head('snapshot'),
    calls: Type.Array(Type.Union([CallRow, DamagedCall])),
    is_last: Type.Boolean({ description: 'The snapshot is complete.' }),
  },
  {
    $id: 'snapshot',
    description:
      'A part of the snapshot: the calls that have not ended, and those that ended last. Each row is correct at its place in the stream, so apply messages in order. Calls that begin meanwhile appear only in events or changes. A slow client receives the rest after it has read the earlier parts. A row may come again.',
  },
)
export const Live = Type.Object(head('live'), {
  $id: 'live',
  description:
    'Caught up: all missed events, or the snapshot, were sent. Later messages are sent as they happen.',
})
export const Heartbeat = Type.Object(head('heartbeat'), {
  $id: 'heartbeat',
  description:
    'Nothing else was sent for a while. Resume from its position, even if a filter holds back every event.',
})
export const FloorChange = Type.Object(
  {
    ...head('floor'),
    totals: FloorTotals,
    changed: Type.Array(CallRow, {
      description: 'Calls that changed since the previous message, including new ones.',
    }),
    gone: Type.Array(CallIdText, {
      description: 'Calls to remove: erased, or ended before those that are shown.',
    }),
  },
  { $id: 'floor', description: 'At least one and at most 4 a second; only with `view=floor`.' },
)

export const feedSchemas = [Hello, Reset, Snapshot, Live, Heartbeat, FloorChange] as const
export const messageSchemas = [...eventSchemas, ...feedSchemas] as const
export type ResetMessage = Static<typeof Reset>
export type SnapshotMessage = Static<typeof Snapshot>
export type FloorMessage = Static<typeof FloorChange>
export type FeedMessage =
  | SupervisorEvent
  | Static<typeof Hello>
  | ResetMessage
  | SnapshotMessage
  | Static<typeof Live>
  | Static<typeof Heartbeat>
  | FloorMessage
