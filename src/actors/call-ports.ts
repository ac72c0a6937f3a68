/** The ports that a call acts through. */
import type { Clock, Millis } from '../clock.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { Media } from '../protocol/media.js'
import type { Journal, PacketEntry, ReplyTo } from '../store/journal.js'
import type { AnalysisFacts, CallContext } from './call-context.js'
import type { DeadlineTerms } from './call-decisions.js'
import type { LifecycleEvent } from './call-events.js'
import type { ArrivalFacts, BlockFacts, ReceiptFacts } from './call-facts.js'
import type { CallLife } from './call-messages.js'

export interface CallPorts extends DeadlineTerms {
  readonly journal: Journal
  readonly clock: Clock
  /** Of calls of which nobody has said it. */
  readonly defaultMedia: Media
  publish(event: LifecycleEvent): void
  publishPacket(facts: ArrivalFacts): void
  publishBlock(facts: BlockFacts): void
  /**
   * Packets are appended to a call that is in progress. Returns their place in what is listened to, for `heard`; 0 where
   * nobody listens.
   */
  hear(context: CallContext, packets: PacketEntry): number
  /** What stands up to this place is committed. */
  heard(place: number): void
  /** More than packets has changed. */
  changed(context: CallContext): void
  /** A deadline has been journaled. */
  arm(callId: CallId, dueAt: Millis): void
  /** The call waits for its analysis; starting one that runs already does nothing. */
  analyse(life: CallLife, facts: AnalysisFacts): void
  /** A commit has failed, or somebody else wrote the call: forget the actor. */
  drop(callId: CallId): void
  /** Committed. `from` is null for a new call. */
  stateChanged(from: CallState | null, to: CallState, context: CallContext): void
  /** A packet that closed a gap has been committed. */
  late(): void
  /** An erasure is appended: the actor takes no more messages. What comes from now on is for another call. */
  leave(callId: CallId): void
  /** The erasure is committed. `state`: what the call was counted as; null where nobody knows. */
  erased(callId: CallId, state: CallState | null): void
  /** A duplicate came; its content may differ from what is stored. */
  duplicate(life: CallLife, packet: Packet): void
  /** A packet for a stored number came after the grace period. The call is told as a message: `compared`. */
  compare(life: CallLife, packet: Packet, replyTo: ReplyTo<ReceiptFacts>): void
}
