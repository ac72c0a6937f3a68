/**
 * A call as an actor: XState actor logic that wraps the call machine.
 *
 * A packet is a message to the actor, but not an event of the machine: it changes the receive log in place, which costs
 * 0.5 µs where a transition costs 10. It does not pass XState's mailbox either, which would cost another: a turn of
 * JavaScript runs to its end, so there is never a message that it would have to wait for. Lifecycle messages become
 * entries, which are the events of the machine. In both cases the change and its append happen in one turn, without an
 * `await` between them (V2), and whoever asked is answered by the settlement of that append (V3); what changes nothing
 * is answered once everything before it is settled (V4). When a commit has failed, the actor is dropped (V6).
 */
import assert from 'node:assert/strict'
import { type ActorLogic, type ActorRefFrom, type ActorScope, type AnyActorScope, createActor } from 'xstate'
import type { Clock, Millis } from '../clock.js'
import { rfc3339 } from '../clock.js'
import { unreachable, VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import { completeDetails, isSameDetails, type Media, type StartBody } from '../protocol/media.js'
import type { CallStream, Journal, LifecycleEntry, Settlement } from '../store/journal.js'
import {
  type AnalysisFacts,
  type CallContext,
  type CallMachineSnapshot,
  callMachine,
  canCarry,
  newCall,
} from './call-machine.js'
import { snapshotOf } from './call-replay.js'
import {
  Announcement,
  Answer,
  type ArrivalFacts,
  DroppingSettlement,
  PacketReceipt,
  type ReceiptFacts,
  type ReplyTo,
  type SettledCall,
} from './call-settlements.js'
import type { LifecycleEvent } from './event-feed.js'
import { ReceiveLog } from './receive-log.js'

export interface PacketMessage {
  readonly type: 'packet'
  readonly packet: Packet
  readonly replyTo: ReplyTo<ReceiptFacts>
}

/** Looks at the state in a turn of its own; told once everything that it shows is durable. */
export interface ReadMessage {
  readonly type: 'read'
  readonly replyTo: ReplyTo<void>
  readonly look: (state: CallMachineSnapshot) => void
}

export type CallMessage =
  | PacketMessage
  | {
      readonly type: 'complete'
      readonly totalPackets: number
      readonly replyTo: ReplyTo<'accepted' | 'conflict' | 'unknown-call'>
    }
  /** The PBX says what the call is; makes the call where there is none. */
  | { readonly type: 'describe'; readonly body: StartBody; readonly replyTo: ReplyTo<DescribeAnswer> }
  /** An administrator has the analysis of a FAILED call made again. */
  | { readonly type: 'redrive'; readonly replyTo: ReplyTo<RedriveAnswer> }
  /** The alarm: a journaled deadline has come. `failed` when it could not be met: the alarm rings again. */
  | { readonly type: 'deadline'; readonly replyTo: ReplyTo<void> }
  /** The analysis reports; the answer says whether the call's state admitted it. */
  | { readonly type: 'record'; readonly entry: LifecycleEntry; readonly replyTo: ReplyTo<boolean> }
  | ReadMessage
  | { readonly type: 'passivate'; readonly replyTo: ReplyTo<void> }
  /** Takes the call out of the journal; with `endedThrough` only when it has ended by then. */
  | {
      readonly type: 'erase'
      readonly endedThrough: Millis | null
      readonly replyTo: ReplyTo<ErasureAnswer>
    }

export type ErasureAnswer = 'erased' | 'kept' | 'unknown-call'

export type DescribeAnswer =
  | { readonly kind: 'described'; readonly media: Media }
  /** Packets of other media are stored. */
  | { readonly kind: 'media-is-fixed'; readonly media: Media }
  | { readonly kind: 'grace-period-over'; readonly state: CallState }

export type RedriveAnswer =
  | { readonly kind: 'redriven' | 'under-way'; readonly redrives: number }
  | { readonly kind: 'not-failed'; readonly state: CallState }
  | { readonly kind: 'unknown-call' }

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
  analyse(callId: CallId, facts: AnalysisFacts): void
  /** A commit has failed, or somebody else wrote the call: forget the actor. */
  drop(callId: CallId): void
  /** Committed. `from` is null for a new call. */
  stateChanged(from: CallState | null, to: CallState, context: CallContext): void
  /** A packet that closed a gap has been committed. */
  late(): void
  /** An erasure is appended: the actor takes no more messages. What comes from now on is for another call. */
  leave(callId: CallId): void
  /** The erasure is committed; the call was in that state. */
  erased(callId: CallId, state: CallState): void
  /** A duplicate came; its content may differ from what is stored. */
  duplicate(callId: CallId, packet: Packet): void
}

