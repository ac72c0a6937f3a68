/**
 * The picture of the floor, made of the messages of `view=floor` in their order. After a reconnect the old picture
 * stays, marked as being replaced, until the new one is complete; then what the new one does not have is dropped.
 */
import type { CallState } from '../../protocol/call.js'
import type { CallRow, FloorTotals } from '../../protocol/floor.js'
import { CallRecord } from './call-record.js'

export class FloorPicture {
  readonly calls = new Map<string, CallRecord>()
  /** Calls of which the service cannot read what it has stored. */
  readonly damaged = new Set<string>()
  totals: FloorTotals | null = null
  /** Every call is in it: nothing is missing since the last reset. */
  isComplete = false
  /** There has been a whole picture, so that what is seen now is at worst an old one. */
  wasComplete = false
  #generation = 0

  /** Another picture follows, of which nothing is here yet. */
  begin(): void {
    this.#generation++
    this.isComplete = false
    this.damaged.clear()
  }

  take(rows: readonly CallRow[], at: number): void {
    for (const row of rows) {
      const known = this.calls.get(row.call_id)
      // An id that was erased and used again is another call.
      if (known?.row.created_at === row.created_at) known.update(row, at, this.#generation)
      else this.calls.set(row.call_id, new CallRecord(row, at, this.#generation))
    }
  }

  remove(callIds: readonly string[]): void {
    for (const callId of callIds) {
      this.calls.delete(callId)
      this.damaged.delete(callId)
    }
  }

  complete(): void {
    for (const [callId, { generation }] of this.calls)
      if (generation !== this.#generation) this.calls.delete(callId)
    this.isComplete = true
    this.wasComplete = true
  }

  count(state: CallState): number {
    return this.totals?.calls[state] ?? 0
  }
}
