/** The port to an AI provider, and the three ways in which one can fail. Messages are shown: no provider's body in them. */

import type { AnalysisResult } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { StoredPacket } from '../store/journal.js'

export interface AnalysisRequest {
  readonly callId: CallId
  /** The call's packets in the order of their sequences, a page at a time; never all in memory. */
  packets(): AsyncIterable<StoredPacket>
  readonly packetCount: number
  readonly missingCount: number
  readonly missingRanges: readonly (readonly [first: number, last: number])[]
  /** From 1, counted over restarts; a retry by hand begins anew. */
  readonly attempt: number
  /**
   * The same for every attempt at this call, so that a provider can tell a repetition from a new request; another one
   * after a retry by hand, which must not be answered with what it remembers of the failure.
   */
  readonly idempotencyKey: string
}

export interface AnalysisProvider {
  /** Shown in the call's view. */
  readonly name: string
  /**
   * One attempt. `signal` aborts at the attempt's deadline, which covers the whole answer, and at shutdown.
   * Throws `ProviderUnavailable` where trying again may help, `ProviderRejected` where it cannot, and
   * `ProviderExhausted` where nothing will be answered for any call until somebody has acted.
   */
  analyse(request: AnalysisRequest, signal: AbortSignal): Promise<AnalysisResult>
}

export class ProviderUnavailable extends Error {
  /** What the provider asked for with `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | null

  constructor(message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'ProviderUnavailable'
    this.retryAfterMs = options.retryAfterMs ?? null
  }
}

/** No quota, no credit: everything waits, and no call is to blame. */
export class ProviderExhausted extends ProviderUnavailable {
  constructor(message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, options)
    this.name = 'ProviderExhausted'
  }
}

export class ProviderRejected extends Error {
  override readonly name = 'ProviderRejected'
}
