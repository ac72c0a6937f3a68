/** The main thread's half of the reads: a question with an id goes to the reader thread, its answer comes back. */
import { Worker } from 'node:worker_threads'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import type { FromReader, Question, ReadName, Reads, ToReader } from './thread-messages.js'

interface Asker {
  resolve(answer: unknown): void
  reject(error: VoiceStreamError): void
}

export class SqliteReads {
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #asked = new Map<number, Asker>()
  /** Asked in this turn of the loop. */
  #outbox: Question[] = []
  #nextId = 1
  #isClosed = false

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (message: FromReader) => this.#take(message))
    // It may have ended before anybody waits for that.
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
  }

  /** `died` is told when the thread ends by itself; what was asked is refused. */
  static open(dataDir: string, died: (error: Error) => void): Promise<SqliteReads> {
    const worker = new Worker(new URL('./reader-thread.js', import.meta.url), { workerData: { dataDir } })
    const reads = new SqliteReads(worker)
    return new Promise((resolve, reject) => {
      worker.once('message', () => resolve(reads))
      worker.once('error', (error) => {
        reads.#refuseAll()
        reject(error)
        died(error as Error)
      })
      worker.once('exit', () => {
        reads.#refuseAll()
        if (!reads.#isClosed) died(new Error('the reader thread ended'))
      })
    })
  }

  ask<Name extends ReadName>(name: Name, query: Reads[Name]['query']): Promise<Reads[Name]['answer']> {
    if (this.#isClosed) return Promise.reject(new VoiceStreamError('draining', 'the store is closed'))
    if (this.#asked.size >= limits.readsInFlightMax)
      return Promise.reject(new VoiceStreamError('overloaded', 'too many reads are in flight'))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve: resolve as Asker['resolve'], reject })
      if (this.#outbox.length === 0) setImmediate(() => this.#post())
      this.#outbox.push({ id, name, query } as Question)
    })
  }

  #post(): void {
    this.#worker.postMessage({ type: 'ask', questions: this.#outbox } satisfies ToReader)
    this.#outbox = []
  }

  #take(message: FromReader): void {
    if (message.type !== 'replies') return
    for (const reply of message.replies) {
      const asker = this.#asked.get(reply.id)
      this.#asked.delete(reply.id)
      if ('answer' in reply) asker?.resolve(reply.answer)
      else
        asker?.reject(
          new VoiceStreamError('read_failed', 'the database could not be read', {
            cause: new Error(reply.failure),
          }),
        )
    }
  }

  #refuseAll(): void {
    for (const { reject } of this.#asked.values())
      reject(new VoiceStreamError('read_failed', 'the reader thread has ended'))
    this.#asked.clear()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#worker.postMessage({ type: 'close' } satisfies ToReader)
    await this.#exited
  }
}
