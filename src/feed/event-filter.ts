/** Which events a supervisor wants: by call, by event, by the state of the call. Null admits everything. */
import type { CallState } from '../protocol/call.js'
import type { SupervisorEvent } from '../protocol/event.js'

export interface EventFilter {
  readonly calls: ReadonlySet<string> | null
  readonly events: ReadonlySet<SupervisorEvent['event']> | null
  readonly states: ReadonlySet<CallState> | null
}

export const everything: EventFilter = { calls: null, events: null, states: null }

export function admitsCall({ calls, states }: EventFilter, callId: string, state: CallState | null): boolean {
  return (calls === null || calls.has(callId)) && (states === null || state === null || states.has(state))
}
