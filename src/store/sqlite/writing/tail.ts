/**
 * The journal's tail in the writer's memory: which packets of which call are committed but not yet folded into a run.
 *
 * It plans folds and learns what was committed; a plan changes nothing before `folded`, so a failed transaction needs
 * no undoing. Batches are kept whole until all of them is folded; past `limits.tailBytesMax` the oldest ones are
 * folded whatever their runs hold, so memory and the journal table stay bounded (V7).
 */
import assert from 'node:assert/strict'
import { limits } from '../../../limits.js'
import {
  erasedKey,
  eraseRecord,
  recordCallKey,
  recordEnd,
  recordStarts,
  recordVersion,
} from '../packet-record.js'
import type { RecordPage } from '../thread-messages.js'
import { PendingCall, type PendingRecord, type TailBatch } from './pending-call.js'

/** Whether a call's packet of that version is in a run. */
export type IsFolded = (callKey: number, version: number) => boolean

export interface Fold {
  readonly callKey: number
  /** In the order of their appends. */
  readonly records: readonly Buffer[]
}

export interface FoldPlan {
  readonly folds: readonly Fold[]
  /** Journal rows that hold nothing else. */
  readonly emptied: readonly number[]
}

export interface ErasurePlan {
  readonly callKeys: ReadonlySet<number>
  /** Journal rows that hold packets of other calls, too, and what is left of them. */
  readonly rewritten: readonly { readonly offset: number; readonly records: Buffer }[]
  /** Journal rows that hold nothing else. */
  readonly emptied: readonly number[]
}

