/** One call of a run, however it is played: how its playing went, and what the service must say of it. */
import type { CallTruth, Difference } from './account.js'
import type { SimulateError } from './errors.js'
import { differencesKept } from './limits.js'
import type { CallView } from './service-answers.js'

/** How the playing of a call ended. Only the account of a call that was `played` can be held against the service's. */
export type Playing = { kind: 'playing' } | { kind: 'played' } | { kind: 'broken off'; error: SimulateError }

/** The simulator's own counts. */
export interface CallCounts {
  /** Packets sent and answered, repetitions counted; on a socket, those sent. */
  readonly sent: number
  readonly accepted: number
  readonly duplicate: number
  readonly late: number
  readonly missing: number
  readonly rejected: number
  readonly unansweredTries: number
}

export interface SimulatedCall {
  readonly callId: string
  /** What was wrong with the answers, the first few. */
  readonly differences: Difference[]
  playing: Playing
  readonly counts: CallCounts
  /** Whether the service has taken all that was sent: over HTTP it has answered, on a socket it only says so in its view. */
  isSettled(view: CallView): boolean
  /** `view`: where the service has placed the streams of its sockets. */
  truthOf(view: CallView): CallTruth
}

export function noteDifference({ differences }: SimulatedCall, difference: Difference): void {
  if (differences.length < differencesKept) differences.push(difference)
}
