/**
 * Group commit: from an append to its commit.
 *
 * Owns the open batch. Appends are encoded into it as they come; when the writer is free the batch is handed over
 * whole, so one commit is the latency at low load and many packets share one at high load. At most one batch is with
 * the writer, at most two are committed and not told yet, and the open one is bounded (V7). When a batch fails,
 * everything in the open one fails with it, because it may build on what was lost (V6).
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import type { VoiceStreamError } from '../../../errors.js'
import { limits } from '../../../limits.js'
import {
  type CallSnapshot,
  factsOf,
  type JournalEntry,
  type Settlement,
  settlementOf,
} from '../../journal.js'
import type { CommitQueue } from '../../service-journal.js'
import { recordHeaderBytes, writeRecord } from '../packet-record.js'
import type { Committed } from '../thread-messages.js'
import { Batch, type Stream } from './batch.js'
import { Teller } from './teller.js'

export interface CommitFigures {
  readonly packets: number
  readonly bytes: number
  readonly commitMs: number
  readonly tailBytes: number
  readonly walPages: number
}

/** The outcome of the batch that was handed over. */
export interface CommitOutcome {
  committed(commit: Committed): void
  fail(error: VoiceStreamError): void
}

export interface GroupCommitPorts {
  /** The writer is to commit the batch, and to tell what came of it. */
  handOver(batch: Batch, records: ArrayBuffer, outcome: CommitOutcome): void
  readonly onCommit?: ((commit: CommitFigures) => void) | undefined
  /** So many appends were told that they failed. */
  readonly onCommitFailed?: ((appends: number, error: VoiceStreamError) => void) | undefined
}

const commitsAveraged = 8

export class GroupCommit implements CommitOutcome, CommitQueue {
  readonly #ports: GroupCommitPorts
  readonly #staging = Buffer.allocUnsafeSlow(limits.journalQueueBytesMax)
  #open = new Batch(1)
  #sent: Batch | null = null
  readonly #teller = new Teller(() => this.#pumpOpen())
  #isPumping = false
  #isGathering = false
  #isStopped = false
  /** Settlements of the last batch. */
  #lastAwaited = 0
  #commitMs = 0

  constructor(ports: GroupCommitPorts) {
    this.#ports = ports
  }

  /** Everything that waits for its settlement. Asked for each line of a bulk request. */
  get queuedEntries(): number {
    return this.#open.settlements.length + (this.#sent?.settlements.length ?? 0) + this.#teller.untold
  }

  /** Appends that wait for the next commit. */
  get openEntries(): number {
    return this.#open.settlements.length
  }

  get openBytes(): number {
    return this.#open.bytes
  }

  /** For so long the oldest append has waited for its settlement, in milliseconds; 0 when none does. */
  get lagMs(): number {
    const oldest = this.#teller.oldest ?? this.#sent ?? this.#open
    return oldest.isEmpty ? 0 : performance.now() - oldest.openedAt
  }

  /** The time that a commit takes at present: rises with a slow one at once, and falls over several. */
  get commitMs(): number {
    return this.#commitMs
  }

  hasRoom(dataBytes: number): boolean {
    return (
      this.#open.settlements.length < limits.journalQueueEntriesMax &&
      this.#open.bytes + this.#open.textBytes + recordHeaderBytes + dataBytes <= limits.journalQueueBytesMax
    )
  }