export class Tail {
  readonly #batches = new Map<number, TailBatch>()
  readonly #pending = new Map<number, PendingCall>()
  /** Calls with a full run pending, and silent ones with anything pending. */
  readonly #due = new Set<number>()
  /** Those of them that this sweep has still to come to, the next one last. A call may have been folded since. */
  #sweep: number[] = []
  /** Pending packets of the calls that are due. */
  #dueBytes = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  get batchCount(): number {
    return this.#batches.size
  }

  /** A batch is committed. After a restart part of it may have been folded before: `isFolded` knows. */
  add(offset: number, records: Buffer, isFolded: IsFolded = () => false): void {
    const batch: TailBatch = { offset, records, pending: 0 }
    for (let at = 0, end = 0; at < records.length; at = end) {
      end = recordEnd(records, at)
      const callKey = recordCallKey(records, at)
      if (callKey === erasedKey || isFolded(callKey, recordVersion(records, at))) continue
      batch.pending++
      this.#addRecord(callKey, { batch, at }, end - at)
    }
    assert(batch.pending > 0, 'a journal row goes with the last of its records')
    this.#batches.set(offset, batch)
    this.#bytes += records.length
  }

  #addRecord(callKey: number, record: PendingRecord, bytes: number): void {
    const known = this.#pending.get(callKey)
    const call = known ?? new PendingCall()
    if (known === undefined) this.#pending.set(callKey, call)
    call.add(record, bytes)
    if (this.#due.has(callKey)) this.#dueBytes += bytes
    else if (call.records.length >= limits.runPackets) this.#makeDue(callKey, call)
  }

  #makeDue(callKey: number, { bytes }: PendingCall): void {
    this.#due.add(callKey)
    this.#dueBytes += bytes
  }

  /**
   * Nothing more is expected of a call: what is pending of it will never be a full run. Left here it would keep every
   * batch that it stands in, the packets of other calls with it.
   */
  settle(callKey: number): void {
    const call = this.#pending.get(callKey)
    if (call !== undefined && !this.#due.has(callKey)) this.#makeDue(callKey, call)
  }

  /** The lowest packets of a call that are committed and not folded yet; a copy. */
  page(callKey: number, from: number, limit: number): RecordPage {
    return this.#pending.get(callKey)?.page(from, limit) ?? { records: new Uint8Array(0), nextFrom: null }
  }

  /** Packets of a call that are committed behind a version and not folded yet, in the order of their appends, without their data. */
  headsAfter(callKey: number, version: number): Uint8Array<ArrayBuffer> {
    return this.#pending.get(callKey)?.headsAfter(version) ?? new Uint8Array(0)
  }

  /** The packets to fold now: about `recordsMax` records. */
  plan(recordsMax: number): FoldPlan {
    const chosen = new Map<number, readonly PendingRecord[]>()
    let room = recordsMax
    const choose = (callKey: number) => {
      const pending = this.#pending.get(callKey)?.records
      if (pending === undefined || chosen.has(callKey)) return
      chosen.set(callKey, pending)
      room -= pending.length
    }
    if (this.#dueBytes >= limits.foldBytesMin)
      for (const callKey of this.#dueByKey()) {
        if (room <= 0) break
        choose(callKey)
      }
    if (this.#bytes > limits.tailBytesMax) this.#chooseOldest(choose, () => room > 0)
    return this.#planOf(chosen)
  }

  /** In sweeps over the keys, because the runs of neighbours share the pages of the index. */
  *#dueByKey(): Generator<number> {
    while (this.#sweep.length > 0 && !this.#due.has(this.#sweep.at(-1) as number)) this.#sweep.pop()
    if (this.#sweep.length === 0) this.#sweep = [...this.#due].sort((a, b) => b - a)
    for (let i = this.#sweep.length - 1; i >= 0; i--) {
      const callKey = this.#sweep[i] as number
      if (this.#due.has(callKey)) yield callKey
    }
  }

  /** Everything of the calls of the oldest batch, whatever their runs hold. */
  planOldest(): FoldPlan {
    const chosen = new Map<number, readonly PendingRecord[]>()
    const [oldest] = this.#batches.values()
    if (oldest !== undefined)
      for (const at of recordStarts(oldest.records)) {
        const callKey = recordCallKey(oldest.records, at)
        const pending = this.#pending.get(callKey)?.records
        if (pending !== undefined) chosen.set(callKey, pending)
      }
    return this.#planOf(chosen)
  }

  #chooseOldest(choose: (callKey: number) => void, hasRoom: () => boolean): void {
    for (const batch of this.#batches.values())
      for (const at of recordStarts(batch.records)) {
        if (!hasRoom()) return
        choose(recordCallKey(batch.records, at))
      }
  }

  #planOf(chosen: ReadonlyMap<number, readonly PendingRecord[]>): FoldPlan {
    const taken = new Map<TailBatch, number>()
    const folds: Fold[] = []
    for (const [callKey, pending] of chosen) {
      const records = pending.map(({ batch, at }) => {
        taken.set(batch, (taken.get(batch) ?? 0) + 1)
        return batch.records.subarray(at, recordEnd(batch.records, at))
      })
      folds.push({ callKey, records })
    }
    const emptied = [...taken]
      .filter(([batch, count]) => batch.pending === count)
      .map(([batch]) => batch.offset)
    return { folds, emptied }
  }

  /** The parts of these calls to erase: folded packets, too, because their rows stay until all of them is folded. */
  planErasure(callKeys: ReadonlySet<number>): ErasurePlan {
    const pendingIn = new Map<TailBatch, number>()
    for (const callKey of callKeys)
      for (const { batch } of this.#pending.get(callKey)?.records ?? [])
        pendingIn.set(batch, (pendingIn.get(batch) ?? 0) + 1)
    const rewritten: { offset: number; records: Buffer }[] = []
    const emptied: number[] = []
    for (const batch of this.#batches.values()) {
      const { offset, records, pending } = batch
      if (pendingIn.get(batch) === pending) {
        emptied.push(offset)
        continue
      }
      const starts = [...recordStarts(records)].filter((at) => callKeys.has(recordCallKey(records, at)))
      if (starts.length === 0) continue
      const blank = Buffer.from(records)
      for (const at of starts) eraseRecord(blank, at)
      rewritten.push({ offset, records: blank })
    }
    return { callKeys, rewritten, emptied }
  }

  /** The plan is committed. Nothing was added since it was made. */
  erased({ callKeys, rewritten, emptied }: ErasurePlan): void {
    for (const callKey of callKeys) this.#forget(callKey)
    for (const { offset, records } of rewritten) {
      const batch = this.#batches.get(offset)
      assert(batch !== undefined, 'what is rewritten is there')
      batch.records = records
    }
    this.#removeBatches(emptied)
  }

  /** The plan is committed. Nothing was added since it was made. */
  folded(plan: FoldPlan): void {
    for (const { callKey } of plan.folds) {
      assert(this.#pending.has(callKey), 'what is folded was pending')
      this.#forget(callKey)
    }
    this.#removeBatches(plan.emptied)
  }

  #forget(callKey: number): void {
    const call = this.#pending.get(callKey)
    if (call === undefined) return
    for (const { batch } of call.records) batch.pending--
    this.#pending.delete(callKey)
    if (this.#due.delete(callKey)) this.#dueBytes -= call.bytes
  }

  #removeBatches(offsets: readonly number[]): void {
    for (const offset of offsets) {
      this.#bytes -= this.#batches.get(offset)?.records.length ?? 0
      this.#batches.delete(offset)
    }
  }
}
