/**
 * The handshake of a media stream, up to the 101: bounds before anything is kept, that it is one (RFC 6455 §4.2.1), and who
 * vouches for it: an ingest token in `Authorization` (Bearer, or as the password of Basic), `X-API-KEY`, in the path, or, where the
 * platform can send neither, in the stream itself. Vendors report a refusal here better than a close after it.
 */
import { Buffer } from 'node:buffer'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { RateLimit } from '../../rate-limit.js'
import type { Exchange } from '../exchange.js'
import { readHead } from '../request-body.js'
import type { HttpRequest } from '../uws.js'
import { addressKey, type ClientAddresses } from './client-addresses.js'
import type { Gate } from './gate.js'
import { checkUpgrade, upgradeHeaders } from './handshake.js'

export interface MediaGrant {
  /** Somebody has vouched for it; otherwise the stream has to bring a token. */
  readonly isAdmitted: boolean
  /** The part of the path behind the dialect, where it was no token. */
  readonly segment: string | null
  readonly address: string
}

export interface MediaHandshakePorts {
  readonly gate: Gate
  readonly addresses: ClientAddresses
  isDraining(): boolean
}

export class MediaHandshake {
  readonly #ports: MediaHandshakePorts
  readonly #upgrades = new RateLimit<string>(limits.mediaUpgradesPerSecond, limits.mediaUpgradesPerSecond)
  #open = 0

  constructor(ports: MediaHandshakePorts) {
    this.#ports = ports
  }

  get openCount(): number {
    return this.#open
  }

  /** Null when the handshake is refused and has its answer. A grant counts until it is released. */
  accept(
    exchange: Exchange,
    req: HttpRequest,
    segment: string | null,
    bringsToken: boolean,
  ): MediaGrant | null {
    try {
      exchange.head = readHead(req)
      checkUpgrade(req)
      if (this.#ports.isDraining()) throw new VoiceStreamError('draining', 'the service is shutting down')
      const address = this.#ports.addresses.of(exchange)
      if (this.#open >= limits.mediaSocketsMax || !this.#upgrades.take(addressKey(address)))
        throw new VoiceStreamError('overloaded', 'too many media streams')
      const grant = { ...this.#admit(exchange, headerTokenOf(req), segment, bringsToken), address }
      this.#open++
      return grant
    } catch (error) {
      if (!(error instanceof VoiceStreamError)) throw error
      exchange.problem(error, error.code === 'upgrade_required' ? upgradeHeaders : [])
      return null
    }
  }

  #admit(
    exchange: Exchange,
    headerToken: string | null,
    segment: string | null,
    bringsToken: boolean,
  ): Omit<MediaGrant, 'address'> {
    const { gate } = this.#ports
    const { authorization } = exchange.head
    const token = authorization === null ? headerToken : tokenOf(authorization)
    if (token !== null || !gate.needsCredentials) {
      gate.admitMedia(exchange, token)
      return { isAdmitted: true, segment }
    }
    if (segment !== null && gate.knowsIngestToken(segment)) {
      gate.admitMedia(exchange, segment)
      return { isAdmitted: true, segment: null }
    }
    if (!bringsToken) gate.admitMedia(exchange, segment)
    gate.admitUnknown(exchange)
    return { isAdmitted: false, segment }
  }

  /** Of a stream that brings its own. */
  admits(token: string): boolean {
    return this.#ports.gate.knowsIngestToken(token)
  }

  release(): void {
    this.#open--
  }
}

/** AudioHook and Telnyx have headers of their own for a token. */
function headerTokenOf(req: HttpRequest): string | null {
  const token = req.getHeader('x-api-key') || req.getHeader('x-telnyx-streaming-auth-token')
  return token === '' ? null : token
}

/** Platforms know user and password better than tokens: then the password is the token. */
function tokenOf(authorization: string): string {
  const basic = /^basic +([A-Za-z0-9+/=]+)$/i.exec(authorization)?.[1]
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8')
    return text.slice(text.indexOf(':') + 1)
  }
  return authorization.replace(/^bearer +/i, '')
}
