/**
 * All messages behind a position, in order, each once, for as long as it takes.
 *
 * The engine delivers at most once and forgets its consumer when a server dies. So each consumer is for as long as nothing goes
 * wrong: its deliveries are counted, its pulls say at their end how many of them came, and a consumer of which nothing is
 * heard is given up. The next one begins behind the last message that was taken.
 *
 * A pull is asked for when the one before has ended and what came is taken, but for a rest: so a slow taker holds back the
 * engine, and what waits is bounded.
 */
import { randomBytes } from 'node:crypto'
import type { Clock, Millis } from '../../../clock.js'
import { limits } from '../../../limits.js'
import type { LogMessage } from '../../log.js'
import type { Engine, EngineMessage } from './engine.js'
import { type StreamState, streamState } from './stream.js'

const nanosPerMs = 1_000_000
/** A pull ends by itself after so long; then it says what was lost on its way. */
const pullMs: Millis = 5000
const pullMessages = 1024
const heartbeatMs: Millis = 1000
/** A consumer that says nothing for so long is given up. */
const silentMs: Millis = 3000
const lookMs: Millis = 100
/** A new leader may not know the last messages for a moment: a log that is shorter than it was must say so for so long. */
const lostMs: Millis = 3000
/** The engine forgets a consumer that nobody has asked for so long. */
const forgottenMs: Millis = 30_000

export interface Taker {
  message(message: LogMessage): void
  /** Nothing more comes. */
  trimmed(first: number): void
  lost(last: number): void
}

export interface FollowingOptions {
  readonly engine: Pick<Engine, 'api' | 'tell' | 'listen' | 'isConnected' | 'losses'>
  readonly clock: Clock
  readonly stream: string
  readonly after: number
  readonly taker: Taker
}

interface Consumer {
  readonly name: string
  readonly inbox: string
  readonly losses: number
  readonly unsubscribe: () => void
  deliveries: number
  pulls: number
  /** Messages that the pull may still bring; 0 when there is none. */
  left: number
  heardAt: Millis
}

/** The parts of the subject to which a delivery would be acknowledged. */
interface Place {
  readonly sequence: number
  readonly delivery: number
  readonly storedAt: Millis
}

export class Following {
  readonly #engine: FollowingOptions['engine']
  readonly #stream: string
  readonly #taker: Taker
  readonly #clock: Clock
  #next: number
  #untakenBytes = 0
  #consumer: Consumer | null = null
  /** Of which log the stream was. */
  #base: string | null = null
  /** Since then it is shorter than what was taken, or another log. */
  #lostSince: Millis | null = null
  /** A consumer is being made. */
  #isBeginning = false
  #isOver = false

  constructor({ engine, clock, stream, after, taker }: FollowingOptions) {
    this.#engine = engine
    this.#clock = clock
    this.#stream = stream
    this.#next = after + 1
    this.#taker = taker
    this.#look()
  }

  /** Of messages that were passed on, so many bytes are done with. */
  taken(bytes: number): void {
    this.#untakenBytes -= bytes
    this.#ask()
  }

  end(): void {
    this.#isOver = true
    this.#giveUp()
  }

