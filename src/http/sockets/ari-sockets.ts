/** `/v1/ari`: an Asterisk opens its ARI to us (subprotocol `ari`), tells its calls, and takes requests on the same socket. */
import { Buffer } from 'node:buffer'
import { limits } from '../../limits.js'
import { AriTap, type TapPorts } from '../../media/ari/ari-tap.js'
import { closeCodes } from '../../protocol/close-codes.js'
import { Exchange, type ExchangeOwner } from '../exchange.js'
import type { MediaGrant, MediaHandshake } from '../gate/media-handshake.js'
import type { Route } from '../routes.js'
import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket } from '../uws.js'
import { answerUpgradeRequired, upgradeAnswers } from './upgrade-required.js'

interface SocketData {
  readonly grant: MediaGrant
  tap: AriTap | null
}

const path = '/v1/ari'
const subprotocol = 'ari'

export const ariRoute: Route = {
  method: 'GET',
  path,
  access: 'public',
  tag: 'ingest',
  summary: 'Asterisk’s ARI, opened by Asterisk: its calls are listened to',
  description:
    'An outbound WebSocket of ari.conf (Asterisk 22.5 and later). Every two-party call is tapped beside its path, each phone as a track; docs/pbx.md has the configuration.',
  answers: upgradeAnswers,
  answer: answerUpgradeRequired,
}

export interface AriSocketPorts extends Omit<TapPorts, 'send' | 'close'> {
  readonly owner: ExchangeOwner
  readonly handshake: MediaHandshake
}

export class AriSockets {
  readonly #ports: AriSocketPorts
  readonly #sockets = new Set<WebSocket<SocketData>>()

  constructor(app: TemplatedApp, ports: AriSocketPorts) {
    this.#ports = ports
    app.ws<SocketData>(path, {
      maxPayloadLength: limits.ariMessageBytesMax,
      // Nothing happens on a PBX at night.
      idleTimeout: limits.mediaIdleSeconds,
      sendPingsAutomatically: true,
      compression: 0,
      upgrade: (res, req, context) => this.#upgrade(res, req, context),
      open: (socket) => this.#open(socket),
      message: (socket, message) => socket.getUserData().tap?.message(Buffer.from(message).toString('utf8')),
      close: (socket) => {
        this.#sockets.delete(socket)
        const { grant, tap } = socket.getUserData()
        ports.handshake.release(grant)
        tap?.closed()
      },
    })
  }

  get count(): number {
    return this.#sockets.size
  }

  closeAll(): void {
    for (const socket of [...this.#sockets]) socket.getUserData().tap?.goAway()
  }

  /** After a reload of the credentials. */
  closeRevoked(): void {
    for (const socket of [...this.#sockets])
      if (this.#ports.handshake.isRevoked(socket.getUserData().grant))
        socket.end(closeCodes.revoked, 'the credential is no longer valid')
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: Parameters<HttpResponse['upgrade']>[4]): void {
    const { handshake, owner } = this.#ports
    const exchange = new Exchange(res, path, owner)
    const grant = handshake.accept(exchange, req, { dialect: 'ari', segment: null, bringsToken: false })
    if (grant === null) return
    const offered = req.getHeader('sec-websocket-protocol').split(',')
    const protocol = offered.some((one) => one.trim() === subprotocol) ? subprotocol : ''
    exchange.upgrade<SocketData>(req, context, { grant, tap: null }, protocol)
  }

  #open(socket: WebSocket<SocketData>): void {
    const { clock, options } = this.#ports
    const tap = new AriTap({
      clock,
      options,
      tell: (callId, message) => this.#ports.tell(callId, message),
      warn: (why, callId) => this.#ports.warn(why, callId),
      send: (text) => void (this.#sockets.has(socket) && socket.send(text)),
      close: (code, why) => void (this.#sockets.has(socket) && socket.end(code, why)),
    })
    socket.getUserData().tap = tap
    this.#sockets.add(socket)
  }
}
