/**
 * Decides when to checkpoint: the writer's side. The checkpoint thread moves the log into the database `passPages` at a time,
 * because commits wait for a disk that is busy with more; once the log has `limits.checkpointPages`, the writer moves
 * the rest, and the log starts anew. A reader that holds an old snapshot delays that; then the log grows, which is told,
 * and each further `retryPages` are tried again, so that the log starts anew soon after the reader has gone.
 */
import { closeSync, openSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { codeOf } from '../../../errors.js'
import { limits } from '../../../limits.js'
import { databasePath, markClosed, markOpen } from '../files/database.js'
import type { Db } from '../files/schema.js'
import type { CheckpointerData, FromCheckpointer, ToCheckpointer } from '../thread-messages.js'

/** Asking for the size of the log costs 8 µs, so not every commit does, unless it is large. */
const lookEveryCommits = 16
const lookEveryBytes = 4 * 1024 * 1024
/** 8 MiB. */
const passPages = 2048
/** 1 MiB. */
const retryPages = 256
/** How long the cut of the log may hold commits while it waits for readers, which are done soon, in milliseconds. */
const cutWaitMs = 25
const lockWaitMs = 1500
/** 16 MiB: the log grows by so much from one warning to the next. */
const warningPages = 4096

/** Pages in the log, and those of them that are in the database. */
interface Progress {
  readonly busy: 0 | 1
  readonly log: number
  readonly checkpointed: number
}

export class Checkpoints {
  readonly #db: Db
  readonly #dataDir: string
  /** Started when the log is first moved, which a process that lives for seconds never needs. */
  #thread: { readonly worker: Worker; readonly exited: Promise<void> } | null = null
  /** The database file. It stays open until no connection of this process is left (`end`). */
  readonly databaseFd: number
  readonly #failed: (code: string, message: string) => void
  /** Since the last look. */
  #commits = 0
  #bytes = 0
  #pages = 0
  /** The size of the log at which the next checkpoint is due. */
  #dueAtPages = passPages
  #warnedAtPages = 0
  #isRunning = false
  /** The pages that were moved last may not be on disk, and no later call would say so: the log must be kept. */
  #isUnsynced = false
  #waiting: (() => void)[] = []
  readonly #startTimer: NodeJS.Timeout

  constructor(db: Db, dataDir: string, failed: (code: string, message: string) => void) {
    this.#db = db
    this.#failed = failed
    this.#dataDir = dataDir
    this.databaseFd = openSync(databasePath(dataDir), 'r+')
    // An update may replace the thread's file under a running service.
    this.#startTimer = setTimeout(() => this.#started(), limits.checkpointerStartMs).unref()
  }

  /** Pages of 4 KiB in the log at the last look. */
  get pages(): number {
    return this.#pages
  }

  committed(bytes: number): void {
    this.#commits++
    this.#bytes += bytes
    if (this.#isRunning || (this.#commits < lookEveryCommits && this.#bytes < lookEveryBytes)) return
    this.#commits = 0
    this.#bytes = 0
    this.#pages = this.#checkpoint('NOOP').log
    // The log has started anew.
    if (this.#pages + passPages < this.#dueAtPages) {
      this.#dueAtPages = passPages
      this.#warnedAtPages = 0
    }
    if (this.#pages < this.#dueAtPages) return
    this.#dueAtPages = this.#pages + (this.#pages < limits.checkpointPages ? passPages : retryPages)
    this.#start()
  }

  #start(): void {
    this.#isRunning = true
    this.#started().worker.postMessage({ type: 'checkpoint' } satisfies ToCheckpointer)
  }

  #started() {
    this.#thread ??= this.#startThread()
    return this.#thread
  }

  #startThread() {
    const workerData: CheckpointerData = { dataDir: this.#dataDir, databaseFd: this.databaseFd }
    const worker = new Worker(new URL('./checkpoint-thread.js', import.meta.url), { workerData })
    worker.on('message', (message: FromCheckpointer) => this.#done(message))
    worker.on('error', (error) => {
      // The next checkpoint tries with another one.
      this.#thread = null
      this.#done({ type: 'failed', code: 'CHECKPOINTER', message: String(error) })
    })
    // It may have ended before anybody waits for that.
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    return { worker, exited }
  }

  /** Has the checkpoint thread move the log, and calls `then` when it is done, or has failed. */
  run(then: () => void): void {
    this.#waiting.push(then)
    if (!this.#isRunning) this.#start()
  }

  #done(message: FromCheckpointer): void {
    this.#isRunning = false
    if (message.type === 'failed') {
      if (message.code === 'SQLITE_IOERR_FSYNC') this.#isUnsynced = true
      this.#failed(message.code, message.message)
    } else if (this.#pages >= limits.checkpointPages) this.#moveRest()
    const waiting = this.#waiting
    this.#waiting = []
    for (const then of waiting) then()
  }

  #moveRest(): void {
    try {
      const { log, checkpointed } = this.#checkpoint('PASSIVE')
      // While a pass ran nobody looked.
      this.#pages = log
      if (checkpointed < log) this.#warnOfReader(log, log - checkpointed)
    } catch (error) {
      this.#failed(codeOf(error), String(error))
    }
  }

  /** Reports a read only if it lasts until the log has grown. */
  #warnOfReader(log: number, left: number): void {
    if (log < Math.max(limits.checkpointPages, this.#warnedAtPages) + warningPages) return
    this.#warnedAtPages = log
    this.#failed(
      'SQLITE_BUSY',
      `somebody reads an old snapshot: ${left} of ${log} pages of the log cannot be moved`,
    )
  }

  /**
   * Moves everything and cuts the log to nothing; false when somebody reads an old snapshot, or the checkpoint thread is
   * at work. The log of an open database is never empty, so the database is closed for that moment: a crash within it
   * finds all there is in the database file. The mark that it is open is the first frame of the new log.
   */
  empty(): boolean {
    if (this.#isRunning || this.#isUnsynced) return false
    const { log, checkpointed } = this.#checkpoint('PASSIVE')
    if (checkpointed < log) return false
    markClosed(this.#db)
    this.#db.pragma(`busy_timeout = ${cutWaitMs}`)
    try {
      return this.#checkpoint('TRUNCATE').busy === 0
    } finally {
      this.#db.pragma(`busy_timeout = ${lockWaitMs}`)
      markOpen(this.#db)
      this.#checkpoint('PASSIVE')
    }
  }

  #checkpoint(mode: 'NOOP' | 'PASSIVE' | 'TRUNCATE'): Progress {
    return (
      (this.#db.pragma(`wal_checkpoint(${mode})`) as Progress[])[0] ?? { busy: 0, log: 0, checkpointed: 0 }
    )
  }

  /**
   * To be called when no connection of this process has the database open any more: to close any descriptor of a file
   * drops all locks that the process has on it (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
   */
  end(): void {
    closeSync(this.databaseFd)
  }

  /** Resolves when the checkpoint thread has nothing to do. */
  async idle(): Promise<void> {
    if (this.#isRunning) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Moves everything and empties the log. To be called when the checkpoint thread is idle. */
  async close(): Promise<void> {
    clearTimeout(this.#startTimer)
    if (this.#thread !== null) {
      this.#thread.worker.postMessage({ type: 'close' } satisfies ToCheckpointer)
      await this.#thread.exited
    }
    if (this.#isUnsynced) throw new Error('the database could not be synced')
    markClosed(this.#db)
    this.#checkpoint('TRUNCATE')
  }
}
