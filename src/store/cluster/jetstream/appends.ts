/**
 * One attempt to append: a request to the log's subject that names the message and what it expects there.
 *
 * An attempt without an answer may stand in a socket that nobody reads. Until the server has taken it, or the connection is
 * lost, nothing more is sent: attempts are repeated, and would gather there without a bound.
 */
import type { Millis } from '../../../clock.js'
import { messageOf } from '../../../errors.js'
import type { AppendOutcome, LogAppend } from '../../log.js'
import type { Engine } from './engine.js'

/** An attempt without an answer is unknown after so long. */
const attemptMs: Millis = 2000

const wrongLastSequence = 10_071
const logIsFull = 10_077

interface Answer {
  readonly seq?: number
  readonly error?: { readonly err_code?: number; readonly description?: string }
}

export class Appends {
  readonly #engine: Pick<Engine, 'request' | 'taken'>
  readonly #stream: string
  /** Attempts that may stand in the socket. */
  #stuck = 0

  constructor(engine: Pick<Engine, 'request' | 'taken'>, stream: string) {
    this.#engine = engine
    this.#stream = stream
  }

  async append({ subject, expected, id, body }: LogAppend): Promise<AppendOutcome> {
    if (this.#stuck > 0) return { kind: 'unknown', reason: 'the server does not take what was sent' }
    try {
      const answer = await this.#engine.request(
        subject,
        body,
        {
          'Nats-Msg-Id': id,
          'Nats-Expected-Stream': this.#stream,
          'Nats-Expected-Last-Subject-Sequence': String(expected),
        },
        attemptMs,
      )
      return outcomeOf(new TextDecoder().decode(answer))
    } catch (error) {
      this.#stuck++
      void this.#engine.taken().then(() => this.#stuck--)
      return { kind: 'unknown', reason: messageOf(error) }
    }
  }
}

/** What the server's answer to an append says. */
export function outcomeOf(answer: string): AppendOutcome {
  const { seq, error } = read(answer)
  if (error === undefined) {
    if (seq === undefined || !Number.isSafeInteger(seq) || seq < 1)
      return { kind: 'unknown', reason: `an answer of the log without a sequence: ${answer.slice(0, 200)}` }
    return { kind: 'stored', at: seq }
  }
  const { err_code, description = 'no reason given' } = error
  // Without a number another append to the subject is under way (10164), which may be an earlier attempt of this one.
  const last = err_code === wrongLastSequence ? /: (\d+)$/.exec(description)?.[1] : undefined
  if (last !== undefined) return { kind: 'refused', last: Number(last) }
  if (err_code === logIsFull) return { kind: 'unknown', reason: `the log is full: ${description}` }
  return { kind: 'unknown', reason: `${description} (${err_code})` }
}

function read(answer: string): Answer {
  try {
    return JSON.parse(answer) as Answer
  } catch {
    return { error: { description: `an answer that is not JSON: ${answer.slice(0, 200)}` } }
  }
}