  #look(): void {
    if (this.#isOver) return
    this.#clock.after(lookMs, () => this.#look())
    const consumer = this.#consumer
    if (consumer === null) {
      if (!this.#isBeginning && this.#engine.isConnected) void this.#begin()
      return
    }
    const isSilent = consumer.left > 0 && this.#clock.now() - consumer.heardAt > silentMs
    if (isSilent || consumer.losses !== this.#engine.losses) this.#giveUp()
  }

  async #begin(): Promise<void> {
    this.#isBeginning = true
    try {
      const losses = this.#engine.losses
      const state = await streamState(this.#engine, this.#stream)
      if (this.#isOver || this.#isLost(state)) return
      if (state.first > this.#next) return this.#trimmed(state.first)
      const name = `follow-${randomBytes(8).toString('hex')}`
      await this.#engine.api(`CONSUMER.CREATE.${this.#stream}.${name}`, {
        stream_name: this.#stream,
        action: 'create',
        config: {
          name,
          deliver_policy: 'by_start_sequence',
          opt_start_seq: this.#next,
          ack_policy: 'none',
          replay_policy: 'instant',
          max_deliver: 1,
          num_replicas: 1,
          mem_storage: true,
          inactive_threshold: forgottenMs * nanosPerMs,
        },
      })
      if (!this.#isOver) this.#hear(name, losses)
    } catch {
      // No leader, no connection: the next look tries again.
    } finally {
      this.#isBeginning = false
    }
  }

  #hear(name: string, losses: number): void {
    const inbox = `_INBOX.${name}`
    const consumer: Consumer = {
      name,
      inbox,
      losses,
      unsubscribe: this.#engine.listen(`${inbox}.*`, (message) => {
        if (this.#consumer === consumer) this.#heard(consumer, message)
      }),
      deliveries: 0,
      pulls: 0,
      left: 0,
      heardAt: this.#clock.now(),
    }
    this.#consumer = consumer
    this.#ask()
  }

  #ask(): void {
    const consumer = this.#consumer
    if (consumer === null || consumer.left > 0 || this.#untakenBytes > limits.logUntakenBytesMax) return
    consumer.left = pullMessages
    consumer.heardAt = this.#clock.now()
    const question = {
      batch: pullMessages,
      max_bytes: limits.logMessageBytesMax + limits.logHeaderBytesMax,
      expires: pullMs * nanosPerMs,
      idle_heartbeat: heartbeatMs * nanosPerMs,
    }
    this.#engine.tell(
      `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${consumer.name}`,
      new TextEncoder().encode(JSON.stringify(question)),
      `${consumer.inbox}.${++consumer.pulls}`,
    )
  }

  #heard(consumer: Consumer, message: EngineMessage): void {
    consumer.heardAt = this.#clock.now()
    if (!message.subject.startsWith(consumer.inbox)) return this.#delivered(consumer, message)
    // A pull that is over may say so once more.
    if (message.subject !== `${consumer.inbox}.${consumer.pulls}` || message.code === 100) return
    if (!hasEnded(message)) return this.#giveUp()
    const left = message.header('Nats-Pending-Messages')
    if (left !== '' && Number(left) !== consumer.left) return this.#giveUp()
    consumer.left = 0
    this.#ask()
  }

  #delivered(consumer: Consumer, message: EngineMessage): void {
    const { sequence, delivery, storedAt } = placeOf(message.reply)
    // Something before it was lost on the way.
    if (delivery !== ++consumer.deliveries || sequence < this.#next) return this.#giveUp()
    // Nothing was lost, so the engine does not hold what is between.
    if (sequence > this.#next) return this.#trimmed(sequence)
    this.#next++
    consumer.left--
    // It is a part of what the socket has read, most of which is other messages.
    const body = Uint8Array.from(message.body)
    this.#untakenBytes += body.byteLength
    this.#taker.message({
      sequence,
      subject: message.subject,
      id: message.header('Nats-Msg-Id'),
      storedAt,
      body,
    })
    this.#ask()
  }

  /** Nothing is asked for while it seems so. */
  #isLost({ base, last }: StreamState): boolean {
    this.#base ??= base
    if (base === this.#base && last >= this.#next - 1) {
      this.#lostSince = null
      return false
    }
    const now = this.#clock.now()
    this.#lostSince ??= now
    if (now - this.#lostSince >= lostMs) {
      this.end()
      this.#taker.lost(last)
    }
    return true
  }

  #trimmed(first: number): void {
    this.end()
    this.#taker.trimmed(first)
  }

  /** The next look begins another one. */
  #giveUp(): void {
    const consumer = this.#consumer
    this.#consumer = null
    if (consumer === null) return
    consumer.unsubscribe()
    this.#engine.api(`CONSUMER.DELETE.${this.#stream}.${consumer.name}`).catch(() => {
      // Whether it is gone or nobody answers: the engine forgets it by itself.
    })
  }
}

/** By its time, its messages or its bytes, and not because the consumer is gone. */
function hasEnded({ code, description }: EngineMessage): boolean {
  return code === 408 || (code === 409 && /batch completed|exceeds maxbytes/i.test(description))
}

/** `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<delivery>.<nanoseconds>.<pending>`, or with a domain and an account behind ACK. */
export function placeOf(reply: string): Place {
  const words = reply.split('.')
  const at = words.length >= 11 ? 7 : 5
  return {
    sequence: Number(words[at]),
    delivery: Number(words[at + 1]),
    storedAt: Math.floor(Number(words[at + 2]) / nanosPerMs),
  }
}
