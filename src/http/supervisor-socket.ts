/**
 * `/ws/supervisor`: the event feed over WebSocket.
 *
 * Each socket has its own queue. It is written out while the socket takes data (uWebSockets.js buffers up to
 * `inFlightBytesMax` for it); a socket that lags by more than `limits.supervisorQueueBytesMax` for
 * `limits.supervisorLagMsMax` is closed, because dropping single events would leave a hole that nobody sees. What a
 * supervisor sends is ignored.
 */
import { performance } from 'node:perf_hooks'
import type { EventFeed, FeedSubscriber } from '../actors/event-feed.js'
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import { Exchange, type ExchangeOwner } from './exchange.js'
import type { Handshake, SocketGrant } from './handshake.js'
import type { Route } from './routes.js'
import type { TemplatedApp, WebSocket } from './uws.js'

/** Past this we keep the rest ourselves: uWebSockets.js would drop messages at its own bound, silently. */
const inFlightBytesMax = 64 * 1024
/** RFC 6455 §7.4: 1001 going away; 4000–4999 are for applications. */
export const closeCodes = { goingAway: 1001, policyViolation: 1008, tooSlow: 4008, revoked: 4401 } as const
/** A socket that does not read may never see its close frame. */
const closeMsMax = 2000

interface SocketData {
  readonly grant: SocketGrant
  subscriber: SocketSubscriber | null
  unsubscribe: () => void
}

class SocketSubscriber implements FeedSubscriber {
  readonly #socket: WebSocket<SocketData>
  readonly #tooSlow: () => void
  #queue: string[] = []
  #next = 0
  #queuedBytes = 0
  /** Since when the queue has been over its bound. */
  #isLaggingSince: number | null = null
  isClosed = false

  constructor(socket: WebSocket<SocketData>, tooSlow: () => void) {
    this.#socket = socket
    this.#tooSlow = tooSlow
  }

  take(text: string): void {
    if (this.isClosed) return
    this.#queue.push(text)
    this.#queuedBytes += text.length
  }

  flush(): void {
    if (this.isClosed || this.#next === this.#queue.length) return
    // One write for many events.
    this.#socket.cork(() => this.#write())
    this.#closeIfTooSlow()
  }

  /** Not sent, or sent and not taken. */
  get queuedBytes(): number {
    return this.isClosed ? 0 : this.#queuedBytes + this.#socket.getBufferedAmount()
  }

  /** One commit may bring more than the bound at once, and a reader that keeps up needs a moment for it. */
  #closeIfTooSlow(): void {
    if (this.#queuedBytes <= limits.supervisorQueueBytesMax) {
      this.#isLaggingSince = null
      return
    }
    const now = performance.now()
    this.#isLaggingSince ??= now
    const isLate = now - this.#isLaggingSince > limits.supervisorLagMsMax
    if (!isLate && this.#queuedBytes <= limits.supervisorBurstBytesMax) return
    this.isClosed = true
    this.#queue = []
    this.#tooSlow()
  }

  #room(): number {
    return inFlightBytesMax - this.#socket.getBufferedAmount()
  }

  #write(): void {
    // Asked now and then, and reckoned meanwhile: to ask before each message costs as much as to send it.
    for (let room = this.#room(); room > 0 && this.#next < this.#queue.length; room = this.#room())
      while (this.#next < this.#queue.length && room > 0) {
        const text = this.#queue[this.#next++] as string
        this.#queuedBytes -= text.length
        room -= text.length
        this.#socket.send(text)
      }
    if (this.#next === this.#queue.length) {
      this.#queue = []
      this.#next = 0
    } else if (this.#next > 1024) {
      this.#queue = this.#queue.slice(this.#next)
      this.#next = 0
    }
  }
}

