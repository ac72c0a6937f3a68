/**
 * `/v1/media/{dialect}`: media streams of platforms and PBXs, a `MediaSession` for each socket. Nothing is sent that a dialect
 * does not ask for, no pings either: some PBXs hang up on them, and audio says that a peer is there.
 */
import { randomUUID } from 'node:crypto'
import Type from 'typebox'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { detectedKind } from '../../media/detected-dialect.js'
import type { DialectKind } from '../../media/dialect.js'
import { dialectKind, dialectNames } from '../../media/dialects.js'
import { MediaSession, type SessionPorts } from '../../media/media-session.js'
import { type NativePorts, NativeSession } from '../../media/native/native-session.js'
import { subprotocol } from '../../media/native/wire.js'
import { closeCodes } from '../../protocol/close-codes.js'
import { Exchange, type ExchangeOwner } from '../exchange.js'
import type { MediaGrant, MediaHandshake } from '../gate/media-handshake.js'
import type { Route } from '../routes.js'
import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket } from '../uws.js'
import { answerUpgradeRequired, upgradeAnswers } from './upgrade-required.js'

type Kind = DialectKind | typeof nativeKind

interface SocketData {
  readonly grant: MediaGrant
  readonly kind: Kind
  readonly query: ReadonlyMap<string, string>
  readonly headers: ReadonlyMap<string, string>
  session: Session | null
}

/** What a socket passes on. */
interface Session {
  readonly isBusy: boolean
  message(data: Uint8Array, isBinary: boolean): void
  closed(isClean: boolean): void
  goAway(): void
  /** The platform says by another way that this stream has ended; false for another one. */
  endsSoon(stream: string): boolean
}

/** A gateway's own protocol: not a dialect, because it is answered with what is on disk. */
const nativeKind: Pick<DialectKind, 'name' | 'subprotocols' | 'messageBytesMax'> = {
  name: 'native',
  subprotocols: [subprotocol],
  messageBytesMax: limits.nativeMessageBytesMax,
}

const replyBytesMax = 64 * 1024
/** Only these bring a token in their start; the others send headers. */
const bringTokens = new Set(['twilio', 'signalwire', 'telnyx', 'plivo', 'exotel', 'voximplant', 'detect'])
/** Beyond what a dialect takes, so that a message that is a little too long is told so; uWebSockets.js just cuts longer ones off. */
const overlongBytes = 64 * 1024
/** Of the upgrade, which a dialect may ask for. */
const headersKept = [
  'sec-websocket-protocol',
  'audiohook-organization-id',
  'audiohook-session-id',
  'audiohook-correlation-id',
] as const

const routePath = '/v1/media/{dialect}'
const dialectKinds = dialectNames.map((name) => dialectKind(name)).filter((kind) => kind !== undefined)
const noSuchDialect = new VoiceStreamError(
  'not_found',
  `there is no dialect of this name; there are ${dialectNames.join(', ')}, native`,
)

export const mediaRoute: Route = {
  method: 'GET',
  path: routePath,
  access: 'public',
  tag: 'ingest',
  summary: 'The audio of a call over WebSocket, as a platform sends it',
  description: `Dialects: ${dialectNames.join(', ')}, native. \`/v1/media\` finds out which one it is. A part of the path behind the dialect is an ingest token, or names the call. docs/pbx.md says what to configure on each platform.`,
  query: [
    { name: 'call_id', schema: Type.String({ description: 'Names the call, where the platform does not.' }) },
  ],
  answers: { ...upgradeAnswers, 404: { description: 'No such dialect.' } },
  answer: answerUpgradeRequired,
}

export interface MediaSocketPorts
  extends Omit<SessionPorts, 'send' | 'close' | 'admits' | 'refused'>,
    Pick<NativePorts, 'epoch' | 'account'> {
  readonly owner: ExchangeOwner
  readonly handshake: MediaHandshake
  /** For tests: those of the limit are a quarter of an hour. */
  readonly idleSeconds?: number
  /** A stream was refused after its 101. */
  refused(why: string, address: string): void
}

export class MediaSockets {
  readonly #ports: MediaSocketPorts
  readonly #sockets = new Set<WebSocket<SocketData>>()
  /** Of closed sockets, where something may still be settled. */
  readonly #closing = new Set<Session>()

