/**
 * The shared log on NATS JetStream: the half of it that its users see. `log-thread` has the connection.
 *
 * - An append copies its body, and its bytes are counted until its outcome: more than `limits.logUnsettledBytesMax` are
 *   `unknown` at once, and were not sent.
 * - A follower that takes nothing holds back the engine (`Following`), not this process.
 * - When the thread ends by itself nothing is settled any more, and `onFailed` is called: the process must end.
 */
import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { limits } from '../../../limits.js'
import type { AppendOutcome, Log, LogAppend, LogFollower } from '../../log.js'
import type { EngineOptions } from './engine.js'
import type { FromLogThread, LogThreadData, ToLogThread } from './thread-messages.js'

export interface JetStreamLogOptions {
  readonly engine: EngineOptions
  readonly stream: string
  /** The log is gone for this process. */
  readonly onFailed: (error: Error) => void
}

interface Unsettled {
  readonly bytes: number
  readonly settled: (outcome: AppendOutcome) => void
}

interface Trim {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class JetStreamLog implements Log {
  readonly #thread: Worker
  readonly #unsettled = new Map<number, Unsettled>()
  readonly #followers = new Map<number, LogFollower>()
  readonly #trims = new Map<number, Trim>()
  #unsettledBytes = 0
  #numbers = 0
  #isClosed = false

  private constructor(thread: Worker, onFailed: (error: Error) => void) {
    this.#thread = thread
    thread.on('message', (message: FromLogThread) => this.#told(message))
    const failed = (error: Error) => {
      if (this.#isClosed) return
      this.#isClosed = true
      onFailed(error)
    }
    thread.on('error', failed)
    thread.on('exit', () => failed(new Error('the thread of the log has ended')))
  }

  /** Rejects where no server takes the connection. */
  static async open({ engine, stream, onFailed }: JetStreamLogOptions): Promise<JetStreamLog> {
    const workerData: LogThreadData = { engine, stream }
    const thread = new Worker(new URL('./log-thread.js', import.meta.url), { workerData })
    await new Promise<void>((resolve, reject) => {
      thread.once('error', reject)
      thread.once('message', (message: FromLogThread) =>
        message.type === 'refused' ? reject(new Error(message.message)) : resolve(),
      )
    })
    thread.removeAllListeners('error')
    return new JetStreamLog(thread, onFailed)
  }

  append(attempt: LogAppend, settled: (outcome: AppendOutcome) => void): void {
    const bytes = attempt.body.byteLength
    assert(bytes <= limits.logMessageBytesMax, `a message of ${bytes} bytes is too large for the log`)
    if (this.#unsettledBytes + bytes > limits.logUnsettledBytesMax) {
      setImmediate(settled, { kind: 'unknown', reason: 'too much is under way to the log' })
      return
    }
    const number = ++this.#numbers
    this.#unsettled.set(number, { bytes, settled })
    this.#unsettledBytes += bytes
    const body = Uint8Array.from(attempt.body)
    this.#tell({ type: 'append', number, attempt: { ...attempt, body } }, [body.buffer])
  }

  follow(after: number, follower: LogFollower): () => void {
    const number = ++this.#numbers
    this.#followers.set(number, follower)
    this.#tell({ type: 'follow', number, after })
    return () => {
      if (this.#followers.delete(number)) this.#tell({ type: 'unfollow', number })
    }
  }

  trim(through: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const number = ++this.#numbers
      this.#trims.set(number, { resolve, reject })
      this.#tell({ type: 'trim', number, through })
    })
  }

  /** Nothing is settled or taken from now on. What was sent may still be stored. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#followers.clear()
    const ended = new Promise((resolve) => this.#thread.once('exit', resolve))
    this.#tell({ type: 'close' })
    await ended
  }

  #tell(message: ToLogThread, buffers: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, buffers)
  }

  #told(message: FromLogThread): void {
    if (this.#isClosed) return
    switch (message.type) {
      case 'outcome': {
        const { bytes, settled } = this.#taken(this.#unsettled, message.number)
        this.#unsettledBytes -= bytes
        settled(message.outcome)
        return
      }
      case 'message': {
        const { number, message: delivered } = message
        const bytes = delivered.body.byteLength
        this.#followers.get(number)?.take(delivered)
        this.#tell({ type: 'taken', number, bytes })
        return
      }
      case 'trimmed':
      case 'lost': {
        const follower = this.#followers.get(message.number)
        this.#followers.delete(message.number)
        if (message.type === 'trimmed') follower?.trimmed(message.first)
        else follower?.lost(message.last)
        return
      }
      case 'trim-done': {
        const { resolve, reject } = this.#taken(this.#trims, message.number)
        if (message.error === null) resolve()
        else reject(new Error(message.error))
        return
      }
    }
  }

  #taken<Value>(map: Map<number, Value>, number: number): Value {
    const value = map.get(number)
    assert(value !== undefined, `the thread of the log answered what was not asked: ${number}`)
    map.delete(number)
    return value
  }
}
