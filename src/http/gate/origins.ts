/**
 * Rules for pages of other origins. Nothing here replaces credentials: a browser sends what a page tells
 * it to, so without credentials these checks keep the web out of a service on loopback, and with them they keep foreign
 * pages from using what a supervisor has.
 */
import { isIP } from 'node:net'
import { ConfigError } from '../../config/config.js'
import { quoted } from '../../quoted.js'

export interface OriginOptions {
  /** Origins (scheme, host, port) separated by commas. */
  readonly allowedOrigins: string
  /** Host names separated by commas. */
  readonly allowedHosts: string
  /** The name that the service listens on. */
  readonly ownHost: string
  readonly hasTls: boolean
}

type Headers = readonly (readonly [name: string, value: string])[]
const varies = ['Vary', 'Origin'] as const
const preflightSecondsMax = 600

export class Origins {
  readonly #allowed: ReadonlySet<string>
  readonly #hosts: ReadonlySet<string>
  readonly #scheme: string
  /** Hosts come again and again. It is no secret, so one that is known to be right may be remembered. */
  #lastHost: string | null = null

  /** Throws `ConfigError`. */
  constructor({ allowedOrigins, allowedHosts, ownHost, hasTls }: OriginOptions) {
    const origins = wordsOf(allowedOrigins).map(parseOrigin)
    this.#allowed = new Set(origins.map(({ origin }) => origin))
    this.#hosts = new Set([
      'localhost',
      ownHost.toLowerCase(),
      ...wordsOf(allowedHosts).map(parseHost),
      ...origins.map(({ hostname }) => hostname),
    ])
    this.#scheme = hasTls ? 'https://' : 'http://'
  }

  /**
   * The exact origin is on the list, or the request goes to where the page came from. A proxy that ends TLS makes the
   * page's scheme another one than ours: the proxy says it, or the origin must be listed.
   */
  isAllowed(origin: string, host: string | null, scheme: 'http' | 'https' | null = null): boolean {
    if (this.#allowed.has(origin)) return true
    const prefix = scheme === null ? this.#scheme : `${scheme}://`
    // An origin never says the default port, a proxy may.
    const name = host?.toLowerCase().replace(prefix === 'https://' ? /:443$/ : /:80$/, '') ?? ''
    return name !== '' && origin === prefix + name
  }

  /** What lets the pages of a listed origin read the answer. Credentials are headers, so cookies are never allowed. */
  answerHeaders(origin: string | null): Headers | null {
    if (this.#allowed.size === 0) return null
    if (origin === null || !this.#allowed.has(origin)) return [varies]
    return [
      ['Access-Control-Allow-Origin', origin],
      ['Access-Control-Expose-Headers', 'Retry-After, X-Request-Id'],
      varies,
    ]
  }

  preflightHeaders(methods: readonly string[]): Headers {
    return [
      ['Access-Control-Allow-Methods', methods.join(', ')],
      ['Access-Control-Allow-Headers', 'Authorization, Content-Type, X-Request-Id'],
      ['Access-Control-Max-Age', String(preflightSecondsMax)],
    ]
  }

  /**
   * DNS rebinding: a page of evil.example whose name suddenly means 127.0.0.1 has the same origin as what it asks, but
   * its browser still says `Host: evil.example`. An address instead of a name cannot be bent like that.
   */
  isOwnHost(host: string | null): boolean {
    if (host === null) return false
    if (host === this.#lastHost) return true
    const name = host.toLowerCase().replace(/:\d{1,5}$/, '')
    const isOwn = isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 || this.#hosts.has(name)
    if (isOwn) this.#lastHost = host
    return isOwn
  }
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((word) => word.trim())
}

function parseOrigin(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || url.origin !== text || !/^https?:$/.test(url.protocol))
    throw new ConfigError(
      `ALLOWED_ORIGINS: ${quoted(text)} is not an origin; examples: https://voice.example.com or http://10.0.0.5:8000`,
    )
  return url
}

function parseHost(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,253}$/.test(text))
    throw new ConfigError(`ALLOWED_HOSTS: ${quoted(text)} is not a host name; give it without a port`)
  return text.toLowerCase()
}
