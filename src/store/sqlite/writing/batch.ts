/** A batch of appends, and the stream of a call, as the main thread keeps them with their waiting settlements. */
import type { CallId } from '../../../protocol/call-id.js'
import type { CallStream, Settlement } from '../../journal.js'
import type { CallRow, LifecycleRow } from '../thread-messages.js'

/** A batch's appends are pending until all of them were told that they are committed, or that they failed. */
type BatchState = 'pending' | 'committed' | 'failed'

export class Batch {
  readonly id: number
  state: BatchState = 'pending'
  /** When its first append came. */
  openedAt = 0
  /** So many settlements have been told, the one that is being told included. */
  told = 0
  packets = 0
  /** Settlements that somebody waits for. */
  awaited = 0
  bytes = 0
  /** Of what lifecycle entries carry, about; the last one may go beyond the bound. */
  textBytes = 0
  readonly settlements: Settlement[] = []
  readonly calls: CallRow[] = []
  readonly lifecycle: LifecycleRow[] = []
  /** Keys of calls. What the batch holds of them was appended before. */
  readonly erasures: number[] = []

  constructor(id: number) {
    this.id = id
  }

  /** The index of the settlement in the batch. */
  add(settlement: Settlement): number {
    if (this.isEmpty) this.openedAt = performance.now()
    if (settlement.replyTo.isPatient !== true) this.awaited++
    return this.settlements.push(settlement) - 1
  }

  get isEmpty(): boolean {
    return this.settlements.length === 0
  }

  /** All have been told. A live call refers to its last batch, so what lay in it must not stay as long as the call does. */
  letGo(): void {
    this.settlements.length = 0
    this.calls.length = 0
    this.lifecycle.length = 0
    this.erasures.length = 0
  }
}

export class Stream implements CallStream {
  readonly callId: CallId
  readonly key: number
  version: number
  /** The batch of the last append, and where in it the stream's last settlement stands. */
  batch: Batch | null = null
  last = 0
  isReleased = false

  constructor(callId: CallId, key: number, version: number) {
    this.callId = callId
    this.key = key
    this.version = version
  }

  /** Nothing can be appended to it any more. */
  get isDead(): boolean {
    return this.isReleased || this.batch?.state === 'failed'
  }

  get isPending(): boolean {
    return this.batch !== null && this.batch.state === 'pending' && this.batch.told <= this.last
  }

  wait(batch: Batch, settlement: Settlement): void {
    this.batch = batch
    this.last = batch.add(settlement)
  }
}
