/**
 * The handshake of `/ws/supervisor`, up to the 101: how it is framed, that it is one (RFC 6455 §4.2.1), and whether its
 * sender may read. uWebSockets.js checks none of that but the length of the key.
 */
import type { Credential, Credentials } from '../../config/credentials.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { RateLimit } from '../../rate-limit.js'
import type { Exchange } from '../exchange.js'
import { readHead } from '../request-body.js'
import type { HttpRequest } from '../uws.js'
import { addressKey, type ClientAddresses } from './client-addresses.js'
import type { Gate } from './gate.js'

/** The credential that opened a socket. */
export interface SocketGrant {
  readonly credential: Credential | null
  readonly address: string
}

export interface HandshakePorts {
  readonly gate: Gate
  readonly addresses: ClientAddresses
  readonly credentials: Credentials
  readonly perCredentialMax: number
  readonly perAddressMax: number
  isDraining(): boolean
}

/** Sixteen bytes in base64, RFC 6455 §4.1. */
const keyPattern = /^[A-Za-z0-9+/]{21}[AQgw]==$/
export const upgradeHeaders = [
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
] as const

export class Handshake {
  readonly #ports: HandshakePorts
  readonly #byCredential = new SocketCount()
  readonly #byAddress = new SocketCount()
  readonly #messages = new RateLimit<SocketGrant>(
    limits.supervisorMessagesPerSecond,
    limits.supervisorMessagesPerSecond,
  )

  constructor(ports: HandshakePorts) {
    this.#ports = ports
  }

  /** Null when the handshake is refused and has its answer. A grant counts until it is released. */
  accept(exchange: Exchange, req: HttpRequest): SocketGrant | null {
    try {
      exchange.head = readHead(req)
      checkUpgrade(req)
      if (this.#ports.isDraining()) throw new VoiceStreamError('draining', 'the service is shutting down')
      if (this.#byAddress.total >= limits.supervisorsMax)
        throw new VoiceStreamError('overloaded', 'too many supervisors are connected')
      this.#ports.gate.admitSocket(exchange, req.getQuery('ticket'))
      return this.#grant(exchange)
    } catch (error) {
      if (!(error instanceof VoiceStreamError)) throw error
      exchange.problem(error, error.code === 'upgrade_required' ? upgradeHeaders : [])
      return null
    }
  }

  #grant(exchange: Exchange): SocketGrant {
    const { credential } = exchange
    const address = this.#ports.addresses.of(exchange)
    // Without credentials everybody is the same nobody: the bound over all is the only one that means something.
    if (
      credential !== null &&
      (this.#byCredential.of(credential.key) >= this.#ports.perCredentialMax ||
        this.#byAddress.of(addressKey(address)) >= this.#ports.perAddressMax)
    )
      throw tooManySockets
    if (credential !== null) this.#byCredential.add(credential.key)
    this.#byAddress.add(addressKey(address))
    return { credential, address }
  }

  release({ credential, address }: SocketGrant): void {
    if (credential !== null) this.#byCredential.remove(credential.key)
    this.#byAddress.remove(addressKey(address))
  }

  /** False for a message too many in this second. */
  takesMessage(grant: SocketGrant): boolean {
    return this.#messages.take(grant)
  }

  isRevoked({ credential }: SocketGrant): boolean {
    return credential !== null && !this.#ports.credentials.holds(credential)
  }
}

const tooManySockets = new VoiceStreamError(
  'rate_limited',
  'too many sockets are open for this credential or address',
)

/** Open sockets by what they share; a key is kept only while it has one. */
export class SocketCount {
  readonly #counts = new Map<string, number>()
  #total = 0

  get total(): number {
    return this.#total
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: string): void {
    this.#total++
    this.#counts.set(key, this.of(key) + 1)
  }

  remove(key: string): void {
    this.#total--
    const rest = this.of(key) - 1
    if (rest > 0) this.#counts.set(key, rest)
    else this.#counts.delete(key)
  }
}

export function checkUpgrade(req: HttpRequest): void {
  if (req.getHeader('sec-websocket-version') !== '13')
    throw new VoiceStreamError('upgrade_required', 'only version 13 of the WebSocket protocol is supported')
  if (!hasWord(req.getHeader('upgrade'), 'websocket') || !hasWord(req.getHeader('connection'), 'upgrade'))
    throw new VoiceStreamError('upgrade_required', 'connect with a WebSocket')
  if (!keyPattern.test(req.getHeader('sec-websocket-key')))
    throw new VoiceStreamError('malformed_request', 'the Sec-WebSocket-Key is not 16 bytes in base64')
}

function hasWord(header: string, word: string): boolean {
  return header.split(',').some((part) => part.trim().toLowerCase() === word)
}
