/** One keep-alive connection with one request in flight. Raw: `node:http` would cost more than what is measured. */
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** Head and body. */
  readonly text: string
}

/** Puts an answer together from what arrives, and knows when it is whole. Heads and bodies are ASCII. */
export class AnswerReader {
  #partial = ''

  /** Null while more has to come. */
  take(text: string): Answer | null {
    const all = this.#partial === '' ? text : this.#partial + text
    const headEnd = all.indexOf('\r\n\r\n')
    const lengthAt = all.indexOf('Content-Length: ')
    const bodyLength = lengthAt < 0 ? 0 : Number.parseInt(all.slice(lengthAt + 16, lengthAt + 26), 10)
    if (headEnd < 0 || all.length < headEnd + 4 + bodyLength) {
      this.#partial = all
      return null
    }
    this.#partial = ''
    return { status: Number(all.slice(9, 12)), text: all }
  }
}

export interface ConnectionOwner {
  answered(connection: Connection, answer: Answer): void
  /** It broke; if it was busy, what became of the request is unknown. */
  broken(connection: Connection): void
}

/** Each read is taken before the next one starts, on whichever connection: they can share it. */
const shared = Buffer.alloc(65_536)

export class Connection {
  /** When it last became free, by the clock of `performance.now()`. */
  freeAt = 0
  /** Which request is in flight, or −1. The owner's. */
  request = -1
  readonly #socket: Socket
  readonly #reader = new AnswerReader()

  constructor(port: number, owner: ConnectionOwner) {
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (bytes) => {
          const answer = this.#reader.take(shared.toString('latin1', 0, bytes))
          if (answer !== null) owner.answered(this, answer)
          return true
        },
      },
    })
    // The close that follows is what counts.
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => owner.broken(this))
  }

  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('connect', resolve)
      this.#socket.once('error', reject)
    })
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  end(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }
}
