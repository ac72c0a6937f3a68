/** Passes committed facts on to the feed, the deadlines and the counts, in commit order over all calls. */
import type { Millis } from '../clock.js'
import { unreachable } from '../errors.js'
import type { CallContext } from './call-context.js'
import type { LifecycleEvent } from './call-events.js'
import type { CallFacts } from './call-facts.js'
import type { CallMachineSnapshot } from './call-machine.js'
import type { CallPorts } from './call-ports.js'

/** `initial` is what the actor started from. */
export function tellFacts(ports: CallPorts, initial: CallContext, facts: CallFacts): void {
  switch (facts.kind) {
    case 'packet':
      if (facts.isFirst) tellBegun(ports, initial)
      if (facts.isLate) ports.late()
      if (facts.heard > 0) ports.heard(facts.heard)
      return ports.publishPacket(facts)
    case 'block':
      if (facts.isFirst) tellBegun(ports, initial)
      if (facts.heard > 0) ports.heard(facts.heard)
      return ports.publishBlock(facts)
    case 'lived':
      if (facts.isFirst) tellBegun(ports, initial)
      return tellLived(ports, facts.next, facts.events)
    case 'erased':
      return ports.erased(initial.callId, facts.state)
    case 'passive':
      return
    default:
      return unreachable(facts)
  }
}

/** The call is in the journal: its deadline is armed and its state counted. */
function tellBegun(ports: CallPorts, initial: CallContext): void {
  ports.arm(initial.callId, initial.dueAt as Millis)
  ports.stateChanged(null, 'IN_PROGRESS', initial)
}

function tellLived(
  ports: CallPorts,
  { context }: CallMachineSnapshot,
  events: readonly LifecycleEvent[],
): void {
  ports.changed(context)
  for (const event of events) {
    ports.publish(event)
    if (event.event === 'state_changed') ports.stateChanged(event.from_state, event.to_state, context)
  }
  if (context.dueAt !== null) ports.arm(context.callId, context.dueAt)
}