/** What a request without an upgrade gets; it also puts the socket into the documents. */
export const supervisorRoute: Route = {
  method: 'GET',
  path: '/ws/supervisor',
  // A request without an upgrade learns nothing but that; the socket’s own handshake is authorised in `handshake`.
  access: 'public',
  tag: 'supervisors',
  summary: 'Live events over WebSocket',
  description:
    'One JSON object a message; their schemas are under `x-events`. What a client sends is ignored.',
  answers: { 101: { description: 'The socket is open.' }, 426: { description: 'Not a WebSocket upgrade.' } },
  answer: (exchange) =>
    exchange.problem(new VoiceStreamError('upgrade_required', 'connect with a WebSocket'), [
      ['Upgrade', 'websocket'],
    ]),
}

export interface SupervisorSocketPorts {
  readonly feed: EventFeed
  readonly owner: ExchangeOwner
  readonly handshake: Handshake
  dropped(): void
}

export class SupervisorSockets {
  readonly #ports: SupervisorSocketPorts
  readonly #sockets = new Set<WebSocket<SocketData>>()

  constructor(app: TemplatedApp, ports: SupervisorSocketPorts) {
    this.#ports = ports
    app.ws<SocketData>('/ws/supervisor', {
      maxPayloadLength: limits.supervisorInboundBytesMax,
      idleTimeout: 120,
      sendPingsAutomatically: true,
      // Our own queue is the bound; this one must not be met before it.
      maxBackpressure: 4 * inFlightBytesMax,
      compression: 0,
      upgrade: (res, req, context) => {
        const exchange = new Exchange(res, '/ws/supervisor', ports.owner)
        const grant = ports.handshake.accept(exchange, req)
        if (grant === null) return
        const key = req.getHeader('sec-websocket-key')
        const protocol = req.getHeader('sec-websocket-protocol')
        const extensions = req.getHeader('sec-websocket-extensions')
        exchange.isEnded = true
        ports.owner.ended(exchange, 101)
        res.upgrade<SocketData>(
          { grant, subscriber: null, unsubscribe: () => {} },
          key,
          protocol,
          extensions,
          context,
        )
      },
      open: (socket) => this.#open(socket),
      message: (socket) => {
        if (!ports.handshake.takesMessage(socket.getUserData().grant))
          this.#end(socket, closeCodes.policyViolation, 'too many messages')
      },
      drain: (socket) => socket.getUserData().subscriber?.flush(),
      close: (socket) => this.#closed(socket),
    })
  }

  get count(): number {
    return this.#sockets.size
  }

  get queuedBytes(): number {
    let bytes = 0
    for (const socket of this.#sockets) bytes += socket.getUserData().subscriber?.queuedBytes ?? 0
    return bytes
  }

  #open(socket: WebSocket<SocketData>): void {
    const subscriber = new SocketSubscriber(socket, () => {
      this.#ports.dropped()
      this.#end(socket, closeCodes.tooSlow, 'reading too slowly: connect again')
    })
    const data = socket.getUserData()
    data.subscriber = subscriber
    data.unsubscribe = this.#ports.feed.subscribe(subscriber)
    this.#sockets.add(socket)
  }

  #closed(socket: WebSocket<SocketData>): void {
    const data = socket.getUserData()
    data.unsubscribe()
    this.#ports.handshake.release(data.grant)
    if (data.subscriber !== null) data.subscriber.isClosed = true
    this.#sockets.delete(socket)
  }

  #end(socket: WebSocket<SocketData>, code: number, reason: string): void {
    // Not within `take`: the feed is in the middle of its subscribers.
    setImmediate(() => {
      if (!this.#sockets.has(socket)) return
      socket.end(code, reason)
      setTimeout(() => {
        if (this.#sockets.has(socket)) socket.close()
      }, closeMsMax).unref()
    })
  }

  /** After a reload of the credentials. */
  closeRevoked(): void {
    for (const socket of this.#sockets)
      if (this.#ports.handshake.isRevoked(socket.getUserData().grant))
        this.#end(socket, closeCodes.revoked, 'the credential is no longer valid')
  }

  closeAll(): void {
    for (const socket of this.#sockets)
      this.#end(socket, closeCodes.goingAway, 'the service is shutting down')
  }
}