  constructor(app: TemplatedApp, ports: MediaSocketPorts) {
    this.#ports = ports
    for (const kind of [detectedKind, nativeKind, ...dialectKinds]) this.#register(app, kind)
    for (const pattern of ['/v1/media/:dialect', '/v1/media/:dialect/:segment'])
      app.ws<SocketData>(pattern, { upgrade: (res) => this.#refuseName(res) })
  }

  /** Each with its own bound: what came of a message lies in uWebSockets.js until it is whole. */
  #register(app: TemplatedApp, kind: Kind): void {
    const path = `/v1/media/${kind.name}`
    const paths = [path, `${path}/`, `${path}/:segment`]
    for (const pattern of kind === detectedKind ? ['/v1/media', ...paths] : paths)
      app.ws<SocketData>(pattern, {
        maxPayloadLength: kind.messageBytesMax + overlongBytes,
        idleTimeout: this.#ports.idleSeconds ?? limits.mediaIdleSeconds,
        sendPingsAutomatically: false,
        maxBackpressure: replyBytesMax,
        closeOnBackpressureLimit: true,
        compression: 0,
        upgrade: (res, req, context) => this.#upgrade(res, req, context, kind),
        open: (socket) => this.#open(socket),
        message: (socket, message, isBinary) => this.#message(socket, message, isBinary),
        close: (socket, code) => this.#closed(socket, code),
      })
  }

  get count(): number {
    return this.#sockets.size
  }

  /** Calls go on with another leg, in the next process. */
  closeAll(): void {
    for (const socket of [...this.#sockets]) socket.getUserData().session?.goAway()
  }

  /** After a reload of the credentials. */
  closeRevoked(): void {
    for (const socket of [...this.#sockets])
      if (this.#ports.handshake.isRevoked(socket.getUserData().grant))
        this.#end(socket, closeCodes.revoked, 'the credential is no longer valid')
  }

  /** False where no open socket has that stream. */
  endsSoon(stream: string): boolean {
    for (const socket of this.#sockets) if (socket.getUserData().session?.endsSoon(stream)) return true
    return false
  }

  /** Something that came on a socket is still to be settled. */
  get isBusy(): boolean {
    for (const session of this.#closing) if (!session.isBusy) this.#closing.delete(session)
    return this.#closing.size > 0 || this.#sockets.size > 0
  }

  #refuseName(res: HttpResponse): void {
    new Exchange(res, routePath, this.#ports.owner).problem(noSuchDialect)
  }

  #upgrade(
    res: HttpResponse,
    req: HttpRequest,
    context: Parameters<HttpResponse['upgrade']>[4],
    kind: Kind,
  ): void {
    const exchange = new Exchange(res, routePath, this.#ports.owner)
    const segment = req.getParameter(0)
    const grant = this.#ports.handshake.accept(exchange, req, {
      dialect: kind.name,
      segment: segment === undefined || segment === '' ? null : decoded(segment),
      bringsToken: bringTokens.has(kind.name),
    })
    if (grant === null) return
    const offered = req.getHeader('sec-websocket-protocol').split(',')
    const protocol = offered.find((one) => kind.subprotocols.includes(one.trim()))?.trim()
    const headers = new Map(headersKept.map((header) => [header, req.getHeader(header)]))
    const query = queryOf(req.getQuery() ?? '')
    exchange.upgrade<SocketData>(req, context, { grant, kind, query, headers, session: null }, protocol)
  }

  #open(socket: WebSocket<SocketData>): void {
    const data = socket.getUserData()
    this.#sockets.add(socket)
    data.session = 'create' in data.kind ? this.#mediaSession(socket, data.kind) : this.#nativeSession(socket)
  }

  #nativeSession(socket: WebSocket<SocketData>): Session {
    const { clock, held, epoch, account, tell, counted } = this.#ports
    const session: NativeSession = new NativeSession({
      clock,
      held,
      epoch,
      account,
      tell,
      counted,
      send: (message) => void socket.send(message, typeof message !== 'string'),
      close: (code, why) => this.#end(socket, code, why),
    })
    return {
      isBusy: false,
      message: (data, isBinary) =>
        isBinary ? session.binary(data) : session.text(Buffer.from(data).toString('utf8')),
      closed: () => session.closed(),
      goAway: () => session.goAway(),
      endsSoon: () => false,
    }
  }

  #mediaSession(socket: WebSocket<SocketData>, kind: DialectKind): Session {
    const { grant, query, headers } = socket.getUserData()
    const { handshake, clock, held, tell, counted, settledAfter, warn } = this.#ports
    return new MediaSession(
      {
        clock,
        held,
        tell,
        counted,
        settledAfter,
        warn,
        admits: (token) => handshake.admits(grant, token),
        refused: (why) => this.#ports.refused(why, grant.address),
        send: (message) => void socket.send(message, typeof message !== 'string'),
        close: (code, why) => this.#end(socket, code, why),
      },
      kind,
      {
        query,
        segment: grant.segment,
        headers,
        newId: () => randomUUID(),
        isBusy: () => handshake.isDraining || held.bytes >= limits.mediaUnsettledBytesMax,
        isAdmitted: grant.isAdmitted,
        onlyCall: grant.onlyCall,
      },
    )
  }

  #message(socket: WebSocket<SocketData>, message: ArrayBuffer, isBinary: boolean): void {
    const { session, kind } = socket.getUserData()
    if (message.byteLength > kind.messageBytesMax)
      return this.#end(socket, 1009, `a message has at most ${kind.messageBytesMax} bytes`)
    session?.message(new Uint8Array(message), isBinary)
  }

  #end(socket: WebSocket<SocketData>, code: number, why: string): void {
    if (this.#sockets.has(socket)) socket.end(code, why)
  }

  #closed(socket: WebSocket<SocketData>, code: number): void {
    this.#sockets.delete(socket)
    const { session, grant } = socket.getUserData()
    this.#ports.handshake.release(grant)
    // uWebSockets.js says 1006 where the connection broke, and 1005 where the peer gave no code.
    if (session === null) return
    session.closed(code !== 1006)
    // What it still waits for is settled soon; the next one to close takes it away.
    for (const other of this.#closing) if (!other.isBusy) this.#closing.delete(other)
    if (session.isBusy) this.#closing.add(session)
  }
}

function queryOf(text: string): ReadonlyMap<string, string> {
  return new Map([...new URLSearchParams(text)].map(([name, value]) => [name.toLowerCase(), value]))
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
