/**
 * The picture of the floor, made of the messages of `view=floor` in their order. After a reconnect the old picture
 * stays, marked as being replaced, until the new one is complete; then what the new one does not have is dropped.
 */
import type { CallState } from '../../protocol/call.js'
import type { FeedMessage } from '../../protocol/feed.js'
import type { CallRow, FloorTotals } from '../../protocol/floor.js'
import { CallRecord } from './call-record.js'

export class FloorPicture {
  readonly calls = new Map<string, CallRecord>()
  totals: FloorTotals | null = null
  /** Every call is in it: nothing is missing since the last reset. */
  isComplete = false
  /** There has been a whole picture, so that what is seen now is at worst an old one. */
  wasComplete = false
  /** Rises with every message that changed anything. */
  version = 0
  #generation = 0

  apply(message: FeedMessage): void {
    const at = Date.parse(message.at)
    if (message.event === 'hello' || message.event === 'reset') this.#begin()
    else if (message.event === 'snapshot') {
      for (const row of message.calls) this.#take(row, at)
      if (message.is_last) this.#complete()
    } else if (message.event === 'floor') {
      this.totals = message.totals
      for (const row of message.changed) this.#take(row, at)
      for (const callId of message.gone) this.calls.delete(callId)
    } else if (message.event === 'live') this.#complete()
    else return
    this.version++
  }

  count(state: CallState): number {
    return this.totals?.calls[state] ?? 0
  }

  #begin(): void {
    this.#generation++
    this.isComplete = false
  }

  #take(row: CallRow, at: number): void {
    const known = this.calls.get(row.call_id)
    // An id that was erased and used again is another call.
    if (known !== undefined && known.row.created_at === row.created_at) known.update(row, at, this.#generation)
    else this.calls.set(row.call_id, new CallRecord(row, at, this.#generation))
  }

  #complete(): void {
    if (this.isComplete) return
    for (const [callId, { generation }] of this.calls)
      if (generation !== this.#generation) this.calls.delete(callId)
    this.isComplete = true
    this.wasComplete = true
  }
}
