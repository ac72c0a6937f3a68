/**
 * What a call does with its messages: it takes packets in place, lives through what its state admits, appends, and has
 * whoever asked answered.
 *
 * A change and its append happen in one turn, without an `await` between them (V2), and whoever asked is answered by the
 * settlement of that append (V3); what changes nothing is answered once everything before it is settled (V4). When a
 * commit has failed, the actor is dropped (V6).
 */
import assert from 'node:assert/strict'
import type { Clock, Millis } from '../clock.js'
import { unreachable, VoiceStreamError } from '../errors.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { Media } from '../protocol/media.js'
import {
  type CallStream,
  type Journal,
  type LifecycleEntry,
  type ReplyTo,
  type SettledCall,
  settlementOf,
} from '../store/journal.js'
import { completion, type Decision, deadline, description, record, redrive } from './call-decisions.js'
import { eventsOf, type LifecycleEvent } from './call-events.js'
import { type ArrivalFacts, type CallFacts, packetFacts, type ReceiptFacts } from './call-facts.js'
import { CallJournal } from './call-journal.js'
import {
  type AnalysisFacts,
  type CallContext,
  type CallMachineSnapshot,
  newCall,
  stateOf,
} from './call-machine.js'
import {
  type CallLife,
  type ComparedMessage,
  type ErasureAnswer,
  erasedMeanwhile,
  type LifecycleMessage,
  type PacketMessage,
  type ReadMessage,
} from './call-messages.js'
import { ReceiveLog } from './receive-log.js'

export interface CallPorts {
  readonly journal: Journal
  readonly clock: Clock
  readonly graceMs: Millis
  readonly idleMs: Millis
  /** Of calls of which nobody has said it. */
  readonly defaultMedia: Media
  publish(event: LifecycleEvent): void
  publishPacket(facts: ArrivalFacts): void
  /** More than packets has changed. */
  changed(callId: CallId): void
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
  /** The erasure is committed; the call was in that state. */
  /** `state`: what it was counted as; null where nobody knows. */
  erased(callId: CallId, state: CallState | null): void
  /** A duplicate came; its content may differ from what is stored. */
  duplicate(life: CallLife, packet: Packet): void
  /** A packet for a stored number came after the grace period. The call is told as a message: `compared`. */
  compare(life: CallLife, packet: Packet, replyTo: ReplyTo<ReceiptFacts>): void
}

export interface CallInput {
  readonly callId: CallId
  /** Null for a new call. */
  readonly state: CallMachineSnapshot | null
  readonly stream: CallStream
  readonly isSettled: boolean
}

type Move = (state: CallMachineSnapshot, entry: LifecycleEntry) => CallMachineSnapshot

/** Few objects a call, because there may be 250,000 of them. */
export class Call implements SettledCall {
  readonly #ports: CallPorts
  readonly #callId: CallId
  /** Where the actor starts: packets change nothing but the receive log in its context. */
  readonly initial: CallMachineSnapshot
  readonly #journal: CallJournal

  constructor(ports: CallPorts, { callId, state, stream, isSettled }: CallInput) {
    this.#ports = ports
    this.#callId = callId
    this.initial = state ?? this.#newCall()
    this.#journal = new CallJournal(ports.journal, stream, state, isSettled)
  }

  #newCall(): CallMachineSnapshot {
    const { clock, idleMs, defaultMedia } = this.#ports
    const now = clock.now()
    const context = newCall(this.#callId, now, now + idleMs, new ReceiveLog(), defaultMedia)
    return stateOf('IN_PROGRESS', context)
  }

  /** `move` is the machine's transition; returns the state that the call is in from now on. */
  take(state: CallMachineSnapshot, message: LifecycleMessage, move: Move): CallMachineSnapshot {
    const { clock, graceMs } = this.#ports
    const now = clock.now()
    switch (message.type) {
      case 'complete':
        return this.#follow(state, completion(state, message, now, graceMs), message.replyTo, move)
      case 'describe':
        return this.#follow(state, description(state, message.body, now), message.replyTo, move)
      case 'redrive':
        return this.#follow(state, redrive(state, now), message.replyTo, move)
      case 'record':
        return this.#follow(state, record(state, message), message.replyTo, move)
      case 'deadline':
        return this.#meetDeadline(state, now, move, message.replyTo)
      case 'passivate':
        this.#passivate(state, message.replyTo)
        return state
      case 'erase':
        this.#erase(state, message)
        return state
      default:
        return unreachable(message)
    }
  }

