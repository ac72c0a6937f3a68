/**
 * Ended calls are erased when they have been kept for long enough: by the service's clock, a bounded part at a time, and
 * on the same path as an erasure that somebody asks for. A call that has moved on meanwhile is kept.
 */
import type { Clock, Millis } from '../clock.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallReader } from '../store/journal.js'

export interface RetentionPorts {
  readonly clock: Clock
  readonly reader: Pick<CallReader, 'ended'>
  /** How long a call is kept after its end. */
  readonly keepMs: Millis
  /** Resolves when the call is erased, or has turned out not to have ended by then. */
  erase(callId: CallId, endedThrough: Millis): Promise<unknown>
  /** Calls were erased by their age. */
  passed(calls: number): void
  /** It is tried again at the next look. */
  failed(error: unknown): void
}

export class Retention {
  readonly #ports: RetentionPorts
  #cancel: (() => void) | null = null
  #pass: Promise<void> = Promise.resolve()
  #isStopped = false
  #oldestEndedAt: Millis | null = null

  constructor(ports: RetentionPorts) {
    this.#ports = ports
  }

  /** The end of the call that is kept longest, at the last look. */
  get oldestEndedAt(): Millis | null {
    return this.#oldestEndedAt
  }

  start(): void {
    this.#pass = this.#look()
  }

  /** Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancel?.()
    await this.#pass
  }

  async #look(): Promise<void> {
    let isBehind = false
    try {
      isBehind = await this.#eraseSome()
    } catch (error) {
      this.#ports.failed(error)
    }
    if (this.#isStopped) return
    const afterMs = isBehind ? limits.retentionPauseMs : limits.retentionLookMs
    this.#cancel = this.#ports.clock.after(afterMs, () => {
      this.#pass = this.#look()
    })
  }

  /** Whether there may be more. */
  async #eraseSome(): Promise<boolean> {
    const { clock, reader, keepMs, erase, passed } = this.#ports
    const endedThrough = clock.now() - keepMs
    const calls = await reader.ended(endedThrough, limits.retentionPageCalls)
    await Promise.all(calls.map(({ callId }) => erase(callId, endedThrough)))
    if (calls.length > 0) passed(calls.length)
    const [oldest] = await reader.ended(Number.MAX_SAFE_INTEGER, 1)
    this.#oldestEndedAt = oldest?.endedAt ?? null
    return calls.length === limits.retentionPageCalls
  }
}
