/**
 * What a call does with its messages: it takes packets in place, lives through what its state admits, appends, and has
 * whoever asked answered.
 *
 * A change and its append happen in one turn, without an `await` between them (V2), and whoever asked is answered by the
 * settlement of that append (V3); what changes nothing is answered once everything before it is settled (V4). When a
 * commit has failed, the actor is dropped (V6).
 */
import assert from 'node:assert/strict'
import type { Millis } from '../clock.js'
import { unreachable, VoiceStreamError } from '../errors.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import {
  type CallStream,
  type LifecycleEntry,
  type PacketEntry,
  type ReplyTo,
  type SettledCall,
  settlementOf,
} from '../store/journal.js'
import { blockEntries, blockHeadBytes, freshOf, markBlock, refuseBlock } from './call-blocks.js'
import { type CallContext, newCall } from './call-context.js'
import {
  acknowledgement,
  completion,
  type Decision,
  deadline,
  description,
  legEnd,
  note,
  record,
  redrive,
} from './call-decisions.js'
import { eventsOf, type LifecycleEvent } from './call-events.js'
import { type BlockFacts, type CallFacts, packetFacts, type ReceiptFacts } from './call-facts.js'
import { CallJournal } from './call-journal.js'
import { type CallMachineSnapshot, stateOf } from './call-machine.js'
import {
  type BlockMessage,
  type ComparedMessage,
  type ErasureAnswer,
  erasedMeanwhile,
  type LifecycleMessage,
  type PacketBlock,
  type PacketMessage,
  type ReadMessage,
} from './call-messages.js'
import type { CallPorts } from './call-ports.js'
import { tellFacts } from './call-telling.js'
import { legStart } from './leg-decisions.js'
import { TrackLogs } from './track-logs.js'

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
    const context = newCall(this.#callId, now, now + idleMs, new TrackLogs(), defaultMedia)
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
      case 'leg':
        return this.#follow(
          state,
          legStart(state.context, state.hasTag('receiving'), message.request, now, this.#ports.run),
          message.replyTo,
          move,
        )
      case 'leg-end':
        return this.#follow(state, legEnd(state, message, now, this.#ports), message.replyTo, move)
      case 'note':
        return this.#follow(state, note(state, message.note, now), message.replyTo, move)
      case 'acknowledge': {
        const { alertId, by, note } = message
        return this.#follow(state, acknowledgement(state, alertId, by, note, now), message.replyTo, move)
      }
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
    const { track = 0, sequence, data, timestamp } = packet
    if (!state.hasTag('receiving') || context.logs.of(track)?.has(sequence) === true) {
      this.#refusePacket(state, packet, replyTo)
      return
    }
    // Asked before the mark: once marked, the packet must be appended (V2).
    if (!this.#journal.hasRoom(packet.data.length)) {
      this.#full(state, replyTo)
      return
    }
    const receivedAt = this.#ports.clock.now()
    const log = context.logs.open(track)
    const missingBefore = log.missingCount
    const arrival = log.mark(sequence)
    context.lastPacketAt = receivedAt
    const entry = { type: 'packet', receivedAt, track, sequence, data, timestamp } as const
    const facts = packetFacts('accepted', state, packet, receivedAt, {
      isFirst: this.#journal.isNew,
      isLate: arrival === 'late',
      skippedCount: Math.max(0, log.missingCount - missingBefore),
      heard: this.#hear(state, entry),
    })
    this.#journal.appendPackets(state, [entry], settlementOf<ReceiptFacts>(replyTo, facts, this, facts))
  }

  /** Appends its new packets in as few records as they have stretches: one, unless a part has come before. */
  takeBlock(state: CallMachineSnapshot, { block, replyTo }: BlockMessage): void {
    const fresh = state.hasTag('receiving') ? freshOf(state.context, block) : []
    if (fresh.length === 0) return this.#refuseBlock(state, block, replyTo)
    if (!this.#journal.hasRoom(block.data.length + fresh.length * blockHeadBytes)) {
      this.#full(state, replyTo)
      return
    }
    const receivedAt = this.#ports.clock.now()
    const entries = blockEntries(block, fresh, receivedAt)
    const heard = entries.reduce((place, entry) => this.#hear(state, entry) || place, 0)
    const facts = markBlock(state.context, block, fresh, receivedAt, this.#journal.isNew, heard)
    this.#journal.appendPackets(state, entries, settlementOf<BlockFacts>(replyTo, facts, this, facts))
  }

  /** After the end of a call nobody listens. */
  #hear(state: CallMachineSnapshot, entry: PacketEntry): number {
    return state.value === 'IN_PROGRESS' ? this.#ports.hear(state.context, entry) : 0
  }

  /** All of it is there already, or the grace period is over. */
  #refuseBlock({ context }: CallMachineSnapshot, block: PacketBlock, replyTo: ReplyTo<BlockFacts>): void {
    const facts = refuseBlock(context, block, this.#ports.clock.now())
    this.#journal.settled(settlementOf<BlockFacts>(replyTo, facts, this, facts))
  }

  #refusePacket(state: CallMachineSnapshot, packet: Packet, replyTo: ReplyTo<ReceiptFacts>): void {
    const { logs, createdAt } = state.context
    if (logs.of(packet.track ?? 0)?.has(packet.sequence) !== true)
      return this.#refuse('rejected', state, packet, replyTo)
    // Other content after the grace period is another call's, and must not be told as stored: `takeCompared` answers.
    if (!state.hasTag('receiving'))
      return this.#ports.compare({ callId: this.#callId, createdAt }, packet, replyTo)
    this.#ports.duplicate({ callId: this.#callId, createdAt }, packet)
    this.#refuse('duplicate', state, packet, replyTo)
  }

  takeCompared(state: CallMachineSnapshot, { createdAt, packet, isSame, replyTo }: ComparedMessage): void {
    if (state.context.createdAt !== createdAt) return replyTo.failed(erasedMeanwhile())
    // It receives again where the end of its grace period could not be stored.
    const isDuplicate = isSame || state.hasTag('receiving')
    this.#refuse(isDuplicate ? 'duplicate' : 'rejected', state, packet, replyTo)
  }

  /** A duplicate or a rejection changes nothing; it is told when what it refers to is durable (V4). */
  #refuse(
    status: 'duplicate' | 'rejected',
    state: CallMachineSnapshot,
    packet: Pick<Packet, 'track' | 'sequence'>,
    replyTo: ReplyTo<ReceiptFacts>,
  ): void {
    if (status === 'duplicate') state.context.duplicateCount++
    const now = this.#ports.clock.now()
    const facts = packetFacts(status, state, packet, now)
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
    // The call begins with its first append.
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
    tellFacts(this.#ports, this.initial.context, facts)
  }

  failed(): void {
    this.#ports.drop(this.#callId)
  }
}

function noRoom(): VoiceStreamError {
  return new VoiceStreamError('overloaded', 'the journal’s queue is full')
}