  show(state: CallMachineSnapshot, { look, replyTo }: ReadMessage): void {
    look(state)
    this.#journal.settled(settlementOf(replyTo, undefined))
  }

  // --- packets ----------------------------------------------------------------------------------------------------

  takePacket(state: CallMachineSnapshot, { packet, replyTo }: PacketMessage): void {
    const { context } = state
    if (!state.hasTag('receiving') || context.log.has(packet.sequence)) {
      this.#refusePacket(state, packet, replyTo)
      return
    }
    // Asked before the mark: once marked, the packet must be appended (V2).
    if (!this.#journal.hasRoom(packet.data.length)) {
      this.#full(state, replyTo)
      return
    }
    const receivedAt = this.#ports.clock.now()
    const missingBefore = context.log.missingCount
    const arrival = context.log.mark(packet.sequence)
    context.lastPacketAt = receivedAt
    const { sequence, data, timestamp } = packet
    const facts = packetFacts('accepted', state, sequence, receivedAt, {
      isFirst: this.#journal.isNew,
      isLate: arrival === 'late',
      skippedCount: Math.max(0, context.log.missingCount - missingBefore),
    })
    const entry = { type: 'packet', receivedAt, sequence, data, timestamp } as const
    this.#journal.appendPacket(state, entry, settlementOf<ReceiptFacts>(replyTo, facts, this, facts))
  }