export interface CallInput {
  readonly callId: CallId
  /** Null for a new call. */
  readonly state: CallMachineSnapshot | null
  readonly stream: CallStream
  readonly isSettled: boolean
}

/** XState's own last message to an actor that is stopped. */
interface StopMessage {
  readonly type: 'xstate.stop'
}

type Move = (entry: LifecycleEntry) => CallMachineSnapshot

export class CallActor {
  readonly #call: Call
  /** Made by the first message that may change more than the log: it takes 3 KB, and of 100,000 live calls few do anything but receive. */
  #ref: ActorRefFrom<Call> | null = null

  constructor(ports: CallPorts, input: CallInput) {
    this.#call = new Call(ports, input)
  }

  tell(message: CallMessage): void {
    const state = () => this.#ref?.getSnapshot() ?? this.#call.getInitialSnapshot()
    if (message.type === 'packet') this.#call.takePacket(state(), message)
    else if (message.type === 'read') this.#call.show(state(), message)
    else {
      this.#ref ??= createActor(this.#call).start()
      this.#ref.send(message)
    }
  }

  stop(): void {
    this.#ref?.stop()
  }
}

type LifecycleMessage = Exclude<CallMessage, PacketMessage | ReadMessage>

/** Logic and bookkeeping of one actor: one object a call, because there may be 250,000 of them. */
class Call implements ActorLogic<CallMachineSnapshot, LifecycleMessage | StopMessage>, SettledCall {
  readonly #ports: CallPorts
  readonly #stream: CallStream
  readonly #callId: CallId
  /** Where the actor starts: packets change nothing but the receive log in its context. */
  readonly #initial: CallMachineSnapshot
  /** What the journal's row of the call says, or will say once all that was appended is committed. */
  #isSettledInJournal: boolean
  #isNew: boolean
  /** Duplicates are not journaled, so a passivation writes their count even where nothing else has changed. */
  #duplicatesInJournal: number
  #packetsSinceSnapshot = 0
  /** A message is being taken: a packet within it would be taken by a state that is about to change. */
  #isBusy = false

  constructor(ports: CallPorts, input: CallInput) {
    this.#ports = ports
    this.#stream = input.stream
    this.#callId = input.callId
    this.#initial = input.state ?? this.#newCall()
    this.#isSettledInJournal = input.isSettled
    this.#duplicatesInJournal = input.state?.context.duplicateCount ?? 0
    this.#isNew = input.state === null
  }

  getInitialSnapshot(): CallMachineSnapshot {
    return this.#initial
  }