  append(
    stream: Stream,
    entries: readonly JournalEntry[],
    snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void {
    const batch = this.#open
    for (const entry of entries) {
      stream.version++
      if (entry.type === 'packet') {
        assert(this.hasRoom(entry.data.length), 'room is asked for before an append')
        batch.bytes = writeRecord(this.#staging, batch.bytes, stream.key, stream.version, entry)
        batch.packets++
      } else {
        const text = 'text' in entry ? entry.text : null
        batch.textBytes += text?.length ?? 0
        batch.lifecycle.push({
          callKey: stream.key,
          version: stream.version,
          type: entry.type,
          entry: JSON.stringify(factsOf(entry)),
          text,
        })
      }
    }
    if (snapshot !== null)
      batch.calls.push({ key: stream.key, callId: stream.callId, version: stream.version, snapshot })
    stream.wait(batch, settlement)
    this.#pumpSoon()
  }

  erase(stream: Stream, settlement: Settlement): void {
    this.#open.erasures.push(stream.key)
    stream.wait(this.#open, settlement)
    this.#pumpSoon()
  }

  /** Resolves when everything up to here is settled, whatever came of it. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#open.add(settlementOf({ answered: resolve, failed: () => resolve() }, undefined))
      this.#pumpSoon()
    })
  }

  /**
   * When the writer is free: at once, when there is enough for a commit; otherwise at the end of this turn of the loop, so
   * that what arrived together is committed together. Under load it waits a little longer: each commit costs this
   * thread some 40 µs beside its packets, and small ones would take the cores from the packets themselves. What nobody
   * waits for gathers longer.
   */
  #pumpSoon(): void {
    if (this.#sent !== null) return
    const { awaited, openedAt } = this.#open
    // Under load a turn of the loop is longer than that, and a timer would be another one.
    if (awaited === 0)
      return performance.now() - openedAt < limits.patientCommitMs ? this.#gather() : this.#pump()
    if (awaited >= limits.eagerCommitEntries) return this.#pump()
    if (this.#isPumping) return
    this.#isPumping = true
    const pump = () => {
      this.#isPumping = false
      this.#pump()
    }
    if (this.#lastAwaited < limits.groupCommitEntries) setImmediate(pump)
    else setTimeout(pump, limits.groupCommitMs)
  }

  #gather(): void {
    if (this.#isGathering) return
    this.#isGathering = true
    setTimeout(() => {
      this.#isGathering = false
      this.#pump()
    }, limits.patientCommitMs)
  }

  #pump(): void {
    if (this.#isStopped || this.#sent !== null || this.#teller.count > 1 || this.#open.isEmpty) return
    const batch = this.#open
    this.#sent = batch
    this.#lastAwaited = batch.awaited
    this.#open = new Batch(batch.id + 1)
    const { buffer, byteOffset } = this.#staging
    this.#ports.handOver(batch, buffer.slice(byteOffset, byteOffset + batch.bytes) as ArrayBuffer, this)
  }

  #pumpOpen(): void {
    if (!this.#open.isEmpty) this.#pumpSoon()
  }

  committed({ id, commitMs, tailBytes, walPages }: Committed): void {
    // The store has failed while the writer committed: who was told so does not know what is stored, and sends again.
    if (this.#isStopped) return
    const batch = this.#sent
    assert(batch !== null && batch.id === id, 'the writer settles the batch that it has')
    this.#sent = null
    this.#commitMs = Math.max(commitMs, this.#commitMs + (commitMs - this.#commitMs) / commitsAveraged)
    this.#ports.onCommit?.({ packets: batch.packets, bytes: batch.bytes, commitMs, tailBytes, walPages })
    this.#teller.add(batch)
    // Where there is enough for a commit, the writer gets it before this one is answered: both threads work.
    this.#pumpOpen()
    this.#teller.tell()
  }

  /** Everything that is not committed fails, and its streams are dead (V6). */
  fail(error: VoiceStreamError): void {
    this.#teller.tellAll()
    const batches = [this.#sent, this.#open].filter((batch) => batch !== null)
    this.#sent = null
    this.#open = new Batch(this.#open.id + 1)
    for (const batch of batches) batch.state = 'failed'
    const appends = batches.reduce((sum, batch) => sum + batch.settlements.length, 0)
    this.#ports.onCommitFailed?.(appends, error)
    for (const batch of batches) this.#teller.fail(batch, error)
  }

  /** Nothing is handed over any more. */
  stop(error: VoiceStreamError): void {
    this.#isStopped = true
    this.fail(error)
  }
}
