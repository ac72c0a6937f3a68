/**
 * The one place that admits or refuses a request, before anything else happens with it. Requests of every route pass
 * here, and so do handshakes of sockets. In order: the host it was meant for, the page that it comes from, whose
 * credential it carries and what that may do, and how many of its kind there were.
 */
import type { Credential, Credentials, StreamCredential } from '../../config/credentials.js'
import { isLoopback } from '../../config/listening-rules.js'
import { VoiceStreamError } from '../../errors.js'
import { RateLimit, rateLimitOf } from '../../rate-limit.js'
import type { Exchange } from '../exchange.js'
import { type Access, assertRole, identify } from './access.js'
import { addressKey, type ClientAddresses } from './client-addresses.js'
import type { Origins } from './origins.js'
import type { Proof } from './platform-proofs.js'
import type { Tickets } from './tickets.js'

export interface GatePorts {
  readonly credentials: Credentials
  readonly origins: Origins
  readonly addresses: ClientAddresses
  readonly tickets: Tickets
  /** Each 0 for none. */
  readonly ingestPerSecond: number
  readonly readsPerSecond: number
  readonly authFailuresPerMinute: number
}

const hostRefused = new VoiceStreamError(
  'host_refused',
  'this Host is not allowed; use an IP address, localhost or a name of ALLOWED_HOSTS',
)
const originRefused = new VoiceStreamError(
  'origin_refused',
  'pages of this origin are not allowed to do this',
)
const originMissing = new VoiceStreamError(
  'origin_refused',
  'a ticket works only in a browser, which sends an Origin',
)
const ticketRefused = new VoiceStreamError('unauthenticated', 'the ticket is unknown, used or expired')
const rateLimited = new VoiceStreamError('rate_limited', 'too many requests')
const tooManyFailures = new VoiceStreamError(
  'too_many_failures',
  'too many unknown credentials came from this address',
)
const safeId = /^[A-Za-z0-9._-]{1,64}$/

export class Gate {
  readonly #ports: GatePorts
  /** By the key of a credential, else by address. */
  readonly #ingest: RateLimit<string> | null
  readonly #reads: RateLimit<string> | null
  readonly #failures: RateLimit<string> | null

  constructor(ports: GatePorts) {
    this.#ports = ports
    this.#ingest = rateLimitOf(ports.ingestPerSecond)
    this.#reads = rateLimitOf(ports.readsPerSecond)
    const perMinute = ports.authFailuresPerMinute
    this.#failures = perMinute === 0 ? null : new RateLimit(perMinute / 60, perMinute)
  }

  /** Throws what the request is refused with. `changes`: it may have an effect. */
  admit(exchange: Exchange, access: Access, changes: boolean): void {
    this.#checkBrowser(exchange, changes)
    this.#admitBearer(exchange, access)
  }

