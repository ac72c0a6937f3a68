/**
 * Calls that left the memory lately. A call changes only while it is in memory, so a row that was read is still exact as
 * long as the call has not been there since the read began, and has not left since.
 *
 * Bounded (V7): two generations of names. What is no longer remembered counts as left: then the call itself is asked,
 * which is always right.
 */
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'

export class Departures {
  /** By the number of the last departure. */
  #recent = new Map<CallId, number>()
  #older = new Map<CallId, number>()
  #count = 0
  #forgottenThrough = 0
  #recentFrom = 0

  /** To be taken before a read. */
  get mark(): number {
    return this.#count
  }

  add(callId: CallId): void {
    if (this.#recent.size >= limits.departuresKept) {
      this.#older = this.#recent
      this.#recent = new Map()
      this.#forgottenThrough = this.#recentFrom
      this.#recentFrom = this.#count
    }
    this.#recent.set(callId, ++this.#count)
  }

  hasLeftSince(callId: CallId, mark: number): boolean {
    if (mark < this.#forgottenThrough) return true
    return (this.#recent.get(callId) ?? this.#older.get(callId) ?? 0) > mark
  }
}
