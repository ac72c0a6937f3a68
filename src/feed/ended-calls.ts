/** The calls that ended last: they stay in the picture for a while, so that a supervisor sees how a call came out. */
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'

export class EndedCalls {
  /** Oldest first. */
  readonly #calls = new Set<CallId>()

  /** Oldest first, from the store. */
  constructor(calls: readonly CallId[] = []) {
    for (const callId of calls.slice(-limits.endedCallsShownMax)) this.#calls.add(callId)
  }

  has(callId: string): boolean {
    return this.#calls.has(callId as CallId)
  }

  /** Returns the call that leaves the picture for it, if one does. */
  add(callId: CallId): CallId | null {
    this.#calls.delete(callId)
    this.#calls.add(callId)
    if (this.#calls.size <= limits.endedCallsShownMax) return null
    const [oldest] = this.#calls
    this.#calls.delete(oldest as CallId)
    return oldest as CallId
  }

  delete(callId: CallId): void {
    this.#calls.delete(callId)
  }

  newestFirst(): readonly CallId[] {
    return [...this.#calls].reverse()
  }
}
