/** One connection: writes what it is told, keeps what comes back, and ends. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Watch } from '../support/watch.js'
import { sleep } from '../torture/stage.js'

export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
  readonly bytes: Buffer
}

/** Between two writes, so that the service reads them one after the other. */
const pauseMs = 2
/** By contract everything has an answer or is over by then. */
export const answerMsMax = 5000

export class SocketExchange {
  readonly #socket: Socket
  readonly #chunks: Buffer[] = []
  readonly #watch = new Watch()
  #isClosed = false
  #receivedAt = performance.now()

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#chunks.push(bytes)
      this.#receivedAt = performance.now()
      this.#watch.changed()
    })
    // A reset shows as the end of the connection.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#watch.changed()
    })
  }

  static async open(port: number): Promise<SocketExchange> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    return new SocketExchange(socket)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  async write(parts: readonly Buffer[]): Promise<void> {
    for (const [index, bytes] of parts.entries()) {
      if (index > 0) await sleep(pauseMs)
      if (!this.#isClosed && !this.#socket.destroyed) this.#socket.write(bytes)
    }
  }

  /** Whether it was so, or the connection has closed, in time. */
  async until(isDone: () => boolean, msMax = answerMsMax): Promise<boolean> {
    try {
      await this.#watch.until(
        () => this.#isClosed || isDone(),
        msMax,
        () => '',
      )
      return true
    } catch {
      return false
    }
  }

  /** Resolves once nothing has come for `ms`, or the connection has closed, or `isDone`. */
  async quiet(ms: number, isDone: () => boolean): Promise<void> {
    const began = performance.now()
    while (!this.#isClosed && !isDone()) {
      const leftMs = Math.max(began, this.#receivedAt) + ms - performance.now()
      if (leftMs <= 0) return
      await this.until(isDone, Math.ceil(leftMs))
    }
  }

  /** Says that nothing more will come; whether the service has ended the connection in time. */
  async end(): Promise<boolean> {
    this.#socket.end()
    const isEnded = await this.until(() => false)
    this.#socket.destroy()
    return isEnded
  }
}

/** `methods` of the requests: what answers HEAD has a length and no body. Interim answers are left out. */
export function parseAnswers(bytes: Buffer, methods: readonly string[]): readonly Answer[] {
  const found: Answer[] = []
  for (let at = 0; ; ) {
    const headEnd = bytes.indexOf('\r\n\r\n', at, 'latin1')
    if (headEnd < 0) return found
    const head = bytes.toString('latin1', at, headEnd)
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? Number.NaN)
    const isBodiless = methods[found.length] === 'HEAD'
    const length = isBodiless ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    const bodyEnd = headEnd + 4 + length
    if (bodyEnd > bytes.length) return found
    const body = bytes.subarray(headEnd + 4, bodyEnd)
    if (status !== 100) found.push({ status, head, body: body.toString('utf8'), bytes: body })
    at = bodyEnd
  }
}
