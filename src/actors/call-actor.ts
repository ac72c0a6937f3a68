/**
 * A call as an XState actor, and the way past it.
 *
 * A packet is a message to the actor, but not an event of the machine: it changes the receive log in place, which costs
 * 0.5 µs where a transition costs 10. It does not pass XState's mailbox either, which would cost another: a turn of
 * JavaScript runs to its end, so there is never a message that it would have to wait for. All that may change more goes
 * through the mailbox, and what it comes to are entries, which are the events of the machine.
 */
import assert from 'node:assert/strict'
import { type ActorLogic, type ActorRefFrom, type AnyActorScope, createActor } from 'xstate'
import { Call, type CallInput, type CallPorts } from './call.js'
import { type CallMachineSnapshot, callMachine } from './call-machine.js'
import type { CallMessage, LifecycleMessage } from './call-messages.js'

/** XState's own last message to an actor that is stopped. */
interface StopMessage {
  readonly type: 'xstate.stop'
}

type Logic = ActorLogic<CallMachineSnapshot, LifecycleMessage | StopMessage>

export class CallActor {
  readonly #call: Call
  /** Made by the first message that may change more than the log: it takes 3 KB, and of 100,000 live calls few do anything but receive. */
  #ref: ActorRefFrom<Logic> | null = null
  /** A message is being taken: a packet within it would be taken by a state that is about to change. */
  #isBusy = false

  constructor(ports: CallPorts, input: CallInput) {
    this.#call = new Call(ports, input)
  }

  tell(message: CallMessage): void {
    if (message.type === 'packet') {
      assert(!this.#isBusy, 'a call takes one message at a time')
      this.#call.takePacket(this.#state(), message)
    } else if (message.type === 'read') this.#call.show(this.#state(), message)
    else {
      this.#ref ??= createActor(this.#logic()).start()
      this.#ref.send(message)
    }
  }

  stop(): void {
    this.#ref?.stop()
  }

  #state(): CallMachineSnapshot {
    return this.#ref?.getSnapshot() ?? this.#call.initial
  }

  #logic(): Logic {
    return {
      getInitialSnapshot: () => this.#call.initial,
      // Not used: the journal persists calls.
      getPersistedSnapshot: (state) => state,
      transition: (state, message, scope) => {
        if (message.type === 'xstate.stop') return state
        this.#isBusy = true
        // The machine's actions use nothing of the scope, whose type names the messages of the actor around it.
        const next = this.#call.take(state, message, (entry) =>
          callMachine.transition(state, entry, scope as AnyActorScope),
        )
        this.#isBusy = false
        return next
      },
    }
  }
}
