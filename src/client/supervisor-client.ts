/**
 * A supervisor's side of `/ws/supervisor`, for browsers and Node: connects again with backoff and full jitter, resumes
 * where it was, and says at any time whether what it has shown is live.
 *
 * Every event comes once and in order, whatever the network does; where the service cannot go on without a hole,
 * `onReset` says so before the snapshot comes. It imports types alone: no schema gets into a page's bundle.
 */
import type { SupervisorEvent } from '../protocol/event.js'
import type { FeedMessage, FloorMessage, ResetMessage, SnapshotMessage } from '../protocol/feed.js'
import { Backoff, type BackoffOptions } from './backoff.js'
import { type SocketAddress, socketUrl } from './socket-url.js'

export type { CallRow, FloorTotals } from '../protocol/floor.js'
export type { FeedMessage, FloorMessage, ResetMessage, SnapshotMessage, SupervisorEvent }

/** Of the WebSocket of browsers, of Node 22 and of `ws`, what is used here. */
export interface ClientSocket {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null
  onerror: ((event: unknown) => void) | null
  close(code?: number, reason?: string): void
}
export type SocketConstructor = new (url: string) => ClientSocket

export type SupervisorStatus =
  /** What is shown is true now. */
  | { readonly kind: 'live' }
  /** Connected; what was missed, or the snapshot, is on its way. */
  | { readonly kind: 'catching-up' }
  /** What is shown is from then; connecting again. */
  | { readonly kind: 'stale'; readonly since: number; readonly reason: string }
  | { readonly kind: 'closed' }

export interface SupervisorClientOptions extends SocketAddress, BackoffOptions {
  /**
   * Where to begin: with a snapshot of the current calls (the default), now, or after a position. The floor always
   * begins with a snapshot.
   */
  readonly start?: 'snapshot' | 'now' | { readonly position: string }
  /** Asked before each connection; the ticket is good for one. */
  readonly getTicket?: () => Promise<string>
  /** For Node 20, which has none: the one of `ws`. */
  readonly WebSocket?: SocketConstructor
  /** After so long without a word the connection counts as lost. The service sends something every 5 s. */
  readonly silenceMsMax?: number
  readonly onEvent?: (event: SupervisorEvent) => void
  /** Everything known is void; a snapshot follows. */
  readonly onReset?: (reset: ResetMessage) => void
  readonly onSnapshot?: (snapshot: SnapshotMessage) => void
  readonly onFloor?: (floor: FloorMessage) => void
  readonly onStatus?: (status: SupervisorStatus) => void
}

/** What the service says by closing; see docs/events.md. */
const notAuthorized = 4401
const policyViolation = 1008
const silenceMsDefault = 12_000

export class SupervisorClient {
  readonly #options: SupervisorClientOptions
  readonly #backoff: Backoff
  readonly #Socket: SocketConstructor
  #socket: ClientSocket | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #status: SupervisorStatus = { kind: 'stale', since: Date.now(), reason: 'connecting' }
  /** What the next connection begins with. */
  #since: string
  /** Between a reset and the end of its snapshot there is no position to resume from: half a picture is none. */
  #isPictureWhole = true
  #isDisposed = false

  constructor(options: SupervisorClientOptions) {
    const Socket = options.WebSocket ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket
    if (Socket === undefined) throw new Error('this platform has no WebSocket; pass one as `WebSocket`')
    this.#Socket = Socket
    this.#options = options
    this.#backoff = new Backoff(options)
    const { start = 'snapshot' } = options
    this.#since = start === 'now' ? '' : start === 'snapshot' ? start : start.position
    this.#connect()
  }

  get status(): SupervisorStatus {
    return this.#status
  }

  /** Where the stream stands: after everything that was handed over. Null within a snapshot. */
  get position(): string | null {
    return this.#isPictureWhole && this.#since !== 'snapshot' && this.#since !== '' ? this.#since : null
  }

  /** Closes the connection, for good. */
  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#leave()
    this.#tell({ kind: 'closed' })
  }

  // --- connections ------------------------------------------------------------------------------------------------

  #connect(): void {
    const { getTicket } = this.#options
    if (getTicket === undefined) return this.#open(null)
    getTicket().then(
      (ticket) => this.#open(ticket),
      (error: unknown) => this.#lost(`no ticket: ${error instanceof Error ? error.message : error}`),
    )
  }

  #open(ticket: string | null): void {
    if (this.#isDisposed) return
    const socket = new this.#Socket(
      socketUrl(this.#options, this.#isPictureWhole ? this.#since : 'snapshot', ticket),
    )
    this.#socket = socket
    // One that was left may still have something to say.
    const isCurrent = () => this.#socket === socket
    socket.onmessage = ({ data }) => isCurrent() && this.#take(data)
    socket.onclose = ({ code, reason }) => isCurrent() && this.#closed(code, reason)
    // `close` follows, and says why.
    socket.onerror = () => {}
    this.#watchSilence()
  }

  #closed(code: number, reason: string): void {
    // To come again at once would not help.
    if (code === notAuthorized || code === policyViolation) this.#backoff.lengthen()
    this.#lost(reason === '' ? `the connection was closed (${code})` : reason)
  }

  #lost(reason: string): void {
    if (this.#isDisposed) return
    this.#leave()
    if (this.#status.kind !== 'stale') this.#tell({ kind: 'stale', since: Date.now(), reason })
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.next())
  }

  #leave(): void {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = null
    socket?.close()
  }

  #watchSilence(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => this.#lost('nothing was heard for too long'),
      this.#options.silenceMsMax ?? silenceMsDefault,
    )
  }

  // --- messages ---------------------------------------------------------------------------------------------------

  #take(data: unknown): void {
    this.#watchSilence()
    let message: FeedMessage
    try {
      message = JSON.parse(String(data))
    } catch {
      return this.#lost('an invalid message was received')
    }
    // Before it is handed over: whoever throws there has had it.
    this.#since = message.position
    this.#handOver(message)
  }

  #handOver(message: FeedMessage): void {
    const { onEvent, onReset, onSnapshot, onFloor } = this.#options
    switch (message.event) {
      case 'hello':
        if (this.#options.view === 'floor') this.#isPictureWhole = false
        return this.#tell({ kind: 'catching-up' })
      case 'reset':
        this.#isPictureWhole = false
        this.#tell({ kind: 'catching-up' })
        return onReset?.(message)
      case 'snapshot':
        if (message.is_last) this.#isPictureWhole = true
        return onSnapshot?.(message)
      case 'live':
        this.#backoff.reset()
        return this.#tell({ kind: 'live' })
      case 'heartbeat':
        return
      case 'floor':
        return onFloor?.(message)
      default:
        return onEvent?.(message)
    }
  }

  #tell(status: SupervisorStatus): void {
    this.#status = status
    this.#options.onStatus?.(status)
  }
}
