/** The port to an AI provider, and the three ways in which one can fail. Messages are shown: no provider's body in them. */

import type { AnalysisResult, HeardWords } from '../protocol/analysis.js'
import type { CallId } from '../protocol/call-id.js'
import type { Media } from '../protocol/media.js'
import type { RedactedText, Said } from '../redaction/redact.js'
import type { StoredPacket } from '../store/journal.js'

/**
 * What an analysis has reached, by key, kept until the call is erased: an attempt goes on where the one before it broke
 * off, in this process or in the next, and so does a retry by hand, because packets do not change any more. Texts are
 * at most `limits.checkpointCharactersMax` long.
 */
export interface AnalysisCheckpoints {
  /** In the order in which the keys were first kept. */
  load(): Promise<ReadonlyMap<string, string>>
  /**
   * Resolves once it is durable. It is progress: the attempt's deadline begins anew, and so do the count and the budget of
   * attempts, which are those of one step. Rejects once the attempt is over.
   */
  save(key: string, text: string): Promise<void>
  /** Likewise, but no progress: something to be remembered of a step that is not done. */
  note(key: string, text: string): Promise<void>
}

/** One stream of the call's packets: a voice, or several that are interleaved. */
export interface AnalysisTrack {
  readonly track: number
  /** Its media as the PBX calls it; null where nobody has said. */
  readonly name: string | null
  readonly media: Media
  /** As the PBX has said; null where it has not. */
  readonly expectedTotal: number | null
  /** In the order of their sequences, a page at a time; never all in memory. */
  packetPages(): AsyncIterable<readonly StoredPacket[]>
}

/** `said` in the order of its time. `isOpen`: more may follow the last of it. */
export type Redact = (said: readonly Said[], isOpen: boolean) => Promise<readonly RedactedText[]>

export interface AnalysisRequest {
  readonly callId: CallId
  /** At least one, by ascending number. */
  readonly tracks: readonly AnalysisTrack[]
  readonly packetCount: number
  readonly checkpoints: AnalysisCheckpoints
  readonly missingCount: number
  readonly missingRanges: readonly (readonly [first: number, last: number])[]
  /** From 1, counted over restarts; a step that is saved and a retry by hand begin anew. */
  readonly attempt: number
  /**
   * The same for every attempt at this call, so that a provider can tell a repetition from a new request; another one
   * after a retry by hand, which must not be answered with what it remembers of the failure.
   */
  readonly idempotencyKey: string
  /** What is heard goes through it before it is kept or sent on; null where nothing is masked. */
  readonly redact: Redact | null
  /** The words are known, and their meaning is not yet. */
  heard(words: HeardWords): void
}

export interface AnalysisProvider {
  /** Shown in the call's view. */
  readonly name: string
  /**
   * One attempt. `signal` aborts at the attempt's deadline, which covers the whole answer, and at shutdown.
   * Throws `ProviderUnavailable` where trying again may help, `ProviderRejected` where it cannot, and
   * `AccountRefused` where nothing will be answered for any call until somebody has acted.
   */
  analyse(request: AnalysisRequest, signal: AbortSignal): Promise<AnalysisResult>
  /** What was said on a call whose analysis has failed, as far as it is kept: nobody is asked. Null where nothing is known. */
  heard?(request: AnalysisRequest): Promise<HeardWords | null>
  /** Nothing is asked any more: connections that were kept may go. */
  close?(): void
}

export class ProviderUnavailable extends Error {
  /** The wait that the provider asked for with `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | null

  constructor(message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'ProviderUnavailable'
    this.retryAfterMs = options.retryAfterMs ?? null
  }
}

/** A fault that a person must mend before any call is answered. */
export const matters = ['key', 'quota', 'permission', 'model', 'address'] as const
export type Matter = (typeof matters)[number]

/** The provider answers nobody with this account, model or address: everything waits, and no call is to blame. */
export class AccountRefused extends ProviderUnavailable {
  readonly matter: Matter

  constructor(message: string, matter: Matter, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, options)
    this.name = 'AccountRefused'
    this.matter = matter
  }
}

export class ProviderRejected extends Error {
  override readonly name = 'ProviderRejected'
}
