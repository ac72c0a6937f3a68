/**
 * What one call sent and what it was answered: the simulator's own truth, which the service's account is held against.
 *
 * A call awaits every answer before it sends on, so the order of sending is the order of arrival, and the expected
 * counts are exact. Only tries without an answer leave something open: each may have arrived (and, if its packet was
 * there already, been counted as a duplicate) or not, so the duplicates are known as a range then.
 */
import assert from 'node:assert/strict'

export type PacketVerdict = 'accepted' | 'duplicate' | 'rejected'
export type Range = readonly [first: number, last: number]

// 0: not sent, or not answered.
const rejected = 1
const stored = 2

export class SendLog {
  readonly packetCount: number
  readonly #fates: Uint8Array
  #answeredSends = 0
  #storedCount = 0
  #lateCount = 0
  #duplicateAnswers = 0
  #rejectedAnswers = 0
  #unansweredTries = 0
  #originalsWithoutAnswer = 0
  #highestStored: number | null = null
  #isCompleted = false

  /** @param packetCount the call's total: sequences 0 … packetCount − 1 */
  constructor(packetCount: number) {
    assert(packetCount >= 1)
    this.packetCount = packetCount
    this.#fates = new Uint8Array(packetCount)
  }

  /**
   * Enters the answer to a packet. `unansweredTries` are the tries of this send that had no answer; they may have
   * arrived. Returns what is wrong with the answer, given all that was sent before, or null.
   */
  recordAnswer(sequence: number, verdict: PacketVerdict, unansweredTries: number): string | null {
    assert(sequence < this.packetCount)
    const before = this.#fates[sequence]
    this.#answeredSends++
    this.#unansweredTries += unansweredTries
    switch (verdict) {
      case 'accepted':
        if (before !== stored) this.#markStored(sequence)
        if (before === stored) return 'accepted a second time'
        return before === rejected ? 'accepted after it had been rejected' : null
      case 'duplicate':
        this.#duplicateAnswers++
        if (before === stored) return null
        this.#markStored(sequence)
        // One of the tries without an answer was the original, so it was not counted as a duplicate.
        if (unansweredTries > 0) this.#originalsWithoutAnswer++
        return unansweredTries > 0
          ? null
          : 'called a duplicate, but had never been sent (is the prefix in use?)'
      case 'rejected':
        this.#rejectedAnswers++
        if (before === stored) return 'rejected, but had been accepted'
        this.#fates[sequence] = rejected
        return this.#isCompleted ? null : 'rejected before the completion'
    }
  }

  recordCompletion(): void {
    this.#isCompleted = true
  }

  #markStored(sequence: number): void {
    this.#fates[sequence] = stored
    this.#storedCount++
    if (this.#highestStored !== null && sequence < this.#highestStored) this.#lateCount++
    else this.#highestStored = sequence
  }

  /** True once an answer said that the packet is stored. */
  isStored(sequence: number): boolean {
    return this.#fates[sequence] === stored
  }

  /** The packets sent and answered: repetitions count, tries again of the same send do not. */
  get answeredSends(): number {
    return this.#answeredSends
  }

  get storedCount(): number {
    return this.#storedCount
  }

  /** The packets stored after a higher sequence of the call. */
  get lateCount(): number {
    return this.#lateCount
  }

  get duplicateAnswers(): number {
    return this.#duplicateAnswers
  }

  get rejectedAnswers(): number {
    return this.#rejectedAnswers
  }

  get unansweredTries(): number {
    return this.#unansweredTries
  }

  get highestStored(): number | null {
    return this.#highestStored
  }

  /** The duplicates that the service may have counted, both ends inclusive; equal when every try was answered. */
  get duplicates(): { readonly least: number; readonly most: number } {
    const open = this.#unansweredTries - this.#originalsWithoutAnswer
    assert(open >= 0)
    return { least: this.#duplicateAnswers, most: this.#duplicateAnswers + open }
  }

  /** Missing of the call's total, or, before the completion, of what the highest stored sequence lets expect. */
  get missingCount(): number {
    const expected = this.#isCompleted ? this.packetCount : (this.#highestStored ?? -1) + 1
    return expected - this.#storedCount
  }

  /** The missing packets of the call's total, as ascending ranges that do not touch. */
  missingRanges(): Range[] {
    const ranges: Range[] = []
    for (let sequence = 0; sequence < this.packetCount; sequence++) {
      if (this.isStored(sequence)) continue
      const first = sequence
      while (sequence + 1 < this.packetCount && !this.isStored(sequence + 1)) sequence++
      ranges.push([first, sequence])
    }
    return ranges
  }
}
