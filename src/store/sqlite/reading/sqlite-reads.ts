/**
 * The main thread's half of the reads: a question with an id goes to a reader thread, its answer comes back.
 *
 * The thread has at most so many questions at a time; the others wait here, and those whose asker has gone are dropped when
 * their turn comes.
 */
import { Worker } from 'node:worker_threads'
import { VoiceStreamError } from '../../../errors.js'
import { limits } from '../../../limits.js'
import type { Asker } from '../../journal.js'
import type { FromReader, Question, ReaderData, ReadName, Reads, ToReader } from '../thread-messages.js'

interface Asked {
  readonly question: Question
  readonly asker: Asker | null
  resolve(answer: unknown): void
  reject(error: VoiceStreamError): void
}

export interface ReadsOptions extends ReaderData {
  /** Questions that the thread has at a time. */
  readonly atOnce: number
  /** Told when the thread ends by itself; what was asked is refused. */
  readonly died: (error: Error) => void
  /** Called for a row that is not what was written. */
  readonly damaged: (damage: string) => void
}

/** Nobody here needs it any more. */
function broughtBy({ query }: Question): ArrayBuffer[] {
  const brought: ArrayBuffer[] = 'pending' in query ? [query.pending.records.buffer] : []
  if ('into' in query && query.into !== null) brought.push(query.into)
  return brought
}

export const damagedText = 'what is stored is not what was written; `voicestream verify` says what'

export class SqliteReads {
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #options: ReadsOptions
  #waiting: Asked[] = []
  readonly #asked = new Map<number, Asked>()
  #isPosting = false
  #nextId = 1
  #isClosed = false

  private constructor(worker: Worker, options: ReadsOptions) {
    this.#worker = worker
    this.#options = options
    worker.on('message', (message: FromReader) => this.#take(message))
    // It may have ended before anybody waits for that.
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
  }

  static open(options: ReadsOptions): Promise<SqliteReads> {
    const { dataDir, yields, died } = options
    const workerData: ReaderData = { dataDir, yields }
    const worker = new Worker(new URL('./reader-thread.js', import.meta.url), { workerData })
    const reads = new SqliteReads(worker, options)
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

  ask<Name extends ReadName>(
    name: Name,
    query: Reads[Name]['query'],
    asker: Asker | null = null,
  ): Promise<Reads[Name]['answer']> {
    if (this.#isClosed) return Promise.reject(new VoiceStreamError('draining', 'the store is closed'))
    if (this.#asked.size + this.#waiting.length >= limits.readsInFlightMax)
      return Promise.reject(new VoiceStreamError('overloaded', 'too many reads are in flight'))
    const question = { id: this.#nextId++, name, query } as Question
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, asker, resolve: resolve as Asked['resolve'], reject })
      this.#postSoon()
    })
  }

  /** At the end of this turn of the loop: its questions go together. */
  #postSoon(): void {
    if (this.#isPosting || this.#asked.size >= this.#options.atOnce) return
    this.#isPosting = true
    setImmediate(() => {
      this.#isPosting = false
      this.#post()
    })
  }

  #post(): void {
    const questions: Question[] = []
    let taken = 0
    for (const asked of this.#waiting) {
      if (this.#asked.size >= this.#options.atOnce) break
      taken++
      if (asked.asker?.isGone === true) {
        asked.reject(new VoiceStreamError('timed_out', 'the client has gone'))
        continue
      }
      this.#asked.set(asked.question.id, asked)
      questions.push(asked.question)
    }
    this.#waiting.splice(0, taken)
    if (questions.length > 0)
      this.#worker.postMessage({ type: 'ask', questions } satisfies ToReader, questions.flatMap(broughtBy))
  }

  #take(message: FromReader): void {
    if (message.type !== 'replies') return
    for (const damage of message.damaged) this.#options.damaged(damage)
    for (const reply of message.replies) {
      const asked = this.#asked.get(reply.id)
      this.#asked.delete(reply.id)
      if ('answer' in reply) asked?.resolve(reply.answer)
      else
        asked?.reject(
          new VoiceStreamError(
            reply.isDamage ? 'stored_damage' : 'read_failed',
            reply.isDamage ? damagedText : 'the database could not be read',
            { cause: new Error(reply.failure) },
          ),
        )
    }
    if (this.#waiting.length > 0) this.#post()
  }

  #refuseAll(): void {
    const error = new VoiceStreamError('read_failed', 'the reader thread has ended')
    for (const { reject } of [...this.#asked.values(), ...this.#waiting]) reject(error)
    this.#asked.clear()
    this.#waiting = []
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#worker.postMessage({ type: 'close' } satisfies ToReader)
    await this.#exited
  }
}
