/**
 * Requests that start together: each is written up to its last byte on a socket of its own, and all last bytes leave in
 * one turn of the loop. The service can only act on a whole body, so it gets them at the same moment.
 */
import { type RawAnswer, RawConnection } from '../support/raw-connection.js'
import type { Answer } from './requests.js'

const answerMsMax = 20_000

export interface Posting {
  readonly path: string
  readonly contentType: string
  readonly body: string
}

export class HeldRequest {
  readonly #connection: RawConnection
  readonly #rest: string

  /** Everything but the last byte is sent now, or nothing at all until the release where `isWhole`. */
  constructor(
    connection: RawConnection,
    { path, contentType, body }: Posting,
    { isWhole }: { readonly isWhole: boolean },
  ) {
    const head = [`POST ${path} HTTP/1.1`, 'Host: localhost', `Content-Type: ${contentType}`]
    const bytes = `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    const held = isWhole ? 0 : bytes.length - 1
    connection.forget()
    connection.write(bytes.slice(0, held))
    this.#connection = connection
    this.#rest = bytes.slice(held)
  }

  release(): void {
    this.#connection.write(this.#rest)
  }

  /** Null when the connection broke, or none came in time. */
  async rawAnswer(): Promise<RawAnswer | null> {
    try {
      return (await this.#connection.answered(1, answerMsMax))[0] ?? null
    } catch {
      // A service that never answers is for the caller to judge.
      return null
    }
  }

  async answer(): Promise<Answer> {
    const answer = await this.rawAnswer()
    if (answer === null) return { kind: 'broken', reason: `closed, or no answer in ${answerMsMax} ms` }
    return { kind: 'answered', status: answer.status, text: answer.body }
  }
}

/** One sender of copies: as many sockets as a race can have, opened when they are needed. */
export class Lane {
  readonly #port: number
  readonly #connections: (RawConnection | undefined)[] = []

  constructor(port: number) {
    this.#port = port
  }

  async connections(count: number): Promise<readonly RawConnection[]> {
    const chosen: RawConnection[] = []
    for (let at = 0; at < count; at++) {
      const known = this.#connections[at]
      const connection =
        known === undefined || known.isClosed ? await RawConnection.open({ port: this.#port }) : known
      this.#connections[at] = connection
      chosen.push(connection)
    }
    return chosen
  }

  close(): void {
    for (const connection of this.#connections) connection?.socket.destroy()
  }
}
