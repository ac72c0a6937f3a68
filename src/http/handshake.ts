/**
 * The handshake of `/ws/supervisor`, up to the 101: how it is framed, that it is one (RFC 6455 §4.2.1), and whether its
 * sender may read. uWebSockets.js checks none of that but the length of the key.
 */
import type { Credential } from '../credentials.js'
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { Exchange } from './exchange.js'
import type { Gate } from './gate.js'
import { readHead } from './request-body.js'
import type { HttpRequest } from './uws.js'

/** What an open socket was let in with. */
export interface SocketGrant {
  readonly credential: Credential | null
}

export interface HandshakePorts {
  readonly gate: Gate
  isDraining(): boolean
}

/** Sixteen bytes in base64, RFC 6455 §4.1. */
const keyPattern = /^[A-Za-z0-9+/]{21}[AQgw]==$/
const upgradeHeaders = [
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
] as const

export class Handshake {
  readonly #ports: HandshakePorts
  #open = 0

  constructor(ports: HandshakePorts) {
    this.#ports = ports
  }

  /** Null when the handshake is refused and has its answer. A grant counts until it is released. */
  accept(exchange: Exchange, req: HttpRequest): SocketGrant | null {
    try {
      exchange.head = readHead(req)
      checkUpgrade(req)
      if (this.#ports.isDraining()) throw new VoiceStreamError('draining', 'the service is shutting down')
      if (this.#open >= limits.supervisorsMax)
        throw new VoiceStreamError('overloaded', 'too many supervisors are connected')
      this.#ports.gate.admit(exchange, 'supervisor')
    } catch (error) {
      if (!(error instanceof VoiceStreamError)) throw error
      exchange.problem(error, error.code === 'upgrade_required' ? upgradeHeaders : [])
      return null
    }
    this.#open++
    return { credential: exchange.credential }
  }

  release(_grant: SocketGrant): void {
    this.#open--
  }
}

function checkUpgrade(req: HttpRequest): void {
  if (req.getHeader('sec-websocket-version') !== '13')
    throw new VoiceStreamError('upgrade_required', 'only version 13 of the WebSocket protocol is spoken here')
  if (!hasWord(req.getHeader('upgrade'), 'websocket') || !hasWord(req.getHeader('connection'), 'upgrade'))
    throw new VoiceStreamError('upgrade_required', 'connect with a WebSocket')
  if (!keyPattern.test(req.getHeader('sec-websocket-key')))
    throw new VoiceStreamError('malformed_request', 'the Sec-WebSocket-Key is not 16 bytes in base64')
}

function hasWord(header: string, word: string): boolean {
  return header.split(',').some((part) => part.trim().toLowerCase() === word)
}
