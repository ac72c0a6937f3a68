/**
 * `/ws/supervisor`: streams over WebSocket. Which events or whose floor stands in the address (`supervisor-query`); each
 * socket is written to by its own `SocketWriter`. What a supervisor sends is ignored.
 */

import type { Clock } from '../../clock.js'
import { VoiceStreamError } from '../../errors.js'
import type { CallSnapshots, SnapshotMember } from '../../feed/call-snapshots.js'
import type { EventFeed } from '../../feed/event-feed.js'
import { EventStream, type StreamStart, startOf } from '../../feed/event-stream.js'
import { FloorStream } from '../../feed/floor-stream.js'
import type { FloorView } from '../../feed/floor-view.js'
import { limits } from '../../limits.js'
import { type CloseCode, closeCodes } from '../../protocol/close-codes.js'
import { Exchange, type ExchangeOwner } from '../exchange.js'
import type { Handshake, SocketGrant } from '../gate/handshake.js'
import type { Route } from '../routes.js'
import type { TemplatedApp, WebSocket } from '../uws.js'
import { inFlightBytesMax, SocketWriter } from './socket-writer.js'
import { type SupervisorQuery, supervisorParameters, supervisorQuery } from './supervisor-query.js'
import { answerUpgradeRequired, upgradeAnswers } from './upgrade-required.js'

/** A socket that does not read may never see its close frame. */
const closeMsMax = 2000
/** Parts in which all sockets are looked at within `limits.supervisorLookMs`. */
const looksPerRound = 20

interface SocketData {
  readonly grant: SocketGrant
  readonly query: SupervisorQuery
  writer: SocketWriter | null
  leave: () => void
}

/** The answer to a request without an upgrade; it also puts the socket into the documents. */
export const supervisorRoute: Route = {
  method: 'GET',
  path: '/ws/supervisor',
  // A request without an upgrade learns nothing but that; the socket’s own handshake is authorised in `handshake`.
  access: 'public',
  tag: 'supervisors',
  summary: 'Live events over WebSocket',
  description:
    'One JSON object a message; their schemas are under `x-events`. What a client sends is ignored.',
  query: supervisorParameters,
  answers: upgradeAnswers,
  answer: answerUpgradeRequired,
}

export interface SupervisorSocketPorts {
  readonly feed: EventFeed
  readonly floor: FloorView
  readonly snapshots: CallSnapshots
  readonly clock: Clock
  readonly owner: ExchangeOwner
  readonly handshake: Handshake
  dropped(): void
}

export class SupervisorSockets {
  readonly #ports: SupervisorSocketPorts
  readonly #sockets = new Set<WebSocket<SocketData>>()
  #looking: NodeJS.Timeout | null = null
  #round = this.#sockets.values()

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
        const query = this.#queryOf(exchange, req.getQuery() ?? '')
        if (query === null) return ports.handshake.release(grant)
        const protocol = req.getHeader('sec-websocket-protocol')
        const data: SocketData = { grant, query, writer: null, leave: () => {} }
        exchange.upgrade(req, context, data, protocol)
      },
      open: (socket) => this.#open(socket),
      message: (socket) => {
        if (!ports.handshake.takesMessage(socket.getUserData().grant))
          this.#end(socket, closeCodes.policyViolation, 'too many messages')
      },
      drain: (socket) => {
        const { writer, query } = socket.getUserData()
        if (writer?.pump() === true) this.#wake(query)
      },
      close: (socket) => this.#closed(socket),
    })
  }

  get count(): number {
    return this.#sockets.size
  }

  /** Bytes that wait for each, added up; most of them are held once for all. */
  get queuedBytes(): number {
    let bytes = 0
    for (const socket of this.#sockets) bytes += socket.getUserData().writer?.queuedBytes ?? 0
    return bytes
  }

  /** Null when it is not understood, and has its answer. */
  #queryOf(exchange: Exchange, text: string): SupervisorQuery | null {
    try {
      return supervisorQuery(text)
    } catch (error) {
      if (!(error instanceof VoiceStreamError)) throw error
      exchange.problem(error)
      return null
    }
  }

  #open(socket: WebSocket<SocketData>): void {
    const data = socket.getUserData()
    this.#sockets.add(socket)
    this.#looking ??= setInterval(() => this.#lookAtSome(), limits.supervisorLookMs / looksPerRound).unref()
    const { stream, join } =
      data.query.view === 'floor' ? this.#floorOf(socket) : this.#eventsOf(socket, data.query)
    const writer = new SocketWriter(socket, stream, () => {
      this.#ports.dropped()
      this.#end(socket, closeCodes.tooSlow, 'reading too slowly: connect again and resume from your position')
    })
    data.writer = writer
    data.leave = join(writer)
    if (writer.pump()) this.#wake(data.query)
  }

  #eventsOf(socket: WebSocket<SocketData>, { since, filter }: Extract<SupervisorQuery, { view: 'events' }>) {
    const { feed, clock, snapshots } = this.#ports
    const start: StreamStart = since === null ? { kind: 'plain' } : startOf(feed, since)
    const stream: EventStream = new EventStream(feed, clock, start, filter, () => snapshots.hasRoom(member))
    const member = this.#member(socket, stream, () => feed.wake())
    const join = (writer: SocketWriter) => {
      const remove = feed.add(writer)
      if (start.kind !== 'reset') return remove
      snapshots.join(member)
      return () => {
        snapshots.leave(member)
        remove()
      }
    }
    return { stream, join }
  }

  #floorOf(socket: WebSocket<SocketData>) {
    const { floor, feed, clock, snapshots } = this.#ports
    const position = () => feed.positionAt(feed.offset)
    const stream: FloorStream = new FloorStream({
      floor,
      clock,
      position,
      rejoin: () => snapshots.join(member),
      hasRoom: () => snapshots.hasRoom(member),
    })
    const member = this.#member(socket, stream, () => floor.wake())
    const join = (writer: SocketWriter) => {
      const remove = floor.add(writer)
      snapshots.join(member)
      return () => {
        snapshots.leave(member)
        remove()
      }
    }
    return { stream, join }
  }

  #member(
    socket: WebSocket<SocketData>,
    stream: EventStream | FloorStream,
    wake: () => void,
  ): SnapshotMember {
    return {
      addPart: (part) => stream.addPart(part),
      get queuedSnapshotBytes() {
        return stream.queuedSnapshotBytes
      },
      cutSnapshot: () => stream.cutSnapshot(),
      wake,
      snapshotFailed: () => this.#end(socket, closeCodes.tryAgainLater, 'the calls could not be read'),
    }
  }

  #wake({ view }: SupervisorQuery): void {
    if (view === 'floor') this.#ports.floor.wake()
    else this.#ports.feed.wake()
  }

  /** A part of them at a time: thousands that came together are due for their heartbeats together, too. */
  #lookAtSome(): void {
    const count = Math.ceil(this.#sockets.size / looksPerRound)
    for (let i = 0; i < count; i++) {
      const next = this.#round.next()
      if (next.done) {
        this.#round = this.#sockets.values()
        return
      }
      next.value.getUserData().writer?.look()
    }
  }

  #closed(socket: WebSocket<SocketData>): void {
    const data = socket.getUserData()
    data.leave()
    this.#ports.handshake.release(data.grant)
    data.writer?.close()
    this.#sockets.delete(socket)
  }

  #end(socket: WebSocket<SocketData>, code: CloseCode, reason: string): void {
    // Not within a write.
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
    if (this.#looking !== null) clearInterval(this.#looking)
    for (const socket of this.#sockets)
      this.#end(socket, closeCodes.goingAway, 'the service is shutting down')
  }
}
