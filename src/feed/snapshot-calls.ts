/**
 * The calls of a snapshot, page by page, and a look at each of them.
 *
 * Each call is looked at by `CallRegistry.observe`, whose answer comes at its place among the events. The states are read in
 * the order of the lifecycle, so a call that moves on meanwhile is found in the next one; the calls that ended last come last.
 */

import type { CallMachineSnapshot } from '../actors/call-machine.js'
import { type FoundRow, rowOf } from '../actors/call-registry.js'
import { callRow, damagedCall } from '../actors/call-view.js'
import type { Clock } from '../clock.js'
import { isDamage, VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallReader, DamagedCall, ReplyTo, StoredCall } from '../store/journal.js'
import type { RowText } from './feed-messages.js'

export interface SnapshotCallsPorts {
  readonly reader: Pick<CallReader, 'call' | 'calls'>
  readonly clock: Clock
  /** As the registry's. */
  mark(): number
  observe<T>(
    callId: CallId,
    row: FoundRow | null,
    look: (state: CallMachineSnapshot) => T,
    replyTo: ReplyTo<T | null>,
  ): void
  /** Newest first. */
  endedCalls(): readonly CallId[]
  /** Runs a task when the loop has seen to everything else. */
  soon(task: () => void): void
}

/** Where a scan has come to: a state, and a cursor in its calls. */
export interface ScanPlace {
  readonly step: number
  readonly cursor: number | null
}

interface FoundCalls {
  readonly calls: readonly (StoredCall | DamagedCall)[]
  /** From before they were read. */
  readonly mark: number
}

const unendedStates: readonly CallState[] = ['IN_PROGRESS', 'COMPLETED', 'PROCESSING_AI']

export const beginning: ScanPlace = { step: 0, cursor: null }
export const endedCalls: ScanPlace = { step: unendedStates.length, cursor: null }
export const end: ScanPlace = { step: endedCalls.step + 1, cursor: null }

/** Pages of a state go from the newest call to the oldest. */
export function isBefore(a: ScanPlace, b: ScanPlace): boolean {
  if (a.step !== b.step) return a.step < b.step
  return (a.cursor ?? Number.POSITIVE_INFINITY) > (b.cursor ?? Number.POSITIVE_INFINITY)
}

/** A row as it is sent. */
export function rowText(state: CallMachineSnapshot): RowText {
  return { callId: state.context.callId, state: state.value, text: JSON.stringify(callRow(state)) }
}

export class SnapshotCalls {
  readonly #ports: SnapshotCallsPorts

  constructor(ports: SnapshotCallsPorts) {
    this.#ports = ports
  }

  /** Of a state; `next` is where the next page begins. */
  async page(place: ScanPlace): Promise<FoundCalls & { readonly next: ScanPlace }> {
    const state = unendedStates[place.step] as CallState
    const query = { state, cursor: place.cursor, limit: limits.callsPageMax }
    const mark = this.#ports.mark()
    const { calls, nextCursor } = await this.#trying(() => this.#ports.reader.calls(query))
    const next =
      nextCursor === null ? { step: place.step + 1, cursor: null } : { ...place, cursor: nextCursor }
    return { calls, mark, next }
  }

  async *endedPages(): AsyncGenerator<FoundCalls> {
    const ended = this.#ports.endedCalls()
    for (let i = 0; i < ended.length; i += limits.snapshotLooks) {
      const part = ended.slice(i, i + limits.snapshotLooks)
      const mark = this.#ports.mark()
      const found = await this.#trying(() =>
        Promise.all(part.map((callId) => this.#ports.reader.call(callId))),
      )
      yield { calls: found.filter((call) => call !== null), mark }
    }
  }

  /** `seen` is told each row in the very turn in which it is true. */
  async show({ calls, mark }: FoundCalls, seen: (row: RowText) => void): Promise<void> {
    for (let i = 0; i < calls.length; i += limits.snapshotLooks) {
      const part = calls.slice(i, i + limits.snapshotLooks)
      await Promise.all(part.map((call) => this.#look(call, mark, seen)))
      await new Promise<void>((resolve) => this.#ports.soon(resolve))
    }
  }

  /** Resolves when the row was told. A call that was erased meanwhile has none. */
  async #look(call: StoredCall | DamagedCall, mark: number, seen: (row: RowText) => void): Promise<void> {
    const { callId } = call
    try {
      await this.#observe(callId, rowOf(call, mark), seen)
    } catch (error) {
      if (!isDamage(error)) throw error
      const state = call.snapshot?.state ?? (call as DamagedCall).state
      const text = JSON.stringify(damagedCall(callId, state))
      seen({ callId, state, isDamaged: true, text })
    }
  }

  #observe(callId: CallId, found: FoundRow | null, seen: (row: RowText) => void): Promise<void> {
    return this.#trying(
      () =>
        new Promise<void>((resolve, reject) =>
          this.#ports.observe(callId, found, rowText, {
            answered: (row) => {
              if (row !== null) seen(row)
              resolve()
            },
            failed: reject,
          }),
        ),
    )
  }

  /** The reader is overloaded, or a commit failed: both pass. */
  async #trying<T>(ask: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await ask()
      } catch (error) {
        const passes = error instanceof VoiceStreamError && !isDamage(error)
        if (!passes || tries === limits.snapshotTriesMax) throw error
        await new Promise<void>((resolve) => this.#ports.clock.after(limits.snapshotRetryMs, resolve))
      }
    }
  }
}
