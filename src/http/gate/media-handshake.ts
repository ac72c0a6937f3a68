/**
 * The handshake of a media stream, up to the 101: bounds before anything is kept, that it is one (RFC 6455 §4.2.1), and who
 * vouches for it: its platform, by a signature or a secret of its own, where TOKENS_FILE has one; else an ingest token in `Authorization`
 * (Bearer, or as the password of Basic), `X-API-KEY`, in the path, or, where the platform can send neither, in the stream itself.
 * Vendors report a refusal here better than a close after it.
 */
import { Buffer } from 'node:buffer'
import type { Credential, Credentials, StreamCredential } from '../../config/credentials.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { RateLimit } from '../../rate-limit.js'
import type { Exchange } from '../exchange.js'
import { readHead } from '../request-body.js'
import type { HttpRequest } from '../uws.js'
import { addressKey, type ClientAddresses } from './client-addresses.js'
import type { Gate } from './gate.js'
import { checkUpgrade, SocketCount, upgradeHeaders } from './handshake.js'
import { type PlatformProofs, proofHeadOf } from './platform-proofs.js'

export interface MediaGrant {
  /** Somebody has vouched for it; otherwise the stream has to bring a token. */
  isAdmitted: boolean
  /** Null where there are none, and before the stream has brought its token. */
  credential: Credential | null
  /** The only call that it may be a stream of, as the platform names it; null for any. */
  onlyCall: string | null
  /** The part of the path behind the dialect, where it was no token. */
  readonly segment: string | null
  readonly address: string
}

export interface MediaRequest {
  /** As in the path. */
  readonly dialect: string
  /** The part of the path behind it, decoded. */
  readonly segment: string | null
  /** It may bring a token in its start: the others send headers. */
  readonly bringsToken: boolean
}

export interface MediaHandshakePorts {
  readonly gate: Gate
  readonly proofs: PlatformProofs
  readonly credentials: Credentials
  readonly addresses: ClientAddresses
  isDraining(): boolean
}

type Admission = Omit<MediaGrant, 'address'>

export class MediaHandshake {
  readonly #ports: MediaHandshakePorts
  readonly #upgrades = new RateLimit<string>(limits.mediaUpgradesPerSecond, limits.mediaUpgradesPerSecond)
  #open = 0
  /** Those for which nobody has vouched yet, by address. */
  readonly #unknown = new SocketCount()

  constructor(ports: MediaHandshakePorts) {
    this.#ports = ports
  }

  get isDraining(): boolean {
    return this.#ports.isDraining()
  }

  /** Null when the handshake is refused and has its answer. A grant counts until it is released. */
  accept(exchange: Exchange, req: HttpRequest, request: MediaRequest): MediaGrant | null {
    try {
      exchange.head = readHead(req)
      checkUpgrade(req)
      if (this.#ports.isDraining()) throw new VoiceStreamError('draining', 'the service is shutting down')
      const address = this.#ports.addresses.of(exchange)
      if (this.#open >= limits.mediaSocketsMax || !this.#upgrades.take(addressKey(address)))
        throw tooManyStreams
      const grant = { ...this.#admit(exchange, req, request), address }
      if (!grant.isAdmitted) this.#keepUnknown(address)
      this.#open++
      return grant
    } catch (error) {
      if (!(error instanceof VoiceStreamError)) throw error
      exchange.problem(error, error.code === 'upgrade_required' ? upgradeHeaders : [])
      return null
    }
  }

  #admit(exchange: Exchange, req: HttpRequest, request: MediaRequest): Admission {
    const { gate, proofs } = this.#ports
    const { dialect, segment, bringsToken } = request
    if (proofs.isNeeded(dialect)) return this.#admitProven(exchange, req, request)
    const { authorization } = exchange.head
    const token = authorization === null ? headerTokenOf(req) : tokenOf(authorization)
    if (token !== null || !gate.needsCredentials) return this.#admitToken(exchange, token, segment)
    if (segment !== null && gate.streamCredential(segment) !== null)
      return this.#admitToken(exchange, segment, null)
    if (!bringsToken) return this.#admitToken(exchange, segment, null)
    gate.admitUnknown(exchange)
    return { isAdmitted: false, credential: null, onlyCall: null, segment }
  }

  #admitToken(exchange: Exchange, token: string | null, segment: string | null): Admission {
    const onlyCall = this.#ports.gate.admitMedia(exchange, token)
    return { isAdmitted: true, credential: exchange.credential, onlyCall, segment }
  }

  /** A token in the path is not needed; where it is made for one call, it still says which. */
  #admitProven(exchange: Exchange, req: HttpRequest, { dialect, segment }: MediaRequest): Admission {
    const { gate, proofs } = this.#ports
    gate.admitProven(exchange, () => proofs.prove(dialect, proofHeadOf(req)))
    const token = segment === null ? null : gate.streamCredential(segment)
    return {
      isAdmitted: true,
      credential: exchange.credential,
      onlyCall: token?.onlyCall ?? null,
      segment: token === null ? segment : null,
    }
  }

  /** They cost memory, and anybody may open them. */
  #keepUnknown(address: string): void {
    const key = addressKey(address)
    if (
      this.#unknown.total >= limits.mediaUnknownMax ||
      this.#unknown.of(key) >= limits.mediaUnknownPerAddressMax
    )
      throw tooManyStreams
    this.#unknown.add(key)
  }

  /** A stream has brought a token; null when it lets nothing in. */
  admits(grant: MediaGrant, token: string): StreamCredential | null {
    const found = this.#ports.gate.streamCredential(token)
    // Who was let in already may call anything a token.
    if (grant.isAdmitted) return found
    if (found === null) {
      this.#ports.gate.guessed(grant.address)
      return null
    }
    this.#unknown.remove(addressKey(grant.address))
    grant.isAdmitted = true
    grant.credential = found.credential
    return found
  }

  /** After a reload of the credentials. */
  isRevoked({ credential }: MediaGrant): boolean {
    return credential !== null && !this.#ports.credentials.holds(credential)
  }

  release({ isAdmitted, address }: MediaGrant): void {
    this.#open--
    if (!isAdmitted) this.#unknown.remove(addressKey(address))
  }
}

const tooManyStreams = new VoiceStreamError('overloaded', 'too many media streams')

/** AudioHook and Telnyx have headers of their own for a token. */
function headerTokenOf(req: HttpRequest): string | null {
  const token = req.getHeader('x-api-key') || req.getHeader('x-telnyx-streaming-auth-token')
  return token === '' ? null : token
}

/** Platforms know user and password better than tokens: then the password is the token. */
export function tokenOf(authorization: string): string {
  const basic = /^basic +([A-Za-z0-9+/=]+)$/i.exec(authorization)?.[1]
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8')
    return text.slice(text.indexOf(':') + 1)
  }
  return authorization.replace(/^bearer +/i, '')
}
