/**
 * The journal on SQLite: the main thread's half.
 *
 * Owns the open batch. Appends are encoded into it as they come; when the writer is free the batch is handed over
 * whole, so one commit is the latency at low load and many packets share one at high load. At most one batch is with
 * the writer, at most two are committed and not told yet, and the open one is bounded (V7). Settlements are told batch
 * by batch, in the order of the appends (V3). When a batch fails, everything in the open one fails with it, because it
 * may build on what was lost (V6).
 */

import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { Worker } from 'node:worker_threads'
import type { Millis } from '../../clock.js'
import { unreachable, VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import type { CallState } from '../../protocol/call.js'
import type { CallId } from '../../protocol/call-id.js'
import { ErasuresUnderWay } from '../erasures-under-way.js'
import type {
  CallHistory,
  CallQuery,
  CallReader,
  CallSnapshot,
  CallStream,
  DueCall,
  DueCursor,
  EndedCall,
  Journal,
  JournalEntry,
  KeptPart,
  Settlement,
  StoredCall,
  StoredPacket,
} from '../journal.js'
import { Batch, Stream } from './batch.js'
import { prepareDataFolder } from './data-folder.js'
import { databasePath, openGuard } from './database.js'
import { mergePage, packetsOf } from './packet-merge.js'
import { packetEntries, recordHeaderBytes, writeRecord } from './packet-record.js'
import type { Db } from './schema.js'
import { SqliteReads } from './sqlite-reader.js'
import type { FromWriter, ToWriter, VersionedEntry, WriterData } from './thread-messages.js'

export interface SqliteJournalOptions {
  readonly dataDir: string
  /** Start even where acknowledged packets are known to be missing from the files. */
  readonly acceptDataLoss?: boolean
  /** Service time at the start. */
  readonly now: Millis
  /** The longest that a deadline of each state may lie ahead. The wall clock may have moved since: clamped here (V8). */
  readonly dueWithin: Readonly<Partial<Record<CallState, Millis>>>
  /** The store cannot go on and nothing more is acknowledged: the process must end. */
  readonly onFatal: (error: Error) => void
  /** An older database is brought forward, and so many of its calls are; now and then, while it takes long. */
  readonly onMigrating?: (calls: number, total: number) => void
  readonly onCommit?: (commit: CommitFigures) => void
  /** The log could not be moved into the database; it is tried again when it has grown further. */
  readonly onCheckpointFailed?: (error: Error) => void
  /** So many appends were told that they failed. */
  readonly onCommitFailed?: (appends: number, error: Error) => void
}

export interface CommitFigures {
  readonly packets: number
  readonly bytes: number
  readonly commitMs: number
  readonly tailBytes: number
  readonly walPages: number
}

/** The loop is held so long by settlements at a time; looking at the clock costs, and a settlement takes about 5 µs. */
const tellMs = 2
const tellMsMax = 50
const settlementsPerLook = 32
const commitsAveraged = 8

export class SqliteJournal implements Journal, CallReader {
  readonly #options: SqliteJournalOptions
  readonly #worker: Worker
  #reads: SqliteReads | null = null
  #guard: Db | null = null
  readonly #streams = new Map<CallId, Stream>()
  readonly #staging = Buffer.allocUnsafeSlow(limits.journalQueueBytesMax)
  #open = new Batch(1)
  #sent: Batch | null = null
  /** Committed, and not told to everybody yet; at most two, because then the writer gets nothing more. */
  readonly #committedBatches: Batch[] = []
  /** A slice of settlements is to come. */
  #isTelling = false
  /** When the last slice ended. */
  #toldAt = 0
  #isPumping = false
  readonly #erasures = new ErasuresUnderWay()
  #erasureBacklog = 0
  /** Entries of the last batch. */
  #lastEntries = 0
  #commitMs = 0
  readonly #questions = new Map<number, { resolve(records: Buffer): void; reject(error: Error): void }>()
  #nextQuestion = 1
  #nextKey = 1
  #fatal: Error | null = null
  #isClosed = false
  #closing: { resolve(): void; reject(error: Error): void } | null = null
  #ended: (() => void) | null = null

  private constructor(options: SqliteJournalOptions, worker: Worker) {
    this.#options = options
    this.#worker = worker
  }

  /** Takes the instance lock, migrates and recovers. Rejects, with a message for people, when it cannot. */
  static async open(options: SqliteJournalOptions): Promise<SqliteJournal> {
    prepareDataFolder(options.dataDir)
    const { dataDir, now, dueWithin, acceptDataLoss = false } = options
    const workerData: WriterData = { dataDir, acceptDataLoss, now, dueWithin }
    // Its descriptor of the database is never closed while other connections are open (`Checkpoints.end`).
    const worker = new Worker(new URL('./writer-thread.js', import.meta.url), {
      workerData,
      trackUnmanagedFds: false,
    })
    const journal = new SqliteJournal(options, worker)
    await journal.#opened()
    journal.#guard = openGuard(databasePath(dataDir))
    journal.#reads = await SqliteReads.open(options.dataDir, (error) => journal.#end(error))
    return journal
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#worker.on('error', (error) => {
        reject(error)
        this.#end(error as Error)
      })
      this.#worker.on('exit', () => {
        if (!this.#isClosed) this.#end(new Error('the writer thread ended'))
        this.#ended?.()
      })
      const opening = (message: FromWriter) => {
        if (message.type === 'migrating') {
          this.#options.onMigrating?.(message.calls, message.total)
          return
        }
        this.#worker.off('message', opening)
        if (message.type !== 'opened') {
          this.#isClosed = true
          this.#keepEvidence(message)
          void this.#worker.terminate()
          reject(new Error(message.type === 'refused' ? message.message : `unexpected ${message.type}`))
          return
        }
        this.#nextKey = message.nextKey
        this.#worker.on('message', (next: FromWriter) => this.#take(next))
        resolve()
      }
      this.#worker.on('message', opening)
    })
  }

  /** A thread that ends would be SQLite's last close, which moves the log away: the next start would find another fault. */
  #keepEvidence(message: FromWriter): void {
    if (message.type === 'refused' && message.isOpen)
      this.#guard = openGuard(databasePath(this.#options.dataDir))
  }

  get queuedEntries(): number {
    // Asked for each line of a bulk request.
    let count = this.#open.settlements.length + (this.#sent?.settlements.length ?? 0)
    for (const { settlements, told } of this.#committedBatches) count += settlements.length - told
    return count
  }

  /** What waits for the next commit. */
  get openEntries(): number {
    return this.#open.settlements.length
  }

  get queuedBytes(): number {
    return this.#open.bytes
  }

  /** For so long the oldest append has waited for its settlement, in milliseconds; 0 when none does. */
  get lagMs(): number {
    const oldest = this.#committedBatches[0] ?? this.#sent ?? this.#open
    return oldest.isEmpty ? 0 : performance.now() - oldest.openedAt
  }

  /** What a commit takes at present: rises with a slow one at once, and falls over several. */
  get commitMs(): number {
    return this.#commitMs
  }

  /** Calls that are erased for all who ask, while some of their bytes are still in the files. */
  get erasureBacklog(): number {
    return this.#erasureBacklog
  }

  // --- the journal ------------------------------------------------------------------------------------------------

  create(callId: CallId): CallStream {
    const known = this.#streams.get(callId)
    if (known !== undefined && known.batch?.state !== 'failed') return known
    const stream = new Stream(callId, this.#nextKey++, 0)
    this.#streams.set(callId, stream)
    return stream
  }

  async replay(callId: CallId): Promise<CallHistory | null> {
    await this.#erasures.settled(callId)
    const row = await this.#ask('call', { callId })
    if (row === null) return null
    const { key, snapshot } = row
    if (snapshot.isSettled) return { stream: this.#streamOf(callId, key, row.version), snapshot, entries: [] }
    // What is pending first: meanwhile it may be folded, and then stands in both.
    const pending = packetEntries(await this.#pendingOf(key), row.version)
    const stored = await this.#ask('tail', { callKey: key, afterVersion: row.version })
    const entries = inOrder([...stored, ...pending])
    const version = entries.at(-1)?.version ?? row.version
    return {
      stream: this.#streamOf(callId, key, version),
      snapshot,
      entries: entries.map(({ entry }) => entry),
    }
  }

  #streamOf(callId: CallId, key: number, version: number): Stream {
    const known = this.#streams.get(callId)
    if (known !== undefined && known.batch?.state !== 'failed') return known
    const stream = new Stream(callId, key, version)
    this.#streams.set(callId, stream)
    return stream
  }

  hasRoom(dataBytes: number): boolean {
    return (
      this.#open.settlements.length < limits.journalQueueEntriesMax &&
      this.#open.bytes + recordHeaderBytes + dataBytes <= limits.journalQueueBytesMax
    )
  }

  append(
    handle: CallStream,
    expectedVersion: number,
    entries: readonly JournalEntry[],
    snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void {
    const stream = handle as Stream
    if (this.#fatal !== null) return settlement.failed(failedBy(this.#fatal))
    if (stream.isDead || expectedVersion !== stream.version)
      return settlement.failed(new VoiceStreamError('version_conflict', 'the call has moved on'))
    assert(stream.version > 0 || snapshot !== null, 'the first append of a call brings a snapshot')
    const batch = this.#open
    for (const entry of entries) {
      stream.version++
      if (entry.type === 'packet') {
        assert(this.hasRoom(entry.data.length), 'room is asked for before an append')
        batch.bytes = writeRecord(this.#staging, batch.bytes, stream.key, stream.version, entry)
        batch.packets++
      } else
        batch.lifecycle.push({
          callKey: stream.key,
          version: stream.version,
          type: entry.type,
          entry: JSON.stringify(entry),
        })
    }
    if (snapshot !== null)
      batch.calls.push({ key: stream.key, callId: stream.callId, version: stream.version, snapshot })
    stream.wait(batch, settlement)
    this.#pumpSoon()
  }

  erase(handle: CallStream, expectedVersion: number, settlement: Settlement): void {
    const stream = handle as Stream
    if (this.#fatal !== null) return settlement.failed(failedBy(this.#fatal))
    if (stream.isDead || expectedVersion !== stream.version)
      return settlement.failed(new VoiceStreamError('version_conflict', 'the call has moved on'))
    assert(this.hasRoom(0), 'room is asked for before an append')
    stream.isReleased = true
    if (this.#streams.get(stream.callId) === stream) this.#streams.delete(stream.callId)
    this.#open.erasures.push(stream.key)
    stream.wait(this.#open, this.#erasures.begin(stream.callId, settlement))
    this.#pumpSoon()
  }

  settled(handle: CallStream, settlement: Settlement): void {
    const stream = handle as Stream
    const { batch } = stream
    if (batch !== null && stream.isPending) stream.wait(batch, settlement)
    else if (batch?.state === 'failed')
      settlement.failed(new VoiceStreamError('commit_failed', 'what came before could not be stored'))
    else settlement.committed()
  }

  hasPending(handle: CallStream): boolean {
    return (handle as Stream).isPending
  }

  release(handle: CallStream): void {
    assert(!this.hasPending(handle), 'a stream is released when nothing is pending')
    const stream = handle as Stream
    stream.isReleased = true
    if (this.#streams.get(stream.callId) === stream) this.#streams.delete(stream.callId)
  }

  // --- batches ----------------------------------------------------------------------------------------------------

  /**
   * When the writer is free: at once, when there is enough for a commit; otherwise at the end of this turn of the loop, so
   * that what arrived together is committed together. Under load it waits a little longer: each commit costs this
   * thread some 40 µs beside its packets, and small ones would take the cores from the packets themselves.
   */
  #pumpSoon(): void {
    if (this.#sent !== null) return
    if (this.#open.settlements.length >= limits.eagerCommitEntries) return this.#pump()
    if (this.#isPumping) return
    this.#isPumping = true
    const pump = () => {
      this.#isPumping = false
      this.#pump()
    }
    if (this.#lastEntries < limits.groupCommitEntries) setImmediate(pump)
    else setTimeout(pump, limits.groupCommitMs)
  }

  #pump(): void {
    const isBusy = this.#sent !== null || this.#committedBatches.length > 1
    if (isBusy || this.#open.isEmpty || this.#fatal !== null) return
    const batch = this.#open
    this.#sent = batch
    this.#lastEntries = batch.settlements.length
    this.#open = new Batch(batch.id + 1)
    const records = this.#staging.buffer.slice(
      this.#staging.byteOffset,
      this.#staging.byteOffset + batch.bytes,
    ) as ArrayBuffer
    const { id, packets, calls, lifecycle, erasures } = batch
    const message = { type: 'batch', id, records, packets, calls, lifecycle, erasures } satisfies ToWriter
    this.#worker.postMessage(message, [records])
  }

  #take(message: FromWriter): void {
    switch (message.type) {
      case 'committed':
        return this.#committed(message)
      case 'failed':
        return this.#failed(message)
      case 'checkpoint-failed': {
        const error = new Error(`${message.code}: ${message.message}`)
        if (message.isFatal) this.#end(error)
        else this.#options.onCheckpointFailed?.(error)
        return
      }
      case 'pending':
        this.#questions.get(message.id)?.resolve(Buffer.from(message.records))
        this.#questions.delete(message.id)
        return
      case 'erasing':
        this.#erasureBacklog = message.calls
        return
      case 'closed':
        this.#closing?.resolve()
        return
      case 'close-failed':
        this.#closing?.reject(new Error(message.message))
        return
      case 'migrating':
      case 'opened':
      case 'refused':
        return
      default:
        return unreachable(message)
    }
  }

  #committed(message: Extract<FromWriter, { type: 'committed' }>): void {
    const batch = this.#sent
    assert(batch !== null && batch.id === message.id, 'the writer settles the batch that it has')
    this.#sent = null
    const { commitMs, tailBytes, walPages } = message
    this.#commitMs = Math.max(commitMs, this.#commitMs + (commitMs - this.#commitMs) / commitsAveraged)
    this.#options.onCommit?.({ packets: batch.packets, bytes: batch.bytes, commitMs, tailBytes, walPages })
    this.#committedBatches.push(batch)
    // Where there is enough for a commit, the writer gets it before this one is answered: both threads work.
    if (!this.#open.isEmpty) this.#pumpSoon()
    if (this.#isTelling) return
    this.#toldAt = performance.now()
    this.#tellSlice()
  }

  /**
   * In slices: the answers of a large commit must not hold the loop. Where its turns are long, so are the slices, because
   * answers that are due go before what comes in: half of the time is theirs.
   */
  #tellSlice(): void {
    const now = performance.now()
    this.#tellCommitted(now + Math.max(tellMs, Math.min(now - this.#toldAt, tellMsMax)))
    this.#toldAt = performance.now()
  }

  #tellCommitted(until: number): void {
    for (let batch = this.#committedBatches[0]; batch !== undefined; batch = this.#committedBatches[0]) {
      while (batch.told < batch.settlements.length) {
        batch.settlements[batch.told++]?.committed()
        if (batch.told % settlementsPerLook !== 0 || performance.now() < until) continue
        this.#isTelling = true
        // Unless a failure has told everything meanwhile.
        setImmediate(() => this.#isTelling && this.#tellSlice())
        return
      }
      batch.state = 'committed'
      this.#committedBatches.shift()
      if (!this.#open.isEmpty) this.#pumpSoon()
    }
    this.#isTelling = false
  }

  #failed(message: Extract<FromWriter, { type: 'failed' }>): void {
    const cause = new Error(`${message.code}: ${message.message}`)
    if (message.isFatal) this.#end(cause)
    else this.#failPending(new VoiceStreamError('commit_failed', 'the packet could not be stored', { cause }))
  }

  /** Everything that is not committed fails, and its streams are dead (V6). */
  #failPending(error: VoiceStreamError): void {
    this.#tellCommitted(Number.POSITIVE_INFINITY)
    const batches = [this.#sent, this.#open].filter((batch) => batch !== null)
    this.#sent = null
    this.#open = new Batch(this.#open.id + 1)
    for (const batch of batches) batch.state = 'failed'
    const appends = batches.reduce((sum, batch) => sum + batch.settlements.length, 0)
    this.#options.onCommitFailed?.(appends, error)
    for (const batch of batches) for (const settlement of batch.settlements) settlement.failed(error)
  }

  #end(error: Error): void {
    if (this.#fatal !== null || this.#isClosed) return
    this.#fatal = error
    for (const { reject } of this.#questions.values())
      reject(new VoiceStreamError('read_failed', 'the store has ended'))
    this.#questions.clear()
    this.#failPending(failedBy(error))
    this.#options.onFatal(error)
  }

  // --- reads ------------------------------------------------------------------------------------------------------

  #ask: SqliteReads['ask'] = (name, query) => {
    if (this.#reads === null)
      return Promise.reject(new VoiceStreamError('starting', 'the store is not open yet'))
    return this.#reads.ask(name, query)
  }

  /** The packets of a call that are committed and not in its runs yet. */
  #pendingOf(callKey: number): Promise<Buffer> {
    if (this.#fatal !== null || this.#isClosed)
      return Promise.reject(new VoiceStreamError('read_failed', 'the store has ended'))
    const id = this.#nextQuestion++
    this.#worker.postMessage({ type: 'pending', id, callKey } satisfies ToWriter)
    return new Promise((resolve, reject) => this.#questions.set(id, { resolve, reject }))
  }

  async call(callId: CallId): Promise<StoredCall | null> {
    return this.#ask('call', { callId })
  }

  calls(query: CallQuery): ReturnType<CallReader['calls']> {
    return this.#ask('calls', query)
  }

  async packets(
    callId: CallId,
    from: number,
    limit: number,
  ): Promise<{ packets: readonly StoredPacket[]; nextFrom: number | null }> {
    const known = this.#streams.get(callId)
    // A dead one may have been of a call that was never stored, in the place of one that its erasure has left.
    const isAlive = known !== undefined && !known.isDead
    const key = isAlive ? known.key : (await this.#ask('call', { callId }))?.key
    if (key === undefined) return { packets: [], nextFrom: null }
    // What is pending first: meanwhile it may be folded, and then stands in both.
    const pending = packetsOf(await this.#pendingOf(key))
    const { records, nextFrom } = await this.#ask('packets', { callKey: key, from, limit })
    return mergePage(packetsOf(Buffer.from(records)), nextFrom, pending, from, limit)
  }

  due(after: DueCursor, through: number, limit: number): Promise<readonly DueCall[]> {
    return this.#ask('due', { after, through, limit })
  }

  ended(through: Millis, limit: number): Promise<readonly EndedCall[]> {
    return this.#ask('ended', { through, limit })
  }

  keptOf(callId: CallId): Promise<readonly KeptPart[]> {
    return this.#ask('kept', { callId })
  }

  stateCounts(): Promise<Readonly<Record<CallState, number>>> {
    return this.#ask('stateCounts', {})
  }

  /**
   * Settles what is pending, folds the tail, checkpoints and unlocks. Rejects when that cannot be done: then the process
   * must end without closing anything, and the next start recovers.
   */
  async close(): Promise<void> {
    if (this.#fatal === null)
      await new Promise<void>((resolve) => {
        this.#open.add({ committed: resolve, failed: () => resolve() })
        this.#pumpSoon()
      })
    await this.#reads?.close()
    if (this.#fatal === null) await this.#closeWriter()
    const ended = new Promise<void>((resolve) => {
      this.#ended = resolve
    })
    this.#isClosed = true
    // Last but one: until the database is marked as closed, its log must outlive the process.
    this.#guard?.close()
    if (this.#fatal === null) this.#worker.postMessage({ type: 'end' } satisfies ToWriter)
    else void this.#worker.terminate()
    await ended
  }

  #closeWriter(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#closing = { resolve, reject }
      this.#worker.postMessage({ type: 'close' } satisfies ToWriter)
    })
  }
}

/** By version; one that stands twice is the same entry. */
function inOrder(entries: VersionedEntry[]): readonly VersionedEntry[] {
  entries.sort((a, b) => a.version - b.version)
  return entries.filter(({ version }, index) => entries[index - 1]?.version !== version)
}

function failedBy(cause: Error): VoiceStreamError {
  return new VoiceStreamError('commit_failed', 'the store has failed', { cause })
}
