/**
 * `voicestream/ingest`: a gateway's side of `voicestream.ingest.v1`. It keeps every message until the service has acknowledged it,
 * which means that it is on disk, connects again when the connection is lost, and sends the rest again: what comes twice
 * is a duplicate there. For browsers and Node; whoever uses it brings the WebSocket.
 */
import { Backoff, type BackoffOptions } from './backoff.js'

export const ingestProtocol = 'voicestream.ingest.v1'

/** A WebSocket of that subprotocol, with its credential. `binaryType` is set here. */
export interface IngestSocket {
  binaryType: string
  send(data: string | Uint8Array): void
  close(code?: number, reason?: string): void
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
}

export interface IngestOptions extends BackoffOptions {
  connect(): unknown
  /** Named in the service's log. */
  readonly gateway?: string
  /** What is kept at most, in bytes; beyond it `send` takes nothing. 1 MiB is 65 s of one call. */
  readonly ringBytes?: number
  /** A stream is refused, or packets of it: they will not be stored. */
  onRefused?(refusal: { readonly stream: number; readonly code: string }): void
  onStatus?(status: 'connected' | 'disconnected'): void
}

export interface StreamOptions {
  readonly callId: string
  readonly track?: number
  /** The body of `POST /v1/call/start`. */
  readonly start?: object
  /** Of each packet. */
  readonly packetBytes: number
}

interface OpenStream {
  readonly options: StreamOptions
  readonly beganAt: number
  next: number
}

interface Told {
  readonly type: string
  readonly stream: number
  readonly code: string
  readonly missing_count: number
  readonly unsettled_bytes: number
}

const headerBytes = 16
const streamsMax = 65_536

interface Closing {
  readonly total: number
  told(missing: number): void
  /** On this connection. */
  isAsked: boolean
}

export class IngestClient {
  readonly #options: IngestOptions
  readonly #ringBytes: number
  readonly #backoff: Backoff
  readonly #streams = new Map<number, OpenStream>()
  /** Closed here, and not yet there. */
  readonly #closing = new Map<number, Closing>()
  #socket: IngestSocket | null = null
  #isOpen = false
  #unacknowledged: Uint8Array[] = []
  #unacknowledgedBytes = 0
  /** Of this connection: messages that are acknowledged, that were sent beyond these, and bytes that may be. */
  #acknowledged = 0
  #underWay = 0
  #underWayBytes = 0
  #windowBytes = 0
  #nextStream = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #isDisposed = false

  constructor(options: IngestOptions) {
    this.#options = options
    this.#ringBytes = options.ringBytes ?? 1024 * 1024
    this.#backoff = new Backoff(options)
    this.#connect()
  }

  /** Bytes that the service has not acknowledged. */
  get waitingBytes(): number {
    return this.#unacknowledgedBytes
  }

