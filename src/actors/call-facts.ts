/** The facts of a committed message, for the sender and for supervisors. */
import type { Millis } from '../clock.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { LifecycleEvent } from './call-events.js'
import type { CallMachineSnapshot } from './call-machine.js'
import { ReceiveLog } from './receive-log.js'

/** The account of a call at the moment that it took a packet; sent when that is durable. */
export interface ReceiptFacts {
  readonly status: 'accepted' | 'duplicate' | 'rejected'
  readonly callId: CallId
  readonly track: number
  readonly sequence: number
  /** Of the packet's track, as the figures below. */
  readonly totalReceived: number
  readonly missingSequences: readonly number[]
  readonly missingCount: number
  readonly receivedAt: Millis
  /** The call's state then. */
  readonly state: CallState
}

/** Counted by the floor beside it. */
export interface ArrivalFacts extends ReceiptFacts {
  /** The packet closed a gap. */
  readonly isLate: boolean
  /** So many numbers it jumped over, which are missing since. */
  readonly skippedCount: number
}

export interface PacketFacts extends ArrivalFacts {
  readonly kind: 'packet'
  /** The call is new. */
  readonly isFirst: boolean
  /** Its place in what is listened to; 0 where nobody listens. */
  readonly heard: number
}

/** The outcome of a block. Its packets that are neither accepted nor duplicates came after the grace period. */
export interface BlockFacts {
  readonly kind: 'block'
  readonly callId: CallId
  readonly track: number
  readonly first: number
  readonly count: number
  readonly accepted: number
  readonly duplicates: number
  /** Of the track. */
  readonly totalReceived: number
  readonly missingCount: number
  readonly receivedAt: Millis
  readonly isFirst: boolean
  /** Packets that closed a gap. */
  readonly lateCount: number
  readonly skippedCount: number
  /** As of a packet. */
  readonly heard: number
}

/** The facts that a commit gives about its call. */
export type CallFacts =
  | PacketFacts
  | BlockFacts
  /** The call has lived through something, and is in the state `next`. */
  | {
      readonly kind: 'lived'
      readonly isFirst: boolean
      readonly next: CallMachineSnapshot
      readonly events: readonly LifecycleEvent[]
    }
  | { readonly kind: 'passive' }
  | { readonly kind: 'erased'; readonly state: CallState }

/** One object a packet: the receipt, and what is told of it. */
export function packetFacts(
  status: ReceiptFacts['status'],
  { value, context }: CallMachineSnapshot,
  { track = 0, sequence }: Pick<Packet, 'track' | 'sequence'>,
  receivedAt: Millis,
  arrival: Pick<PacketFacts, 'isFirst' | 'isLate' | 'skippedCount' | 'heard'> = refused,
): PacketFacts {
  const { logs, callId } = context
  const log = logs.of(track) ?? emptyLog
  return {
    kind: 'packet',
    status,
    callId,
    track,
    sequence,
    totalReceived: log.totalReceived,
    missingSequences: log.missingSequences(),
    missingCount: log.missingCount,
    receivedAt,
    state: value,
    isFirst: arrival.isFirst,
    isLate: arrival.isLate,
    skippedCount: arrival.skippedCount,
    heard: arrival.heard,
  }
}

/** Of a track that nothing has come to. */
const emptyLog = new ReceiveLog()
const refused = { isFirst: false, isLate: false, skippedCount: 0, heard: 0 }
