/** Bytes over TCP, for what no HTTP client would send, and what came back for them. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Watch } from './watch.js'

export interface RawAnswer {
  readonly status: number
  /** Lower case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export class RawConnection {
  readonly socket: Socket
  #received = Buffer.alloc(0)
  #isClosed = false
  readonly #watch = new Watch()

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#watch.changed()
    })
    // A reset shows as the end of the connection.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#watch.changed()
    })
  }

  static async open({ port }: { readonly port: number }): Promise<RawConnection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  /** Over a connection that is open. */
  static over(socket: Socket): RawConnection {
    return new RawConnection(socket)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whole answers so far; interim ones (100 Continue) are left out. */
  get answers(): readonly RawAnswer[] {
    return parseAnswers(this.#received)
  }

  /** All that has come. */
  get text(): string {
    return this.#received.toString('latin1')
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Resolves once so many whole answers have come, or the other side has closed. Rejects after `msMax`. */
  async answered(count: number, msMax = 5000): Promise<readonly RawAnswer[]> {
    await this.#until(() => this.#isClosed || this.answers.length >= count, msMax)
    return this.answers
  }

  /** Resolves once what has come `isEnough`. Rejects after 5 s. */
  receivedText(isEnough: (text: string) => boolean): Promise<void> {
    return this.#until(() => this.#isClosed || isEnough(this.#received.toString('latin1')), 5000)
  }

  /** From here on only what comes later counts. */
  forget(): void {
    this.#received = Buffer.alloc(0)
  }

  /** Says that nothing more will come, and resolves once the other side has taken that in. */
  async end(msMax = 5000): Promise<void> {
    this.socket.end()
    await this.#until(() => this.#isClosed, msMax)
  }

  /** Resolves once the other side has closed. Rejects after `msMax`. */
  closed(msMax = 5000): Promise<void> {
    return this.#until(() => this.#isClosed, msMax)
  }

  #until(isDone: () => boolean, msMax: number): Promise<void> {
    return this.#watch.until(isDone, msMax, () => `${this.answers.length} answers have come`)
  }
}

/**
 * Sends bytes, waits for `count` answers or the close, then ends the connection. By then the service has looked at
 * all of the bytes.
 */
export async function exchangeRaw(
  service: { readonly port: number },
  bytes: string | Uint8Array,
  count = 1,
): Promise<{ answers: readonly RawAnswer[]; isClosedByService: boolean }> {
  const connection = await RawConnection.open(service)
  connection.write(bytes)
  if (count > 0) await connection.answered(count)
  const isClosedByService = connection.isClosed
  await connection.end()
  return { answers: connection.answers, isClosedByService }
}

function parseAnswers(bytes: Buffer): RawAnswer[] {
  const found: RawAnswer[] = []
  for (let at = 0; ; ) {
    const headEnd = bytes.indexOf('\r\n\r\n', at)
    if (headEnd < 0) return found
    const [statusLine = '', ...lines] = bytes.toString('latin1', at, headEnd).split('\r\n')
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
      }),
    )
    const status = Number(statusLine.split(' ')[1])
    const bodyEnd = headEnd + 4 + Number(headers.get('content-length') ?? 0)
    if (bodyEnd > bytes.length) return found
    if (status !== 100) found.push({ status, headers, body: bytes.toString('utf8', headEnd + 4, bodyEnd) })
    at = bodyEnd
  }
}

export interface RawRequest {
  readonly method?: string
  readonly path: string
  /** Lines after `Host` and `Content-Type`, as they are. */
  readonly lines?: readonly string[]
  readonly body?: string
}

export function rawRequest({ method = 'POST', path, lines = [], body = '' }: RawRequest): string {
  const head = [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Content-Type: application/json', ...lines]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
