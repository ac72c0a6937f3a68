/** The main thread's half of the writes: starts the writer thread, gives it batches and questions, and ends it. */
import { Worker } from 'node:worker_threads'
import { unreachable, VoiceStreamError } from '../../../errors.js'
import { databasePath, openGuard } from '../files/database.js'
import type { Db } from '../files/schema.js'
import type { FromWriter, Opened, PacketQuery, RecordPage, ToWriter, WriterData } from '../thread-messages.js'
import type { Batch } from './batch.js'
import type { CommitOutcome } from './group-commit.js'

export interface WriterEvents {
  checkpointFailed(error: Error): void
  dropped(callId: string, packets: number): void
  erasing(calls: number): void
  damaged(damage: string): void
  /** The content of the files is unknown, or the thread has ended by itself. */
  died(error: Error): void
}

export class SqliteWrites {
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #dataDir: string
  readonly #events: WriterEvents
  /** Keeps the writer's connection from being the last one (`openGuard`). */
  #guard: Db | null = null
  readonly #questions = new Map<number, { resolve(page: RecordPage): void; reject(error: Error): void }>()
  #nextQuestion = 1
  #closing: { resolve(): void; reject(error: Error): void } | null = null
  /** Of the batch that the thread has. */
  #outcome: CommitOutcome | null = null
  /** Why nothing is answered any more. */
  #endedBy: Error | null = null
  /** Everything is in the database, which is marked as closed. */
  #isClosed = false
  /** By `end`, or because the start was refused. */
  #isEnded = false

  constructor(workerData: WriterData, events: WriterEvents) {
    this.#dataDir = workerData.dataDir
    this.#events = events
    // Its descriptor of the database is never closed while other connections are open (`Checkpoints.end`).
    this.#worker = new Worker(new URL('./writer-thread.js', import.meta.url), {
      workerData,
      trackUnmanagedFds: false,
      // Of 48 it uses all under load, for garbage: its heap was 64 to 74 MiB beside 50,000 live calls, and is 54.
      resourceLimits: { maxYoungGenerationSizeMb: 16 },
    })
    // It may have ended before anybody waits for that.
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
  }

  /** Rejects, with a message for people, when the data folder cannot be had. */
  async opened(): Promise<Opened> {
    const opened = await this.#greeted()
    this.#guard = openGuard(databasePath(this.#dataDir))
    return opened
  }

  #greeted(): Promise<Opened> {
    return new Promise((resolve, reject) => {
      this.#worker.on('error', (error) => {
        reject(error)
        this.#died(error as Error)
      })
      this.#worker.on('exit', () => this.#died(new Error('the writer thread ended')))
      this.#worker.once('message', (message: FromWriter) => {
        if (message.type === 'opened') {
          this.#worker.on('message', (next: FromWriter) => this.#take(next))
          return resolve(message)
        }
        this.#isEnded = true
        this.#keepEvidence(message)
        void this.#worker.terminate()
        reject(new Error(message.type === 'refused' ? message.message : `unexpected ${message.type}`))
      })
    })
  }

  /** A thread that ends would be SQLite's last close, which moves the log away: the next start would find another fault. */
  #keepEvidence(message: FromWriter): void {
    if (message.type === 'refused' && message.isOpen) this.#guard = openGuard(databasePath(this.#dataDir))
  }

  /** One at a time: `outcome` is told before the next one. */
  commit(batch: Batch, records: ArrayBuffer, outcome: CommitOutcome): void {
    this.#outcome = outcome
    const { id, packets, calls, lifecycle, erasures } = batch
    const message = { type: 'batch', id, records, packets, calls, lifecycle, erasures } satisfies ToWriter
    this.#worker.postMessage(message, [records])
  }

  /** A page of the packets of a call that are committed and not in its runs yet. */
  pendingPage({ callKey, from, limit }: PacketQuery): Promise<RecordPage> {
    return this.#asked((id) => ({ type: 'pending-page', id, callKey, from, limit }))
  }

  /** Of those behind a version all but their data. */
  pendingHeads(callKey: number, afterVersion: number): Promise<RecordPage> {
    return this.#asked((id) => ({ type: 'pending-heads', id, callKey, afterVersion }))
  }

  #asked(question: (id: number) => ToWriter): Promise<RecordPage> {
    if (this.#endedBy !== null || this.#isEnded) return Promise.reject(hasEnded(this.#endedBy))
    const id = this.#nextQuestion++
    this.#worker.postMessage(question(id))
    return new Promise((resolve, reject) => this.#questions.set(id, { resolve, reject }))
  }

  #take(message: FromWriter): void {
    switch (message.type) {
      case 'committed':
        return this.#outcome?.committed(message)
      case 'failed':
      case 'checkpoint-failed':
        return this.#failed(message)
      case 'pending':
        this.#questions.get(message.id)?.resolve({ records: message.records, nextFrom: message.nextFrom })
        this.#questions.delete(message.id)
        return
      case 'dropped':
        return this.#events.dropped(message.callId, message.packets)
      case 'erasing':
        return this.#events.erasing(message.calls)
      case 'damaged':
        return this.#events.damaged(message.damage)
      case 'closed':
        this.#isClosed = true
        this.#closing?.resolve()
        return
      case 'close-failed':
        this.#closing?.reject(new Error(message.message))
        return
      case 'opened':
      case 'refused':
        return
      default:
        return unreachable(message)
    }
  }

  #failed({
    type,
    code,
    message,
    isFatal,
  }: Extract<FromWriter, { type: 'failed' | 'checkpoint-failed' }>): void {
    const error = new Error(`${code}: ${message}`)
    if (isFatal) this.#died(error)
    else if (type === 'failed') this.#outcome?.fail(notStored(error))
    else this.#events.checkpointFailed(error)
  }

  #died(error: Error): void {
    if (!this.#isEnded) this.#events.died(error)
  }

  /** The store has failed, here or elsewhere: nothing is answered any more. */
  abandon(cause: Error): void {
    this.#endedBy = cause
    for (const { reject } of this.#questions.values()) reject(hasEnded(cause))
    this.#questions.clear()
    this.#closing?.reject(hasEnded(cause))
  }

  /** Folds the tail, and moves everything into the database. Rejects when that cannot be done. */
  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#closing = { resolve, reject }
      this.#worker.postMessage({ type: 'close' } satisfies ToWriter)
    })
  }

  /**
   * Ends the thread and gives up its lock: in order after `close`, at once where that failed. Then the guard stays open,
   * because the log of a database that is not marked as closed must outlive the process.
   */
  async end(): Promise<void> {
    this.#isEnded = true
    if (this.#isClosed) {
      this.#guard?.close()
      this.#worker.postMessage({ type: 'end' } satisfies ToWriter)
    } else void this.#worker.terminate()
    await this.#exited
  }
}

function notStored(cause: Error): VoiceStreamError {
  return cause.message.startsWith('SQLITE_FULL')
    ? new VoiceStreamError('disk_full', 'the disk is full; the packet could not be stored', { cause })
    : new VoiceStreamError('commit_failed', 'the packet could not be stored', { cause })
}

function hasEnded(cause: Error | null): VoiceStreamError {
  return new VoiceStreamError('read_failed', 'the store has ended', cause === null ? {} : { cause })
}
