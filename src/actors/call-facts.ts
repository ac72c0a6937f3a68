/** The facts of a committed message, for the sender and for supervisors. */
import type { Millis } from '../clock.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { LifecycleEvent } from './call-events.js'
import type { CallMachineSnapshot } from './call-machine.js'

/** The account of a call at the moment that it took a packet; sent when that is durable. */
export interface ReceiptFacts {
  readonly status: 'accepted' | 'duplicate' | 'rejected'
  readonly callId: CallId
  readonly sequence: number
  readonly totalReceived: number
  readonly missingSequences: readonly number[]
  readonly missingCount: number
  readonly receivedAt: Millis
  /** The call's state then. */
  readonly state: CallState
}

/** What the floor counts beside it. */
export interface ArrivalFacts extends ReceiptFacts {
  /** The packet closed a gap. */
  readonly isLate: boolean
  /** So many numbers it jumped over, which are missing since. */
  readonly skippedCount: number
}

export interface PacketFacts extends ArrivalFacts {
  readonly kind: 'packet'
  /** There was no such call before. */
  readonly isFirst: boolean
}

/** What a commit says of its call. */
export type CallFacts =
  | PacketFacts
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
  sequence: number,
  receivedAt: Millis,
  arrival: Pick<PacketFacts, 'isFirst' | 'isLate' | 'skippedCount'> = refused,
): PacketFacts {
  const { log, callId } = context
  return {
    kind: 'packet',
    status,
    callId,
    sequence,
    totalReceived: log.totalReceived,
    missingSequences: log.missingSequences(),
    missingCount: log.missingCount,
    receivedAt,
    state: value,
    isFirst: arrival.isFirst,
    isLate: arrival.isLate,
    skippedCount: arrival.skippedCount,
  }
}

const refused = { isFirst: false, isLate: false, skippedCount: 0 }
