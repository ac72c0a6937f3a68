/**
 * A line between Asterisk and the service that counts: what each media socket carried, taken from the bytes themselves. It
 * can be cut, held up, and answer with a status of its own.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { atEnd } from './cleanup.js'

export interface TalliedSocket {
  /** The request line and headers. */
  readonly head: string
  /** The first text, which says whose audio it is. */
  readonly text: string
  /** All binary messages, one after another. */
  readonly audio: Buffer
  /** All that came, for what is no WebSocket. */
  readonly bytes: Buffer
}

export interface MediaTally {
  readonly port: number
  readonly sockets: readonly TalliedSocket[]
  /** Breaks what is open. While it is `away`, new connections are broken as well, or answered with a status. */
  cut(): void
  away(how: 'closed' | 503 | null): void
  /** Nothing passes until it is let go: then all of it does. */
  hold(isHeld: boolean): void
}

export async function startMediaTally(t: TestContext, servicePort: number): Promise<MediaTally> {
  const lines = new Set<Line>()
  const sockets: Line[] = []
  let isAway: 'closed' | 503 | null = null
  const server = createServer((incoming) => {
    incoming.on('error', () => {})
    if (isAway === 503)
      return void incoming.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n')
    if (isAway !== null) return void incoming.destroy()
    const line = new Line(incoming, servicePort)
    lines.add(line)
    sockets.push(line)
    incoming.once('close', () => lines.delete(line))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const line of lines) line.cut()
  }
  atEnd(t, () => {
    cut()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    cut,
    away: (how) => {
      isAway = how
    },
    hold: (isHeld) => {
      for (const line of lines) line.hold(isHeld)
    },
  }
}

class Line implements TalliedSocket {
  readonly #incoming: Socket
  readonly #outgoing: Socket
  readonly #audio: Buffer[] = []
  #rest = Buffer.alloc(0)
  head = ''
  text = ''
  readonly #bytes: Buffer[] = []

  constructor(incoming: Socket, port: number) {
    this.#incoming = incoming
    this.#outgoing = connect(port, '127.0.0.1')
    incoming.on('data', (bytes: Buffer) => {
      this.#count(bytes)
      this.#outgoing.write(bytes)
    })
    this.#outgoing.pipe(incoming)
    this.#outgoing.on('error', () => {})
    incoming.once('end', () => this.#outgoing.end())
    incoming.once('close', () => {
      this.#outgoing.end()
    })
    this.#outgoing.once('close', () => incoming.destroy())
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#bytes)
  }

  get audio(): Buffer {
    return Buffer.concat(this.#audio)
  }

  cut(): void {
    this.#incoming.resetAndDestroy()
    this.#outgoing.resetAndDestroy()
  }

  hold(isHeld: boolean): void {
    if (isHeld) this.#incoming.pause()
    else this.#incoming.resume()
  }

  #count(bytes: Buffer): void {
    this.#bytes.push(bytes)
    this.#rest = Buffer.concat([this.#rest, bytes])
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n')
      // AudioSocket never has one.
      if (end < 0) return
      this.head = this.#rest.toString('latin1', 0, end)
      this.#rest = this.#rest.subarray(end + 4)
    }
    for (let frame = frameOf(this.#rest); frame !== null; frame = frameOf(this.#rest)) {
      this.#rest = this.#rest.subarray(frame.length)
      if (frame.opcode === 1 && this.text === '') this.text = frame.payload.toString()
      if (frame.opcode === 2) this.#audio.push(frame.payload)
    }
  }
}

/** RFC 6455 §5.2: one whole frame of a client, unmasked. */
function frameOf(
  bytes: Buffer,
): { readonly length: number; readonly opcode: number; readonly payload: Buffer } | null {
  if (bytes.length < 6) return null
  const short = bytes.readUInt8(1) & 0x7f
  const headBytes = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < headBytes + 4) return null
  const size =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  const length = headBytes + 4 + size
  if (bytes.length < length) return null
  const mask = bytes.subarray(headBytes, headBytes + 4)
  const payload = Buffer.from(bytes.subarray(headBytes + 4, length))
  for (let at = 0; at < size; at++) payload[at] = (payload[at] as number) ^ (mask[at & 3] as number)
  return { length, opcode: bytes.readUInt8(0) & 0x0f, payload }
}
