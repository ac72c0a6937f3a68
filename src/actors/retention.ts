/**
 * Ended calls are erased when they have been kept for long enough: by the service's clock, a bounded part at a time, and
 * on the same path as an erasure that somebody asks for. A call that has moved on meanwhile is kept.
 */
import type { Clock, Millis } from '../clock.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallReader, EndedCursor } from '../store/journal.js'
import type { Owners } from '../store/owners.js'

export interface RetentionPorts {
  readonly clock: Clock
  readonly reader: Pick<CallReader, 'ended'>
  readonly owners: Owners
  /** How long a call is kept after its end. */
  readonly keepMs: Millis
  /** Resolves when the call is erased, or has turned out not to have ended by then. */
  erase(callId: CallId, endedThrough: Millis): Promise<unknown>
  /** Calls were erased by their age. */
  passed(calls: number): void
  /** So many could not be erased, one of them for this reason. They are tried again when all others have been. */
  kept(calls: number, error: unknown): void
  /** Nothing could be read. It is tried again at the next look. */
  failed(error: unknown): void
}

const beginning: EndedCursor = { endedAt: Number.MIN_SAFE_INTEGER, key: 0 }

export class Retention {
  readonly #ports: RetentionPorts
  #cancel: (() => void) | null = null
  #pass: Promise<void> = Promise.resolve()
  #isStopped = false
  #oldestEndedAt: Millis | null = null
  /** Where the walk over the ended calls has come to. */
  #place = beginning

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

  /** Whether there may be more to erase right now. */
  async #eraseSome(): Promise<boolean> {
    const { clock, reader, owners, keepMs, erase, passed, kept } = this.#ports
    const endedThrough = clock.now() - keepMs
    const calls = await reader.ended(this.#place, endedThrough, limits.retentionPageCalls)
    const own = calls.filter(({ callId }) => owners.owns(callId))
    const outcomes = await Promise.allSettled(own.map(({ callId }) => erase(callId, endedThrough)))
    const failures = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    if (failures[0] !== undefined) kept(failures.length, failures[0].reason)
    const erased = own.length - failures.length
    if (erased > 0) passed(erased)
    const last = calls.at(-1)
    const isMore = last !== undefined && calls.length === limits.retentionPageCalls
    this.#place = isMore ? last : beginning
    const [oldest] = await reader.ended(beginning, Number.MAX_SAFE_INTEGER, 1)
    this.#oldestEndedAt = oldest?.endedAt ?? null
    // A page of which nothing could be erased may be the store's fault: then all of them would be tried for nothing.
    return isMore && (erased > 0 || own.length === 0)
  }
}
