/** Plays the stream of one socket: each message when it is due, answers awaited where the platform awaits them. */
import type { SimulatorClock } from '../clock.js'
import type { Heard, Sender, SentStream } from '../dialects/sender.js'
import { SimulateError } from '../errors.js'
import { answerMs } from '../limits.js'
import { sleepUnlessAborted } from '../service-client.js'
import { type MessageLine, RefusedLine } from './message-line.js'
import type { StreamPlan } from './stream-plan.js'

export interface PlayedStream {
  readonly sender: Sender
  readonly stream: SentStream
  readonly plan: StreamPlan
  /** Messages that have left, and packets among them. */
  messages: number
  packets: number
  /** When the first and the last left, in the clock's milliseconds. */
  firstAtMs: number | null
  lastAtMs: number
}

export interface StreamPorts {
  readonly clock: SimulatorClock
  readonly signal: AbortSignal
  readonly speed: number
  /** How long a refused connection is tried again. */
  readonly patienceMs: number
  dial(sender: Sender, stream: SentStream, onText: (text: string) => void): Promise<MessageLine>
}

const redialMs = 200

/** Throws what the simulator expects to go wrong. */
export async function playStream(played: PlayedStream, ports: StreamPorts, startMs: number): Promise<void> {
  const { sender, stream } = played
  const { clock, signal, speed } = ports
  await sleepUnlessAborted({ ms: startMs - clock.nowMs(), clock, signal })
  const hearing = new Hearing()
  const line = await dialPatiently(ports, sender, stream, hearing)
  const beganMs = clock.nowMs()
  try {
    for (const { dueMs, message, audio, waitsFor } of sender.messagesOf(stream, hearing)) {
      const waitMs = beganMs + dueMs / speed - clock.nowMs()
      if (waitMs > 0) await sleepUnlessAborted({ ms: waitMs, clock, signal })
      if (signal.aborted) throw new SimulateError('interrupted', 'ended by the user')
      checkOpen(line)
      await line.send(message)
      played.firstAtMs ??= clock.nowMs()
      played.lastAtMs = clock.nowMs()
      played.messages++
      if (audio !== null) played.packets++
      if (waitsFor !== null) await hearing.reply(waitsFor, line, clock)
    }
    await (stream.breaksAtMs === null ? line.end() : line.break())
  } catch (error) {
    await line.break()
    throw error
  }
}

async function dialPatiently(
  { clock, signal, patienceMs, dial }: StreamPorts,
  sender: Sender,
  stream: SentStream,
  hearing: Hearing,
): Promise<MessageLine> {
  const giveUpAtMs = clock.nowMs() + patienceMs
  for (;;)
    try {
      return await dial(sender, stream, (text) => hearing.take(text))
    } catch (error) {
      if (!(error instanceof RefusedLine)) throw error
      // A full or stopping service, and one that is away, may take it later. Platforms seldom try again; a load must.
      const mayPass = error.status === null || error.status === 429 || error.status >= 500
      const fact =
        error.status === null ? `no connection: ${error.message}` : `the socket got ${error.message}`
      if (!mayPass) throw new SimulateError('breach', fact, error)
      if (clock.nowMs() + redialMs > giveUpAtMs) throw new SimulateError('unreachable', fact, error)
      if (!(await sleepUnlessAborted({ ms: redialMs, clock, signal })))
        throw new SimulateError('interrupted', fact)
    }
}

/** A close that says why is the service's decision; any other is a loss. */
function checkOpen({ closing }: MessageLine): void {
  if (closing === null) return
  const { code, why } = closing
  const fact = `the service closed the socket${code === null ? '' : ` with ${code}`}${why === '' ? '' : `: ${why}`}`
  const isLoss = code === null || code === 1006 || code === 1001 || code === 1013
  throw new SimulateError(isLoss ? 'unreachable' : 'breach', fact)
}

interface Reply {
  readonly name: string
  readonly fact: string | null
}

const pollMs = 2

/** What the service says: the last number, and answers that the platform waits for. */
class Hearing implements Heard {
  serverSeq = 0
  readonly #replies: Reply[] = []

  take(text: string): void {
    const message = objectOf(text)
    if (message === null) return
    const { seq, type, command, parameters } = message
    if (typeof seq === 'number') this.serverSeq = seq
    const name = typeof type === 'string' ? type : command
    if (typeof name === 'string')
      this.#replies.push({ name, fact: name === 'disconnect' ? JSON.stringify(parameters) : null })
  }

  async reply(name: string, line: MessageLine, clock: SimulatorClock): Promise<void> {
    for (const deadlineMs = clock.nowMs() + answerMs; ; await clock.sleep(pollMs)) {
      for (let next = this.#replies.shift(); next !== undefined; next = this.#replies.shift()) {
        if (next.name === name) return
        if (next.fact !== null) throw new SimulateError('breach', `the service ends the stream: ${next.fact}`)
      }
      checkOpen(line)
      if (clock.nowMs() > deadlineMs)
        throw new SimulateError('unreachable', `no ${name} within ${answerMs} ms`)
    }
  }
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    // Only answers in JSON are waited for.
    return null
  }
}
