/**
 * What a supervisor's socket carries beside the events of calls: where the stream stands, whether it goes on without a
 * hole, the picture of the current calls, and the floor. Only a client that asked for `since` or a view gets them.
 */
import Type, { type Static } from 'typebox'
import { DamagedCall } from './call.js'
import { eventSchemas, type SupervisorEvent } from './event.js'
import { CallRow, FloorTotals } from './floor.js'
import { CallIdText } from './packet.js'

const head = <Name extends string>(name: Name) => ({
  event: Type.Literal(name),
  position: Type.String({ description: 'Where the stream stands; what follows comes after it.' }),
  at: Type.String({ format: 'date-time' }),
})

export const Hello = Type.Object(head('hello'), {
  $id: 'hello',
  description:
    'The first message where the stream goes on without a hole: with `since=POSITION` it has that position and every missed event follows; with `since=` it has the current one.',
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
      'evicted: so old that its successors are no longer held. other_epoch: from another run of the service. future: ahead of the stream. malformed: no position at all. requested: by `since=snapshot`. fell_behind: a floor view that read so slowly that it begins anew.',
  },
)
export type ResetReason = Static<typeof ResetReason>

export const Reset = Type.Object(
  { ...head('reset'), reason: ResetReason },
  {
    $id: 'reset',
    description:
      'The stream cannot go on where the client stands: forget every call; a snapshot follows, and between its parts what happens meanwhile. The first message, unless a floor view fell behind.',
  },
)
export const Snapshot = Type.Object(
  {
    ...head('snapshot'),
    calls: Type.Array(Type.Union([CallRow, DamagedCall])),
    is_last: Type.Boolean({ description: 'The picture is complete.' }),
  },
  {
    $id: 'snapshot',
    description:
      'A part of the picture: the calls that have not ended, and the ones that ended last. Each row is right at its place in the stream, so what is applied in order is right; calls that begin meanwhile are told by their events or changes alone. A client that reads slowly gets the rest when it has read what it has; a row may come again.',
  },
)
export const Live = Type.Object(head('live'), {
  $id: 'live',
  description:
    'Caught up: what was missed, or the snapshot, is through, and what follows is told as it happens.',
})
export const Heartbeat = Type.Object(head('heartbeat'), {
  $id: 'heartbeat',
  description:
    'Nothing else has been sent for a while. Its position is where to resume, also where a filter keeps every event back.',
})
export const FloorChange = Type.Object(
  {
    ...head('floor'),
    totals: FloorTotals,
    changed: Type.Array(CallRow, {
      description: 'Calls that have changed since the message before, new ones too.',
    }),
    gone: Type.Array(CallIdText, {
      description:
        'Calls that are no longer in the picture: erased, or ended before the ones that ended last.',
    }),
  },
  { $id: 'floor', description: 'At most 4 a second and at least one, only with `view=floor`.' },
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
