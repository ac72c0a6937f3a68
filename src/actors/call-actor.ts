/**
 * A call as an XState actor, a child of the root of their system, and the way past its mailbox.
 *
 * A packet is a message to the actor, but not an event of the machine: it changes the receive log in place, which costs
 * 0.5 µs where a transition costs 10. It does not pass XState's mailbox either, which would cost another: a turn of
 * JavaScript runs to its end, so there is never a message that it would have to wait for. All that may change more goes
 * through the mailbox, and what it comes to are entries, which are the events of the machine.
 */
import assert from 'node:assert/strict'
import { Actor, type ActorLogic, type AnyActorScope } from 'xstate'
import { Call, type CallInput } from './call.js'
import { type CallMachineSnapshot, callMachine, stateOf } from './call-machine.js'
import type { CallMessage, LifecycleMessage } from './call-messages.js'
import type { CallPorts } from './call-ports.js'
import type { CallSystem } from './call-system.js'

/** XState's own last message to an actor that is stopped. */
interface StopMessage {
  readonly type: 'xstate.stop'
}

type Logic = ActorLogic<CallMachineSnapshot, LifecycleMessage | StopMessage, Call>

/** One for all calls: what is a call's own is in its actor. */
const logic: Logic = {
  getInitialSnapshot: (_, call) => call.initial,
  // Not used: the journal persists calls.
  getPersistedSnapshot: (state) => state,
  transition(state, message, scope) {
    if (message.type === 'xstate.stop') return state
    const actor = scope.self
    assert(actor instanceof CallActor)
    return actor.take(state, message, scope as AnyActorScope)
  },
}

/**
 * What XState gives each actor for itself and a call has no use for; of its own it would be a third of a call. Nobody may
 * observe a call, and its options are read until it is started.
 */
const shared = { observers: new Set<never>(), eventListeners: new Map<never, never>() }
const noOptions = Object.freeze({})

/** XState hands it to the machine with a message. A call acts through its journal, never through this. */
class Scope {
  readonly self: CallActor

  constructor(self: CallActor) {
    this.self = self
  }

  get system(): CallActor['system'] {
    return this.self.system
  }
}

export class CallActor extends Actor<Logic> {
  readonly #call: Call
  /** The mailbox holds a message, which is being taken: a packet within it would meet a state that is about to change. */
  #isBusy = false

  constructor(system: CallSystem, ports: CallPorts, input: CallInput) {
    const call = new Call(ports, input)
    super(logic, { parent: system.root, id: input.callId, input: call })
    this.#call = call
    Object.assign(this, shared, { _actorScope: new Scope(this) })
    this.start()
    this.options = noOptions
  }

  tell(message: CallMessage): void {
    if (message.type === 'packet') {
      assert(!this.#isBusy, 'the mailbox is empty: a call takes one message at a time')
      this.#call.takePacket(this.getSnapshot(), message)
    } else if (message.type === 'block') {
      assert(!this.#isBusy, 'the mailbox is empty: a call takes one message at a time')
      this.#call.takeBlock(this.getSnapshot(), message)
    } else if (message.type === 'read') this.#call.show(this.getSnapshot(), message)
    else if (message.type === 'compared') this.#call.takeCompared(this.getSnapshot(), message)
    else this.send(message)
  }

  /** An observer would be told before the commit (V3): what is committed is told by settlements. */
  override subscribe(): never {
    throw new Error('a call is not observed')
  }

  override on(): never {
    throw new Error('a call is not observed')
  }

  /** Called by XState alone, with the message in front of the mailbox. */
  take(state: CallMachineSnapshot, message: LifecycleMessage, scope: AnyActorScope): CallMachineSnapshot {
    this.#isBusy = true
    const next = this.#call.take(state, message, (from, entry) => {
      // The machine's actions use nothing of the scope, whose type names the messages of the actor around it.
      const { value, context } = callMachine.transition(from, entry, scope)
      return stateOf(value, context)
    })
    this.#isBusy = false
    return next
  }
}
