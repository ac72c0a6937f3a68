/**
 * Calls that left the memory lately, and calls that were erased. A call changes only while it is in memory, so a row that
 * was read is still exact as long as the call has not been there since the read began, and has not left since.
 *
 * Bounded (V7): two generations of names. A forgotten name counts as gone, and its call is asked for again.
 */
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'

/** Names with the number of what happened to each last. */
class RecentNames {
  #recent = new Map<CallId, number>()
  #older = new Map<CallId, number>()
  #recentAfter = 0
  #forgottenThrough = 0

  add(callId: CallId, number: number): void {
    if (this.#recent.size >= limits.departuresKept) {
      this.#older = this.#recent
      this.#recent = new Map()
      this.#forgottenThrough = this.#recentAfter
      this.#recentAfter = number - 1
    }
    this.#recent.set(callId, number)
  }

  /** True as well when nobody knows any more. */
  hasSince(callId: CallId, mark: number): boolean {
    if (mark < this.#forgottenThrough) return true
    return (this.#recent.get(callId) ?? this.#older.get(callId) ?? 0) > mark
  }
}

export class Departures {
  readonly #left = new RecentNames()
  readonly #erased = new RecentNames()
  #count = 0

  /** To be taken before a read. */
  get mark(): number {
    return this.#count
  }

  left(callId: CallId): void {
    this.#left.add(callId, ++this.#count)
  }

  /** It left when its erasure was appended; its row could be read until now. */
  erased(callId: CallId): void {
    this.left(callId)
    this.#erased.add(callId, this.#count)
  }

  hasLeftSince(callId: CallId, mark: number): boolean {
    return this.#left.hasSince(callId, mark)
  }

  wasErasedSince(callId: CallId, mark: number): boolean {
    return this.#erased.hasSince(callId, mark)
  }
}
