/** A platform's connection to the service: a WebSocket, or TCP for AudioSocket. The only importer of ws. */
import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { readProblemDetail } from '../service-answers.js'

export interface Closing {
  /** Of the WebSocket; null on TCP. */
  readonly code: number | null
  readonly why: string
}

export interface MessageLine {
  /** Resolves at once while there is room on the way. */
  send(message: string | Buffer): Promise<void>
  /** Null while it is open. */
  readonly closing: Closing | null
  /** Behind all that was sent: says goodbye, and waits until the other side has, too. */
  end(): Promise<void>
  /** Behind all that was sent: just goes. */
  break(): Promise<void>
}

/** The service did not take the connection. */
export class RefusedLine extends Error {
  override readonly name = 'RefusedLine'
  /** Null where there was no answer. */
  readonly status: number | null

  constructor(status: number | null, message: string) {
    super(message)
    this.status = status
  }
}

export interface WebSocketAddress {
  readonly url: URL
  readonly subprotocol: string | null
  readonly headers: Readonly<Record<string, string>>
}

const dialMs = 10_000
const goodbyeMs = 5000
/** What may wait here before a sender waits, too. */
const waitingBytesMax = 256 * 1024
const answerCharactersMax = 64 * 1024

/** Rejects with a `RefusedLine`. */
export async function dialWebSocket(
  address: WebSocketAddress,
  onText: (text: string) => void,
): Promise<MessageLine> {
  const socket = openWebSocket(address)
  socket.on('message', (data, isBinary) => {
    if (!isBinary) onText(String(data))
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', (error) => reject(new RefusedLine(null, codeOf(error))))
    socket.once('unexpected-response', (_request, response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        if (body.length < answerCharactersMax) body += text
      })
      response.on('close', () => {
        const status = response.statusCode ?? 0
        reject(new RefusedLine(status, `${status} ${readProblemDetail(body)}`.trim()))
      })
    })
  })
  return new WebSocketLine(socket)
}

/** Before it is open; its user hears of all that comes. */
export function openWebSocket({ url, subprotocol, headers }: WebSocketAddress): WebSocket {
  return new WebSocket(url, subprotocol ?? [], {
    headers,
    handshakeTimeout: dialMs,
    perMessageDeflate: false,
  })
}

class WebSocketLine implements MessageLine {
  readonly #socket: WebSocket
  readonly #gone: Promise<void>
  #closing: Closing | null = null
  #sent: Promise<void> = Promise.resolve()

  constructor(socket: WebSocket) {
    this.#socket = socket
    // `close` follows, and says the rest.
    socket.on('error', () => {})
    this.#gone = new Promise((resolve) => {
      socket.on('close', (code, why) => {
        this.#closing = { code, why: why.toString('utf8') }
        resolve()
      })
    })
  }

  get closing(): Closing | null {
    return this.#closing
  }

  async send(message: string | Buffer): Promise<void> {
    this.#sent = new Promise((resolve) => this.#socket.send(message, () => resolve()))
    if (this.#socket.bufferedAmount > waitingBytesMax) await this.#sent
  }

  async end(): Promise<void> {
    await this.#sent
    this.#socket.close(1000)
    const late = setTimeout(() => this.#socket.terminate(), goodbyeMs)
    await this.#gone
    clearTimeout(late)
  }

  async break(): Promise<void> {
    await this.#sent
    this.#socket.terminate()
    await this.#gone
  }
}

/** Rejects with a `RefusedLine`. */
export async function dialTcp(host: string, port: number): Promise<MessageLine> {
  const socket = connect({ host, port, noDelay: true })
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(dialMs, () => socket.destroy(new Error(`no answer within ${dialMs} ms`)))
    socket.once('connect', resolve)
    socket.once('error', (error) => reject(new RefusedLine(null, codeOf(error))))
  })
  socket.setTimeout(0)
  return new TcpLine(socket)
}

class TcpLine implements MessageLine {
  readonly #socket: Socket
  readonly #gone: Promise<void>
  #closing: Closing | null = null
  #sent: Promise<void> = Promise.resolve()

  constructor(socket: Socket) {
    this.#socket = socket
    // What it says is not for a platform; it is read so that its end is seen.
    socket.resume()
    socket.on('error', () => {})
    this.#gone = new Promise((resolve) => {
      socket.on('close', () => {
        this.#closing = { code: null, why: 'the connection has ended' }
        resolve()
      })
    })
  }

  get closing(): Closing | null {
    return this.#closing
  }

  async send(message: string | Buffer): Promise<void> {
    this.#sent = new Promise((resolve) => this.#socket.write(message, () => resolve()))
    if (this.#socket.writableLength > waitingBytesMax) await this.#sent
  }

  async end(): Promise<void> {
    await this.#sent
    this.#socket.end()
    const late = setTimeout(() => this.#socket.destroy(), goodbyeMs)
    await this.#gone
    clearTimeout(late)
  }

  async break(): Promise<void> {
    await this.#sent
    this.#socket.destroy()
    await this.#gone
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
