/**
 * callId → actor.
 *
 * Owns which calls are in memory. A message to an active call is sent in the same turn, and so is the first one of a call
 * that the journal knows to be new; the first message to any other call starts its activation, and what arrives meanwhile waits in arrival order, so concurrent messages share
 * one replay and a call has at most one actor (V1). Silent actors leave by `passivation`. After a failed commit the
 * actor is dropped at once, and the next message replays the call from the journal (V6).
 *
 * Bounds (V7): active calls, activations at once, waiting messages; beyond them a message fails with `overloaded`.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../clock.js'
import { isDamage, VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import { callStates } from '../protocol/call-states.js'
import type {
  CallReader,
  CallSnapshot,
  CallStream,
  DamagedCall,
  Journal,
  ReplyTo,
  StoredCall,
} from '../store/journal.js'
import { CallActor } from './call-actor.js'
import type { CallMachineSnapshot } from './call-machine.js'
import { begins, type CallLife, type CallMessage, detached, findNothing } from './call-messages.js'
import type { CallPorts } from './call-ports.js'
import { replay, restoreSnapshot } from './call-replay.js'
import { CallSystem } from './call-system.js'
import { Departures } from './departures.js'
import { Passivation, type WatchedCall } from './passivation.js'
import { answerUnreadable, isErasure } from './unreadable-call.js'

interface ActiveCall extends WatchedCall {
  /** As committed, and as it is counted in `activeByState`. */
  state: CallState
}

/** The row or history that the reader has found of a call. */
export interface FoundRow {
  readonly snapshot: CallSnapshot
  /** The registry's `mark` from before the read. */
  readonly mark: number
}

/** Null for a call of which nothing can be read: it may be in memory. */
export function rowOf(found: StoredCall | DamagedCall | null, mark: number): FoundRow | null {
  return found === null || found.snapshot === null ? null : { snapshot: found.snapshot, mark }
}

export interface RegistryPorts {
  readonly journal: Journal
  readonly reader: CallReader
  readonly clock: Clock
  /** Something impossible happened while a call was activated. */
  failed(error: unknown): void
}

export class CallRegistry {
  readonly #ports: RegistryPorts
  readonly #callPorts: CallPorts
  readonly #active = new Map<CallId, ActiveCall>()
  readonly #activating = new Map<CallId, CallMessage[]>()
  readonly #departures = new Departures()
  readonly #activeByState = Object.fromEntries(callStates.map((state) => [state, 0])) as Record<
    CallState,
    number
  >
  #waitingMessages = 0
  readonly passivation: Passivation
  readonly system = new CallSystem()

  constructor(ports: RegistryPorts, callPorts: Omit<CallPorts, 'drop' | 'leave'>) {
    this.#ports = ports
    const drop = (callId: CallId) => this.#drop(callId)
    const { clock, journal } = ports
    this.passivation = new Passivation({ clock, journal, calls: this.#active, drop })
    this.#callPorts = {
      ...callPorts,
      drop,
      leave: drop,
      stateChanged: (from, to, context) => {
        this.#moved(context.callId, to)
        callPorts.stateChanged(from, to, context)
      },
      erased: (callId, state) => {
        this.#departures.erased(callId)
        callPorts.erased(callId, state)
      },
    }
  }

  get activeCount(): number {
    return this.#active.size
  }

  /** Adds up to `activeCount`. */
  get activeByState(): Readonly<Record<CallState, number>> {
    return this.#activeByState
  }

  get activatingCount(): number {
    return this.#activating.size
  }

  get waitingMessages(): number {
    return this.#waitingMessages
  }

  /** Delivers a message; its `replyTo` is answered in every case. A packet's data is copied if it has to wait. */
  tell(callId: CallId, message: CallMessage): void {
    const call = this.#active.get(callId)
    if (call !== undefined) {
      call.messages++
      call.actor.tell(message)
    } else if (begins(message) && this.#isNew(callId)) this.#begin(callId).actor.tell(message)
    else this.#wait(callId, message)
  }

  /** The call needs no replay and can begin in this turn. */
  #isNew(callId: CallId): boolean {
    return (
      !this.#activating.has(callId) &&
      this.#active.size + this.#activating.size < limits.activeCallsMax &&
      this.#ports.journal.isNew(callId)
    )
  }

  #begin(callId: CallId): ActiveCall {
    const stream = this.#ports.journal.create(callId)
    const input = { callId, stream, state: null, isSettled: false }
    const call = this.#start(new CallActor(this.system, this.#callPorts, input), stream, 'IN_PROGRESS')
    this.#add(callId, call)
    return call
  }

