/**
 * How a call's messages are answered: what is told, and to whom, once the journal has committed what they rest on, or has
 * failed to. A failure of what was appended drops the actor, whose memory is then ahead of the journal (V6).
 */
import type { Millis } from '../clock.js'
import type { VoiceStreamError } from '../errors.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Settlement } from '../store/journal.js'
import type { CallMachineSnapshot } from './call-machine.js'
import type { Arrival } from './receive-log.js'

/** The account of a call at the moment that it took a packet; sent when that is durable. */
export interface ReceiptFacts {
  readonly status: 'accepted' | 'duplicate' | 'rejected'
  readonly callId: CallId
  readonly sequence: number
  readonly totalReceived: number
  readonly missingSequences: readonly number[]
  readonly missingCount: number
  readonly receivedAt: Millis
  /** The call's state then. */
  readonly state: CallState
}

/** What the floor counts beside it. */
export interface ArrivalFacts extends ReceiptFacts {
  /** The packet closed a gap. */
  readonly isLate: boolean
  /** So many numbers it jumped over, which are missing since. */
  readonly skippedCount: number
}

export interface ReplyTo<Answer> {
  answered(answer: Answer): void
  failed(error: VoiceStreamError): void
}

/** The call that is told. */
export interface SettledCall {
  received(facts: ArrivalFacts): void
  /** With its first deadline. */
  created(dueAt: Millis): void
  failed(): void
}

export class Answer<T> implements Settlement {
  readonly #replyTo: ReplyTo<T>
  readonly #answer: T

  constructor(replyTo: ReplyTo<T>, answer: T) {
    this.#replyTo = replyTo
    this.#answer = answer
  }

  committed(): void {
    this.#replyTo.answered(this.#answer)
  }

  failed(error: VoiceStreamError): void {
    this.#replyTo.failed(error)
  }
}

/** What a packet came to: its facts, and the settlement that tells them. One object, because there is one a packet. */
export class PacketReceipt implements Settlement, ArrivalFacts {
  readonly status: ReceiptFacts['status']
  readonly callId: CallId
  readonly sequence: number
  readonly totalReceived: number
  readonly missingSequences: readonly number[]
  readonly missingCount: number
  readonly receivedAt: Millis
  readonly state: CallState
  /** It closed a gap. */
  isLate = false
  skippedCount = 0
  readonly #call: SettledCall
  readonly #replyTo: ReplyTo<ReceiptFacts>

  constructor(
    status: ReceiptFacts['status'],
    state: CallMachineSnapshot,
    sequence: number,
    receivedAt: Millis,
    call: SettledCall,
    replyTo: ReplyTo<ReceiptFacts>,
  ) {
    const { log, callId } = state.context
    this.status = status
    this.callId = callId
    this.sequence = sequence
    this.totalReceived = log.totalReceived
    this.missingSequences = log.missingSequences()
    this.missingCount = log.missingCount
    this.receivedAt = receivedAt
    this.state = state.value
    this.#call = call
    this.#replyTo = replyTo
  }

  /** Out of order; nearly all packets are in it. */
  arrived(arrival: Arrival, missingBefore: number): void {
    this.isLate = arrival === 'late'
    this.skippedCount = Math.max(0, this.missingCount - missingBefore)
  }

  committed(): void {
    this.#replyTo.answered(this)
    this.#call.received(this)
  }

  failed(error: VoiceStreamError): void {
    this.#call.failed()
    this.#replyTo.failed(error)
  }
}

/** After a failed commit the actor is ahead of the journal, whatever it appended. */
export class DroppingSettlement implements Settlement {
  readonly #call: SettledCall
  readonly #answer: Settlement

  constructor(call: SettledCall, answer: Settlement) {
    this.#call = call
    this.#answer = answer
  }

  committed(): void {
    this.#answer.committed()
  }

  failed(error: VoiceStreamError): void {
    this.#call.failed()
    this.#answer.failed(error)
  }
}

/** Once it is committed, something is told of the call before the answer. */
export class AnnouncingSettlement implements Settlement {
  readonly #announce: () => void
  readonly #answer: Settlement

  constructor(announce: () => void, answer: Settlement) {
    this.#announce = announce
    this.#answer = answer
  }

  committed(): void {
    this.#announce()
    this.#answer.committed()
  }

  failed(error: VoiceStreamError): void {
    this.#answer.failed(error)
  }
}
