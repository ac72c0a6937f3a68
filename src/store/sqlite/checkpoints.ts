/**
 * When to checkpoint: the writer's side. The bulk is moved by the checkpoint thread when the log has grown by
 * `limits.checkpointPages`, and the writer moves the rest when that is done. A reader that holds an old snapshot
 * delays all of it; then the log grows, and each further `limits.checkpointPages` are tried again.
 */
import { Worker } from 'node:worker_threads'
import { limits } from '../../limits.js'
import { type Db, markClosed } from './schema.js'
import type { FromCheckpointer, ToCheckpointer } from './thread-messages.js'

/** Asking for the size of the log costs 8 µs, so not every commit does. */
const lookEveryCommits = 16

export class Checkpoints {
  readonly #db: Db
  readonly #worker: Worker
  readonly #failed: (code: string, message: string) => void
  #commits = 0
  #pages = 0
  #askedAtPages = 0
  #isRunning = false
  #closing: (() => void) | null = null

  constructor(db: Db, dataDir: string, failed: (code: string, message: string) => void) {
    this.#db = db
    this.#failed = failed
    this.#worker = new Worker(new URL('./checkpoint-thread.js', import.meta.url), { workerData: { dataDir } })
    this.#worker.on('message', (message: FromCheckpointer) => this.#done(message))
    this.#worker.on('error', (error) => failed('CHECKPOINTER', String(error)))
  }

  /** Pages of 4 KiB in the log at the last look. */
  get pages(): number {
    return this.#pages
  }

  committed(): void {
    if (++this.#commits % lookEveryCommits !== 0 || this.#isRunning) return
    this.#pages = this.#checkpoint('NOOP').log
    // The log has started anew.
    if (this.#pages < this.#askedAtPages) this.#askedAtPages = 0
    if (this.#pages < this.#askedAtPages + limits.checkpointPages) return
    this.#askedAtPages = this.#pages
    this.#isRunning = true
    this.#worker.postMessage({ type: 'checkpoint' } satisfies ToCheckpointer)
  }

  #done(message: FromCheckpointer): void {
    this.#isRunning = false
    if (message.type === 'failed') this.#failed(message.code, message.message)
    else if (this.#closing === null) this.#moveRest()
    this.#closing?.()
  }

  #moveRest(): void {
    try {
      this.#checkpoint('PASSIVE')
    } catch (error) {
      this.#failed(error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN', String(error))
    }
  }

  #checkpoint(mode: 'NOOP' | 'PASSIVE' | 'TRUNCATE'): { log: number } {
    return (this.#db.pragma(`wal_checkpoint(${mode})`) as { log: number }[])[0] ?? { log: 0 }
  }

  /** Moves everything and empties the log. */
  async close(): Promise<void> {
    if (this.#isRunning)
      await new Promise<void>((resolve) => {
        this.#closing = resolve
      })
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.postMessage({ type: 'close' } satisfies ToCheckpointer)
    await ended
    markClosed(this.#db)
    this.#checkpoint('TRUNCATE')
  }
}
