/**
 * The way out of memory: a call that has been silent for a while has its snapshot journaled, and goes once that is
 * committed and nothing else has come. It looks at a bounded part of the calls at a time.
 */
import type { Clock, Millis } from '../clock.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallStream, Journal } from '../store/journal.js'
import type { CallActor } from './call-actor.js'

/** A call in memory. */
export interface WatchedCall {
  readonly actor: CallActor
  readonly stream: CallStream
  /** How many messages it was told; the sweep finds silent calls by it without a look at the clock for each message. */
  messages: number
  messagesAtSweep: number
  silentSince: Millis
  isPassivating: boolean
}

export interface PassivationPorts {
  readonly clock: Clock
  readonly journal: Pick<Journal, 'hasPending'>
  readonly calls: ReadonlyMap<CallId, WatchedCall>
  /** The call is in the journal, and nobody has anything more for it. */
  drop(callId: CallId): void
}

export class Passivation {
  readonly #ports: PassivationPorts
  #sweep: Iterator<[CallId, WatchedCall]> | null = null
  #cancel: (() => void) | null = null

  constructor(ports: PassivationPorts) {
    this.#ports = ports
  }

  start(): void {
    this.#cancel = this.#ports.clock.after(limits.sweepMs, () => {
      this.#sweepSome()
      this.start()
    })
  }

  stop(): void {
    this.#cancel?.()
  }

  /** For a clean stop: every call's snapshot is journaled. Nothing may be told to calls any more. */
  async passivateAll(): Promise<void> {
    for (const part of inParts([...this.#ports.calls], limits.sweepCalls))
      await Promise.all(
        part.map(([callId, call]) => new Promise<void>((resolve) => this.#passivate(callId, call, resolve))),
      )
  }

  #sweepSome(): void {
    const now = this.#ports.clock.now()
    this.#sweep ??= this.#ports.calls.entries()
    for (let i = 0; i < limits.sweepCalls; i++) {
      const next = this.#sweep.next()
      if (next.done) {
        this.#sweep = null
        return
      }
      const [callId, call] = next.value
      if (call.messages !== call.messagesAtSweep) {
        call.messagesAtSweep = call.messages
        call.silentSince = now
      } else if (now - call.silentSince >= limits.passivateAfterMs) this.#passivate(callId, call, () => {})
    }
  }

  #passivate(callId: CallId, call: WatchedCall, done: () => void): void {
    if (call.isPassivating) return done()
    call.isPassivating = true
    const { messages } = call
    const { calls, journal, drop } = this.#ports
    const end = (isIdle: boolean) => {
      call.isPassivating = false
      if (isIdle && calls.get(callId) === call && !journal.hasPending(call.stream)) drop(callId)
      done()
    }
    // A message that came between is journaled after the snapshot, so keeping the actor is always right.
    const replyTo = { answered: () => end(call.messages === messages), failed: () => end(false) }
    call.actor.tell({ type: 'passivate', replyTo })
  }
}

function* inParts<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size)
}