  #admitBearer(exchange: Exchange, access: Access): void {
    const { credentials } = this.#ports
    if (access !== 'public' && !credentials.isEmpty) {
      const { authorization } = exchange.head
      exchange.credential = this.#authenticated(exchange, () => identify(credentials, authorization))
      assertRole(exchange.credential, access)
    }
    this.#checkRate(exchange, access)
  }

  /** For a handshake: with a header, with a ticket, or, where there are no credentials, with neither. */
  admitSocket(exchange: Exchange, ticket: string | undefined): void {
    this.#checkBrowser(exchange, true)
    const { authorization, origin } = exchange.head
    if (ticket === undefined || authorization !== null) return this.#admitBearer(exchange, 'supervisor')
    if (origin === null) throw originMissing
    exchange.credential = this.#authenticated(exchange, () => this.#redeem(ticket))
    this.#checkRate(exchange, 'supervisor')
  }

  get needsCredentials(): boolean {
    return !this.#ports.credentials.isEmpty
  }

  /** For a token of a media stream; null for one that may bring none. */
  streamCredential(token: string): StreamCredential | null {
    const found = this.#ports.credentials.findForStream(token)
    return found?.credential.role === 'ingest' ? found : null
  }

  /** For a media stream: with a token, or, where there are no credentials, without one. Gives the only call that it may be of. */
  admitMedia(exchange: Exchange, token: string | null): string | null {
    this.#checkBrowser(exchange, true)
    let onlyCall: string | null = null
    if (this.needsCredentials) {
      const found = token === null ? null : this.#ports.credentials.findForStream(token)
      onlyCall = found?.onlyCall ?? null
      exchange.credential = this.#authenticated(
        exchange,
        () =>
          found?.credential ?? identify(this.#ports.credentials, token === null ? null : `Bearer ${token}`),
        token !== null,
      )
      assertRole(exchange.credential, 'ingest')
    }
    this.#checkRate(exchange, 'ingest')
    return onlyCall
  }

  /** For a media stream that brings its token later. */
  admitUnknown(exchange: Exchange): void {
    this.#checkBrowser(exchange, true)
    this.#checkRate(exchange, 'ingest')
  }

  /** For what a platform proves itself. */
  admitProven(exchange: Exchange, prove: () => Proof): void {
    this.#checkBrowser(exchange, true)
    const proof = prove()
    if (proof.kind === 'wrong') {
      exchange.refusalReason = proof.why
      if (proof.isGuess) this.#countGuess(exchange)
      throw new VoiceStreamError('unauthenticated', proof.why)
    }
    exchange.credential = proof.credential
    this.#checkRate(exchange, 'ingest')
  }

  /** Throws where pages of that origin may not send anything here. */
  preflight(exchange: Exchange, methods: readonly string[]): readonly (readonly [string, string])[] {
    const { origin } = exchange.head
    if (origin === null || !this.#isAllowed(exchange, origin)) throw originRefused
    return this.#ports.origins.preflightHeaders(methods)
  }

  #redeem(text: string): Credential | null {
    const ticket = this.#ports.tickets.redeem(text)
    if (ticket === null) throw ticketRefused
    const { credential } = ticket
    if (credential === null) return null
    if (!this.#ports.credentials.holds(credential)) throw ticketRefused
    assertRole(credential, 'supervisor')
    return credential
  }

  #checkBrowser(exchange: Exchange, changes: boolean): void {
    const { host, origin, requestId } = exchange.head
    const { credentials, origins } = this.#ports
    if (requestId !== null && safeId.test(requestId)) exchange.requestId = requestId
    if (credentials.isEmpty && !origins.isOwnHost(host)) throw hostRefused
    exchange.originHeaders = origins.answerHeaders(origin)
    // A page may send a form anywhere. It cannot read the answers of a read unless they carry its origin.
    if (origin !== null && changes && !this.#isAllowed(exchange, origin)) throw originRefused
  }

  #isAllowed(exchange: Exchange, origin: string): boolean {
    const { origins, addresses } = this.#ports
    return origins.isAllowed(origin, exchange.head.host, addresses.schemeOf(exchange))
  }

  /** Turns an unknown credential into a refusal of its address where they come too fast. Known ones are not held up. */
  #authenticated<Found>(
    exchange: Exchange,
    authenticate: () => Found,
    hasGuessed = exchange.head.authorization !== null,
  ): Found {
    try {
      return authenticate()
    } catch (error) {
      const isGuess =
        error instanceof VoiceStreamError &&
        error.code === 'unauthenticated' &&
        (hasGuessed || error === ticketRefused)
      if (isGuess) this.#countGuess(exchange)
      throw error
    }
  }

  #countGuess(exchange: Exchange): void {
    if (this.#failures?.take(this.#addressKey(exchange)) === false) throw tooManyFailures
  }

  /** A token that came after its handshake was unknown. */
  guessed(address: string): void {
    this.#failures?.take(addressKey(address))
  }

  #checkRate(exchange: Exchange, access: Access): void {
    const limit = access === 'ingest' ? this.#ingest : this.#reads
    // A health check must not be refused because of others behind the same proxy.
    if (limit === null || exchange.route.startsWith('/health/')) return
    if (exchange.credential !== null) {
      if (!limit.take(exchange.credential.key)) throw rateLimited
      return
    }
    const address = this.#ports.addresses.of(exchange)
    if (this.#ports.credentials.isEmpty && isLoopback(address)) return
    if (!limit.take(addressKey(address))) throw rateLimited
  }

  #addressKey(exchange: Exchange): string {
    return addressKey(this.#ports.addresses.of(exchange))
  }
}