  #newCall(): CallMachineSnapshot {
    const now = this.#ports.clock.now()
    const context = newCall(
      this.#callId,
      now,
      now + this.#ports.idleMs,
      new ReceiveLog(),
      this.#ports.defaultMedia,
    )
    return callMachine.resolveState({ value: 'IN_PROGRESS', context })
  }

  /** Not used: the journal persists calls. */
  getPersistedSnapshot(state: CallMachineSnapshot): CallMachineSnapshot {
    return state
  }

  transition(
    state: CallMachineSnapshot,
    message: LifecycleMessage | StopMessage,
    scope: ActorScope<CallMachineSnapshot, LifecycleMessage | StopMessage>,
  ): CallMachineSnapshot {
    if (message.type === 'xstate.stop') return state
    this.#isBusy = true
    // The machine's actions use nothing of the scope, whose type names the messages of the actor around it.
    const next = this.#take(state, message, (entry) =>
      callMachine.transition(state, entry, scope as AnyActorScope),
    )
    this.#isBusy = false
    return next
  }

  #take(state: CallMachineSnapshot, message: LifecycleMessage, move: Move): CallMachineSnapshot {
    switch (message.type) {
      case 'complete':
        return this.#complete(state, message, move)
      case 'describe':
        return this.#describe(state, message, move)
      case 'redrive':
        return this.#redrive(state, message.replyTo, move)
      case 'deadline':
        return this.#meetDeadline(state, move, new Answer(message.replyTo, undefined))
      case 'record':
        return this.#record(state, message, move)
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
    this.#ports.journal.settled(this.#stream, new Answer(replyTo, undefined))
  }

  // --- packets ----------------------------------------------------------------------------------------------------

  takePacket(state: CallMachineSnapshot, { packet, replyTo }: PacketMessage): void {
    assert(!this.#isBusy, 'a call takes one message at a time')
    const { journal, clock } = this.#ports
    const { context } = state
    if (!state.hasTag('receiving') || context.log.has(packet.sequence)) {
      this.#refusePacket(state, packet, replyTo)
      return
    }
    // Asked before the mark: once marked, the packet must be appended (V2).
    if (!journal.hasRoom(packet.data.length)) {
      // Without its first packet there is no call.
      if (this.#isNew) this.failed()
      replyTo.failed(new VoiceStreamError('overloaded', 'the journal’s queue is full'))
      return
    }
    const receivedAt = clock.now()
    const missingBefore = context.log.missingCount
    const arrival = context.log.mark(packet.sequence)
    context.lastPacketAt = receivedAt
    const settlement = new PacketReceipt('accepted', state, packet.sequence, receivedAt, this, replyTo)
    if (arrival !== 'in-order') settlement.arrived(arrival, missingBefore)
    const entry = {
      type: 'packet',
      receivedAt,
      sequence: packet.sequence,
      data: packet.data,
      timestamp: packet.timestamp,
    } as const
    const needsSnapshot =
      this.#isNew || this.#isSettledInJournal || ++this.#packetsSinceSnapshot >= limits.snapshotPackets
    if (needsSnapshot) this.#appendWithSnapshot(state, [entry], settlement)
    else journal.append(this.#stream, this.#stream.version, [entry], null, settlement)
  }

  /** A duplicate or a rejection changes nothing; it is told when what it refers to is durable (V4). */
  #refusePacket(state: CallMachineSnapshot, packet: Packet, replyTo: ReplyTo<ReceiptFacts>): void {
    const isDuplicate = state.context.log.has(packet.sequence)
    if (isDuplicate) {
      state.context.duplicateCount++
      this.#ports.duplicate(state.context.callId, packet)
    }
    const status = isDuplicate ? 'duplicate' : 'rejected'
    const now = this.#ports.clock.now()
    const settlement = new PacketReceipt(status, state, packet.sequence, now, this, replyTo)
    this.#ports.journal.settled(this.#stream, settlement)
  }

  received(facts: ArrivalFacts): void {
    if (facts.isLate) this.#ports.late()
    this.#ports.publishPacket(facts)
  }

  // --- lifecycle --------------------------------------------------------------------------------------------------

  #complete(
    state: CallMachineSnapshot,
    message: Extract<CallMessage, { type: 'complete' }>,
    move: Move,
  ): CallMachineSnapshot {
    const { totalPackets, replyTo } = message
    const now = this.#ports.clock.now()
    if (state.context.log.expectedTotal === totalPackets) {
      this.#ports.journal.settled(this.#stream, new Answer(replyTo, 'accepted'))
      return state
    }
    const entry = {
      type: 'completed',
      at: now,
      reason: 'completed',
      totalPackets,
      dueAt: now + this.#ports.graceMs,
    } as const
    if (!state.can(entry)) {
      this.#ports.journal.settled(this.#stream, new Answer(replyTo, 'conflict'))
      return state
    }
    return this.#live(state, entry, move, new Answer(replyTo, 'accepted'))
  }

  #describe(
    state: CallMachineSnapshot,
    { body, replyTo }: Extract<CallMessage, { type: 'describe' }>,
    move: Move,
  ): CallMachineSnapshot {
    const { details: known, describedAt } = state.context
    const details = completeDetails(body, known.media)
    const { media } = details
    const described = new Answer<DescribeAnswer>(replyTo, { kind: 'described', media })
    if (describedAt !== null && isSameDetails(known, details)) {
      this.#ports.journal.settled(this.#stream, described)
      return state
    }
    const entry = { type: 'described', at: this.#ports.clock.now(), details } as const
    if (state.can(entry)) return this.#live(state, entry, move, described)
    const refusal: DescribeAnswer = canCarry(state.context, media)
      ? { kind: 'grace-period-over', state: state.value }
      : { kind: 'media-is-fixed', media: known.media }
    this.#ports.journal.settled(this.#stream, new Answer(replyTo, refusal))
    return state
  }

  #redrive(state: CallMachineSnapshot, replyTo: ReplyTo<RedriveAnswer>, move: Move): CallMachineSnapshot {
    const entry = { type: 'redriven', at: this.#ports.clock.now() } as const
    const { redrives } = state.context.analysis
    if (state.can(entry)) {
      const answer = { kind: 'redriven', redrives: redrives + 1 } as const
      return this.#live(state, entry, move, new Answer<RedriveAnswer>(replyTo, answer))
    }
    const answer: RedriveAnswer =
      state.value === 'PROCESSING_AI'
        ? { kind: 'under-way', redrives }
        : { kind: 'not-failed', state: state.value }
    this.#ports.journal.settled(this.#stream, new Answer(replyTo, answer))
    return state
  }

  #record(
    state: CallMachineSnapshot,
    message: Extract<CallMessage, { type: 'record' }>,
    move: Move,
  ): CallMachineSnapshot {
    const { entry, replyTo } = message
    if (state.can(entry)) return this.#live(state, entry, move, new Answer(replyTo, true))
    this.#ports.journal.settled(this.#stream, new Answer(replyTo, false))
    return state
  }

  #meetDeadline(state: CallMachineSnapshot, move: Move, met: Settlement): CallMachineSnapshot {
    const { clock, graceMs } = this.#ports
    const { context } = state
    const now = clock.now()
    switch (state.value) {
      case 'IN_PROGRESS': {
        const idleAt = context.lastPacketAt + this.#ports.idleMs
        // Packets moved the deadline without journaling it: journal it now, so that the alarm finds it (V8).
        // A last packet in the future is from before the wall clock was set back: the deadline was clamped at the start.
        if (context.lastPacketAt <= now && now < idleAt) return this.#postpone(state, idleAt, met)
        const entry = {
          type: 'completed',
          at: now,
          reason: 'idle_timeout',
          totalPackets: null,
          dueAt: now + graceMs,
        } as const
        return this.#live(state, entry, move, met)
      }
      case 'COMPLETED':
        if (context.dueAt !== null && now < context.dueAt) {
          this.#ports.arm(context.callId, context.dueAt)
          met.committed()
          return state
        }
        return this.#live(state, { type: 'grace-over', at: now }, move, met)
      case 'PROCESSING_AI':
        this.#ports.analyse(context.callId, context.analysis)
        met.committed()
        return state
      case 'ARCHIVED':
      case 'FAILED':
        met.committed()
        return state
      default:
        return unreachable(state.value)
    }
  }

  #postpone(state: CallMachineSnapshot, dueAt: Millis, met: Settlement): CallMachineSnapshot {
    if (!this.#ports.journal.hasRoom(0)) return this.#full(state, met)
    const postponed = callMachine.resolveState({ value: state.value, context: { ...state.context, dueAt } })
    this.#appendWithSnapshot(postponed, [], this.#moving(postponed, [], met))
    return postponed
  }

  #full(state: CallMachineSnapshot, answer: Settlement): CallMachineSnapshot {
    // Without its first append there is no call.
    if (this.#isNew) this.failed()
    answer.failed(new VoiceStreamError('overloaded', 'the journal’s queue is full'))
    return state
  }

  /** Moves the machine and appends the entry, in one turn (V2). */
  #live(
    state: CallMachineSnapshot,
    entry: LifecycleEntry,
    move: Move,
    answer: Settlement,
  ): CallMachineSnapshot {
    assert(state.can(entry))
    if (!this.#ports.journal.hasRoom(0)) return this.#full(state, answer)
    const next = move(entry)
    const events = eventsOf(state, next, entry)
    this.#appendWithSnapshot(next, [entry], this.#moving(next, events, answer))
    return next
  }

  #passivate(state: CallMachineSnapshot, replyTo: ReplyTo<void>): void {
    const answer = new Answer(replyTo, undefined)
    const isSettled = this.#isSettledInJournal && state.context.duplicateCount === this.#duplicatesInJournal
    if (isSettled) this.#ports.journal.settled(this.#stream, answer)
    else if (this.#ports.journal.hasRoom(0))
      this.#append(state, [], true, new DroppingSettlement(this, answer))
    else replyTo.failed(new VoiceStreamError('overloaded', 'the journal’s queue is full'))
  }

  /** In every state, a live one included: whoever erases wants nothing to be left, and what arrives later is a new fact. */
  #erase(state: CallMachineSnapshot, message: Extract<CallMessage, { type: 'erase' }>): void {
    const { endedThrough, replyTo } = message
    const { endedAt } = state.context
    const { journal } = this.#ports
    if (endedThrough !== null && (endedAt === null || endedAt > endedThrough)) {
      journal.settled(this.#stream, new Answer(replyTo, 'kept'))
      return
    }
    if (!journal.hasRoom(0))
      return replyTo.failed(new VoiceStreamError('overloaded', 'the journal’s queue is full'))
    const erased = () => this.#ports.erased(this.#callId, state.value)
    // The actor leaves at once: a failure leaves the call as the journal has it.
    const settlement = new Announcement(erased, new Answer<ErasureAnswer>(replyTo, 'erased'))
    journal.erase(this.#stream, this.#stream.version, settlement)
    this.#ports.leave(this.#callId)
  }

  #appendWithSnapshot(
    state: CallMachineSnapshot,
    entries: Parameters<Journal['append']>[2],
    settlement: Settlement,
  ): void {
    // Nothing but duplicates can come after the end, and they are not journaled.
    const isSettled = state.value === 'ARCHIVED' || state.value === 'FAILED'
    this.#append(state, entries, isSettled, settlement)
  }

  #append(
    state: CallMachineSnapshot,
    entries: Parameters<Journal['append']>[2],
    isSettled: boolean,
    settlement: Settlement,
  ): void {
    const { journal } = this.#ports
    const { context } = state
    const isNew = this.#isNew
    this.#isNew = false
    this.#packetsSinceSnapshot = 0
    this.#isSettledInJournal = isSettled
    this.#duplicatesInJournal = context.duplicateCount
    const first = isNew ? this.#creating(context.dueAt as number, settlement) : settlement
    journal.append(this.#stream, this.#stream.version, entries, snapshotOf(state, isSettled), first)
  }

  // --- told by settlements ----------------------------------------------------------------------------------------

  #moving(next: CallMachineSnapshot, events: readonly LifecycleEvent[], answer: Settlement): Settlement {
    return new DroppingSettlement(this, new Announcement(() => this.#moved(next, events), answer))
  }

  #moved(next: CallMachineSnapshot, events: readonly LifecycleEvent[]): void {
    const { callId, dueAt } = next.context
    this.#ports.changed(callId)
    for (const event of events) {
      this.#ports.publish(event)
      if (event.event === 'state_changed')
        this.#ports.stateChanged(event.from_state, event.to_state, next.context)
    }
    if (dueAt !== null) this.#ports.arm(callId, dueAt)
  }

  /** The first packet of a call also makes the call: its deadline is armed and its state counted with that commit. */
  #creating(dueAt: Millis, answer: Settlement): Settlement {
    return new Announcement(() => {
      this.#ports.arm(this.#callId, dueAt)
      this.#ports.stateChanged(null, 'IN_PROGRESS', this.#initial.context)
    }, answer)
  }

  failed(): void {
    this.#ports.drop(this.#callId)
  }
}