  #refusePacket(state: CallMachineSnapshot, packet: Packet, replyTo: ReplyTo<ReceiptFacts>): void {
    const { log, createdAt } = state.context
    if (!log.has(packet.sequence)) return this.#refuse('rejected', state, packet.sequence, replyTo)
    // Other content after the grace period is another call's, and must not be told as stored: `takeCompared` answers.
    if (!state.hasTag('receiving'))
      return this.#ports.compare({ callId: this.#callId, createdAt }, packet, replyTo)
    this.#ports.duplicate({ callId: this.#callId, createdAt }, packet)
    this.#refuse('duplicate', state, packet.sequence, replyTo)
  }

  takeCompared(state: CallMachineSnapshot, { createdAt, sequence, isSame, replyTo }: ComparedMessage): void {
    if (state.context.createdAt !== createdAt) return replyTo.failed(erasedMeanwhile())
    // It receives again where the end of its grace period could not be stored.
    const isDuplicate = isSame || state.hasTag('receiving')
    this.#refuse(isDuplicate ? 'duplicate' : 'rejected', state, sequence, replyTo)
  }

  /** A duplicate or a rejection changes nothing; it is told when what it refers to is durable (V4). */
  #refuse(
    status: 'duplicate' | 'rejected',
    state: CallMachineSnapshot,
    sequence: number,
    replyTo: ReplyTo<ReceiptFacts>,
  ): void {
    if (status === 'duplicate') state.context.duplicateCount++
    const now = this.#ports.clock.now()
    const facts = packetFacts(status, state, sequence, now)
    this.#journal.settled(settlementOf<ReceiptFacts>(replyTo, facts, this, facts))
  }

  // --- lifecycle --------------------------------------------------------------------------------------------------

  #follow<T>(
    state: CallMachineSnapshot,
    { entries, answer }: Decision<T>,
    replyTo: ReplyTo<T>,
    move: Move,
  ): CallMachineSnapshot {
    if (entries.length > 0) return this.#live(state, entries, move, replyTo, answer)
    this.#journal.settled(settlementOf(replyTo, answer))
    return state
  }

  #meetDeadline(
    state: CallMachineSnapshot,
    now: Millis,
    move: Move,
    replyTo: ReplyTo<void>,
  ): CallMachineSnapshot {
    const decision = deadline(state, now, this.#ports)
    switch (decision.kind) {
      case 'live':
        return this.#live(state, [decision.entry], move, replyTo, undefined)
      case 'postpone':
        return this.#postpone(state, decision.dueAt, replyTo)
      case 'wait':
        this.#ports.arm(this.#callId, decision.dueAt)
        break
      case 'analyse':
        this.#analyse(state.context)
        break
      case 'nothing-due':
        break
      default:
        return unreachable(decision)
    }
    replyTo.answered()
    return state
  }

  #analyse({ callId, createdAt, analysis }: CallContext): void {
    this.#ports.analyse({ callId, createdAt }, analysis)
  }

  #postpone(state: CallMachineSnapshot, dueAt: Millis, replyTo: ReplyTo<void>): CallMachineSnapshot {
    if (!this.#journal.hasRoom(0)) return this.#full(state, replyTo)
    const postponed = stateOf(state.value, { ...state.context, dueAt })
    this.#append(postponed, [], [], replyTo, undefined)
    return postponed
  }

  /** Moves the machine and appends the entries, in one turn (V2). */
  #live<T>(
    state: CallMachineSnapshot,
    entries: readonly LifecycleEntry[],
    move: Move,
    replyTo: ReplyTo<T>,
    answer: T,
  ): CallMachineSnapshot {
    // Asked before the move, which changes the log in place.
    if (!this.#journal.hasRoom(0)) return this.#full(state, replyTo)
    let last = state
    const events = entries.flatMap((entry) => {
      assert(last.can(entry))
      const next = move(last, entry)
      const told = eventsOf(last, next, entry)
      last = next
      return told
    })
    this.#append(last, entries, events, replyTo, answer)
    return last
  }

  #full(state: CallMachineSnapshot, replyTo: ReplyTo<never>): CallMachineSnapshot {
    // Without its first append there is no call.
    if (this.#journal.isNew) this.failed()
    replyTo.failed(noRoom())
    return state
  }

  #append<T>(
    next: CallMachineSnapshot,
    entries: readonly LifecycleEntry[],
    events: readonly LifecycleEvent[],
    replyTo: ReplyTo<T>,
    answer: T,
  ): void {
    const facts: CallFacts = { kind: 'lived', isFirst: this.#journal.isNew, next, events }
    this.#journal.append(next, entries, settlementOf(replyTo, answer, this, facts))
  }

  #passivate(state: CallMachineSnapshot, replyTo: ReplyTo<void>): void {
    const facts: CallFacts = { kind: 'passive' }
    if (this.#journal.isPassive(state)) this.#journal.settled(settlementOf(replyTo, undefined))
    else if (!this.#journal.hasRoom(0)) replyTo.failed(noRoom())
    else this.#journal.passivate(state, settlementOf(replyTo, undefined, this, facts))
  }

  /** In every state, a live one included: whoever erases wants nothing to be left, and what arrives later is a new fact. */
  #erase(
    { value, context }: CallMachineSnapshot,
    { endedThrough, replyTo }: Extract<LifecycleMessage, { type: 'erase' }>,
  ): void {
    const isDue = endedThrough === null || (context.endedAt !== null && context.endedAt <= endedThrough)
    if (!isDue) return this.#journal.settled(settlementOf<ErasureAnswer>(replyTo, 'kept'))
    if (!this.#journal.hasRoom(0)) return replyTo.failed(noRoom())
    const facts: CallFacts = { kind: 'erased', state: value }
    // The actor leaves now: a failure leaves the call as the journal has it.
    this.#journal.erase(settlementOf<ErasureAnswer>(replyTo, 'erased', this, facts))
    this.#ports.leave(this.#callId)
  }

  // --- told by the journal, once it is settled ---------------------------------------------------------------------

  /** Behind the answer, and in commit order over all calls. */
  committed(facts: CallFacts): void {
    switch (facts.kind) {
      case 'packet':
        if (facts.isFirst) this.#begun()
        if (facts.isLate) this.#ports.late()
        return this.#ports.publishPacket(facts)
      case 'lived':
        if (facts.isFirst) this.#begun()
        return this.#lived(facts.next, facts.events)
      case 'erased':
        return this.#ports.erased(this.#callId, facts.state)
      case 'passive':
        return
      default:
        return unreachable(facts)
    }
  }

  /** The call is in the journal: its deadline is armed and its state counted. */
  #begun(): void {
    const { context } = this.initial
    this.#ports.arm(this.#callId, context.dueAt as Millis)
    this.#ports.stateChanged(null, 'IN_PROGRESS', context)
  }

  #lived(next: CallMachineSnapshot, events: readonly LifecycleEvent[]): void {
    this.#ports.changed(this.#callId)
    for (const event of events) {
      this.#ports.publish(event)
      if (event.event === 'state_changed')
        this.#ports.stateChanged(event.from_state, event.to_state, next.context)
    }
    const { dueAt } = next.context
    if (dueAt !== null) this.#ports.arm(this.#callId, dueAt)
  }

  failed(): void {
    this.#ports.drop(this.#callId)
  }
}

function noRoom(): VoiceStreamError {
  return new VoiceStreamError('overloaded', 'the journal’s queue is full')
}