  /**
   * Looks at a call's state, active or stored, without activating one whose stored snapshot is exact. Resolves once
   * what was seen is durable; null for an unknown call.
   */
  async read<T>(callId: CallId, look: (state: CallMachineSnapshot) => T): Promise<T | null> {
    const { mark } = this
    let found: StoredCall | DamagedCall | null = null
    if (!this.#isInMemory(callId)) {
      found = await this.#ports.reader.call(callId)
      if (found === null && !this.#isInMemory(callId)) return null
    }
    return new Promise((answered, failed) =>
      this.observe(callId, rowOf(found, mark), look, { answered, failed }),
    )
  }

  /** To be taken before the reader is asked for what is to be shown: `observe` and `wasErasedSince` judge by it. */
  get mark(): number {
    return this.#departures.mark
  }

  /** What was seen of the call since the mark may not be shown any more. True as well when nobody knows any more. */
  wasErasedSince(callId: CallId, mark: number): boolean {
    return this.#departures.wasErasedSince(callId, mark)
  }

  /** Whether it is still this call that has the name. */
  async isThere({ callId, createdAt }: CallLife): Promise<boolean> {
    return (await this.read(callId, ({ context }) => context.createdAt === createdAt)) === true
  }

  /**
   * Like `read`, but answers in the very turn in which what was seen has become durable: after the events that led to
   * it, and before any later one of the call. `row` is what the reader has found of it, or null: it is read in the
   * call's place as long as it is exact. It is not when the call has been in memory since the read began.
   */
  observe<T>(
    callId: CallId,
    row: FoundRow | null,
    look: (state: CallMachineSnapshot) => T,
    replyTo: ReplyTo<T | null>,
  ): void {
    if (row !== null && this.#isExact(callId, row))
      return replyTo.answered(look(this.#restore(callId, row.snapshot)))
    let seen: T | null = null
    this.tell(callId, {
      type: 'read',
      look: (state) => {
        seen = look(state)
      },
      replyTo: { answered: () => replyTo.answered(seen), failed: (error) => replyTo.failed(error) },
    })
  }

  #isExact(callId: CallId, { snapshot, mark }: FoundRow): boolean {
    return snapshot.isSettled && !this.#isInMemory(callId) && !this.#departures.hasLeftSince(callId, mark)
  }

  #isInMemory(callId: CallId): boolean {
    return this.#active.has(callId) || this.#activating.has(callId)
  }

  isActive(callId: CallId): boolean {
    return this.#active.has(callId)
  }

  // --- activation -------------------------------------------------------------------------------------------------

  #wait(callId: CallId, message: CallMessage): void {
    const waiting = this.#activating.get(callId)
    const isFull =
      this.#waitingMessages >= limits.activationQueueMax ||
      (waiting === undefined &&
        (this.#activating.size >= limits.activationsMax ||
          this.#active.size + this.#activating.size >= limits.activeCallsMax))
    if (isFull) {
      message.replyTo.failed(new VoiceStreamError('overloaded', 'too many calls are being activated'))
      return
    }
    this.#waitingMessages++
    const kept = detached(message)
    if (waiting !== undefined) {
      waiting.push(kept)
      return
    }
    this.#activating.set(callId, [kept])
    this.#activate(callId).catch((error) => this.#ports.failed(error))
  }

  async #activate(callId: CallId): Promise<void> {
    try {
      const call = await this.#replay(callId)
      this.#deliver(callId, this.#takeWaiting(callId), call)
    } catch (error) {
      // Expected: the reader is overloaded or the disk cannot be read. Anything else is a bug, and must be seen.
      const expected = error instanceof VoiceStreamError
      const answer = expected
        ? error
        : new VoiceStreamError('read_failed', 'the call could not be replayed', { cause: error })
      if (isDamage(error) && this.#activating.get(callId)?.some(isErasure) === true)
        return await this.#answerUnreadable(callId, answer)
      for (const message of this.#takeWaiting(callId)) message.replyTo.failed(answer)
      if (!expected) throw error
    }
  }

  #answerUnreadable(callId: CallId, damage: VoiceStreamError): Promise<void> {
    return answerUnreadable(callId, damage, {
      journal: this.#ports.journal,
      takeWaiting: () => this.#takeWaiting(callId),
      tell: (message) => this.tell(callId, message),
      erased: (state) => this.#callPorts.erased(callId, state),
    })
  }

  #takeWaiting(callId: CallId): readonly CallMessage[] {
    const waiting = this.#activating.get(callId) ?? []
    this.#activating.delete(callId)
    this.#waitingMessages -= waiting.length
    return waiting
  }

  async #replay(callId: CallId): Promise<ActiveCall | null> {
    const history = await this.#ports.journal.replay(callId)
    if (history === null) return null
    const { stream, snapshot, entries } = history
    const state = replay(this.#restore(callId, snapshot), entries)
    const input = { callId, stream, state, isSettled: snapshot.isSettled }
    return this.#start(new CallActor(this.system, this.#callPorts, input), stream, state.value)
  }

  #restore(callId: CallId, snapshot: CallSnapshot): CallMachineSnapshot {
    return restoreSnapshot(callId, snapshot, this.#callPorts.defaultMedia)
  }

  #start(actor: CallActor, stream: CallStream, state: CallState): ActiveCall {
    return {
      actor,
      stream,
      state,
      messages: 0,
      messagesAtSweep: 0,
      silentSince: this.#ports.clock.now(),
      isPassivating: false,
    }
  }

  /** A call that the journal does not hold begins with its first packet or its description; other messages to it find nothing. */
  #deliver(callId: CallId, messages: readonly CallMessage[], replayed: ActiveCall | null): void {
    let call = replayed
    if (call !== null) this.#add(callId, call)
    for (const [index, message] of messages.entries()) {
      if (call === null && begins(message)) call = this.#begin(callId)
      if (call === null) findNothing(message)
      else call.actor.tell(message)
      // Messages behind an erasure are for another call, and wait until it is known whether this one is gone.
      if (message.type === 'erase' && call !== null && this.#active.get(callId) !== call) {
        for (const later of messages.slice(index + 1)) this.tell(callId, later)
        return
      }
      // It may have been dropped at once: its first packet found no room.
      if (call !== null && this.#active.get(callId) !== call) call = null
    }
  }

  #add(callId: CallId, call: ActiveCall): void {
    assert(!this.#active.has(callId), 'V1: a call has at most one actor')
    this.#active.set(callId, call)
    this.#activeByState[call.state]++
  }

  #moved(callId: CallId, state: CallState): void {
    const call = this.#active.get(callId)
    if (call === undefined) return
    this.#activeByState[call.state]--
    this.#activeByState[state]++
    call.state = state
  }

  // --- the way out ------------------------------------------------------------------------------------------------

  #drop(callId: CallId): void {
    const call = this.#active.get(callId)
    if (call === undefined) return
    this.#active.delete(callId)
    this.#departures.left(callId)
    this.#activeByState[call.state]--
    this.system.stop(call.actor)
    if (!this.#ports.journal.hasPending(call.stream)) this.#ports.journal.release(call.stream)
  }
}