function eventsOf(
  before: CallMachineSnapshot,
  after: CallMachineSnapshot,
  entry: LifecycleEntry,
): readonly LifecycleEvent[] {
  const head = { at: rfc3339(entry.at), call_id: after.context.callId }
  const change = { event: 'state_changed', ...head, from_state: before.value, to_state: after.value } as const
  switch (entry.type) {
    case 'described':
      return [{ event: 'call_started', ...head, ...entry.details }]
    case 'completed':
      return before.value === after.value ? [] : [{ ...change, reason: entry.reason }]
    case 'grace-over':
      return [{ ...change, reason: 'grace_period_over' }]
    case 'analysed':
      return [
        { ...change, reason: 'analysed' },
        { event: 'ai_completed', ...head, ...entry.result },
      ]
    case 'analysis-failed':
      return [
        { ...change, reason: 'analysis_failed' },
        { event: 'ai_failed', ...head, reason: entry.error },
      ]
    case 'redriven':
      return [{ ...change, reason: 'retried' }]
    case 'attempt-failed': {
      const { attempt, error, nextAttemptAt } = entry
      const wait = { next_attempt_at: rfc3339(nextAttemptAt), wait_ms: nextAttemptAt - entry.at }
      return [{ event: 'ai_attempt_failed', ...head, attempt, error, ...wait }]
    }
    case 'attempt-released': {
      const { attempt, error, refundMs } = entry
      // Its failure was told when it still counted.
      if (refundMs !== undefined) return []
      return [{ event: 'ai_attempt_failed', ...head, attempt, error, next_attempt_at: null, wait_ms: null }]
    }
    case 'attempt-started':
    case 'analysis-kept':
      return []
    default:
      return unreachable(entry)
  }
}