  /** Returns the number of the stream. */
  open(options: StreamOptions): number {
    while (this.#streams.has(this.#nextStream) || this.#closing.has(this.#nextStream))
      this.#nextStream = (this.#nextStream + 1) % streamsMax
    const stream = this.#nextStream
    this.#streams.set(stream, { options, beganAt: Date.now(), next: 0 })
    if (this.#isOpen) this.#tellOpen(stream)
    return stream
  }

  /** The next packets of a stream: a multiple of its packet's bytes. False when the ring is full: nothing was taken. */
  send(stream: number, packets: Uint8Array): boolean {
    const open = this.#streams.get(stream)
    if (open === undefined) throw new Error(`there is no open stream ${stream}`)
    const { packetBytes } = open.options
    const count = packets.length / packetBytes
    if (count === 0 || !Number.isInteger(count)) throw new Error(`send a multiple of ${packetBytes} bytes`)
    const bytes = headerBytes + packets.length
    if (this.#unacknowledgedBytes + bytes > this.#ringBytes) return false
    const message = new Uint8Array(bytes)
    const view = new DataView(message.buffer)
    message[0] = 1
    view.setUint16(2, stream, true)
    view.setUint32(4, open.next, true)
    view.setUint32(8, Date.now() - open.beganAt, true)
    view.setUint16(12, count, true)
    view.setUint16(14, packetBytes, true)
    message.set(packets, headerBytes)
    open.next += count
    this.#unacknowledged.push(message)
    this.#unacknowledgedBytes += bytes
    this.#flush()
    return true
  }

  /** Packets that never came to the gateway itself: their numbers stay missing, and the next packet is behind them. */
  skip(stream: number, packets: number): void {
    const open = this.#streams.get(stream)
    if (open === undefined) throw new Error(`there is no open stream ${stream}`)
    open.next += packets
  }

  /** The stream has ended; with the last one of its call the call is complete. Resolves with the packets that are missing. */
  close(stream: number): Promise<number> {
    const open = this.#streams.get(stream)
    if (open === undefined) throw new Error(`there is no open stream ${stream}`)
    return new Promise((told) => {
      this.#closing.set(stream, { total: open.next, told, isAsked: false })
      this.#flush()
    })
  }

  dispose(): void {
    this.#isDisposed = true
    clearTimeout(this.#timer)
    this.#socket?.close(1000)
  }

  // --- the connection ---------------------------------------------------------------------------------------------

  #connect(): void {
    const socket = this.#options.connect() as IngestSocket
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => this.#opened()
    socket.onmessage = ({ data }) => this.#take(data)
    // `close` follows.
    socket.onerror = () => {}
    socket.onclose = () => this.#lost(socket)
  }

  #opened(): void {
    this.#isOpen = true
    this.#acknowledged = 0
    this.#underWay = 0
    this.#underWayBytes = 0
    this.#windowBytes = 0
    this.#backoff.reset()
    const { gateway } = this.#options
    this.#tell({ type: 'hello', ...(gateway === undefined ? {} : { gateway }) })
    for (const stream of this.#streams.keys()) this.#tellOpen(stream)
    for (const closing of this.#closing.values()) closing.isAsked = false
    this.#options.onStatus?.('connected')
  }

  #lost(socket: IngestSocket): void {
    if (socket !== this.#socket) return
    if (this.#isOpen) this.#options.onStatus?.('disconnected')
    this.#isOpen = false
    this.#socket = null
    if (!this.#isDisposed) this.#timer = setTimeout(() => this.#connect(), this.#backoff.next())
  }

  #tell(message: object): void {
    this.#socket?.send(JSON.stringify(message))
  }

  #tellOpen(stream: number): void {
    const { callId, track = 0, start } = this.#streams.get(stream)?.options ?? { callId: '' }
    this.#tell({ type: 'open', stream, call_id: callId, track, ...(start === undefined ? {} : { start }) })
  }

  /** As much as the service takes unacknowledged: it closes a connection that sends more. Nothing before it has said how much. */
  #flush(): void {
    if (!this.#isOpen || this.#windowBytes === 0) return
    for (; this.#underWay < this.#unacknowledged.length; this.#underWay++) {
      const message = this.#unacknowledged[this.#underWay] as Uint8Array
      if (this.#underWayBytes > 0 && this.#underWayBytes + message.length > this.#windowBytes) return
      this.#underWayBytes += message.length
      this.#socket?.send(message)
    }
    // Behind all that came before it.
    for (const [stream, closing] of this.#closing) {
      if (closing.isAsked) continue
      closing.isAsked = true
      this.#tell({ type: 'close', stream, total: closing.total })
    }
  }

  #take(data: unknown): void {
    if (typeof data !== 'string')
      return this.#acknowledge(new DataView(data as ArrayBuffer).getUint32(4, true))
    const message = JSON.parse(data) as Told
    if (message.type === 'welcome') {
      this.#windowBytes = message.unsettled_bytes
      this.#flush()
    }
    if (message.type === 'refused') this.#options.onRefused?.({ stream: message.stream, code: message.code })
    if (message.type === 'closed' || (message.type === 'refused' && this.#closing.has(message.stream))) {
      this.#closing.get(message.stream)?.told(message.missing_count ?? 0)
      this.#closing.delete(message.stream)
      this.#streams.delete(message.stream)
    }
  }

  /** Binary messages 1 … n of this connection are on disk. */
  #acknowledge(messages: number): void {
    const settled = this.#unacknowledged.splice(0, messages - this.#acknowledged)
    for (const { length } of settled) {
      this.#unacknowledgedBytes -= length
      this.#underWayBytes -= length
    }
    this.#underWay -= settled.length
    this.#acknowledged = messages
    this.#flush()
  }
}
