/** Whose request it is: the other end of the connection, or whom a proxy that we trust names. */
import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'
import { ConfigError } from '../../config/config.js'
import { quoted } from '../../quoted.js'

/** A request as far as it says whose it is. */
export interface Sender {
  /** Of the connection, in its canonical form. */
  readonly remoteAddress: string
  readonly head: { readonly forwardedFor: string | null; readonly forwardedProto: string | null }
}

export class ClientAddresses {
  readonly #trusted: BlockList | null

  /** `trustedProxies` are addresses and networks, separated by commas. Throws `ConfigError`. */
  constructor(trustedProxies: string) {
    this.#trusted = trustedProxies === '' ? null : parseNetworks(trustedProxies)
  }

  /**
   * Of `X-Forwarded-For` the last address that is not itself a trusted proxy: what stands before it is the client's own
   * word. `Forwarded` is not read: a proxy that writes one of the two headers lets the client's other one through.
   */
  of(request: Sender): string {
    const { forwardedFor } = request.head
    let address = request.remoteAddress
    if (this.#trusted === null || forwardedFor === null) return address
    for (const part of forwardedFor.split(',').reverse()) {
      if (!this.#isTrusted(address)) break
      const named = withoutPort(part.trim())
      if (isIP(named) === 0) break
      address = canonicalAddress(named)
    }
    return address
  }

  /** The scheme of the page as a trusted proxy says it, of several the one that the nearest has written; null for our own. */
  schemeOf(request: Sender): 'http' | 'https' | null {
    const { forwardedProto } = request.head
    if (forwardedProto === null || !this.#isTrusted(request.remoteAddress)) return null
    const scheme = forwardedProto.split(',').at(-1)?.trim().toLowerCase()
    return scheme === 'http' || scheme === 'https' ? scheme : null
  }

  #isTrusted(address: string): boolean {
    return this.#trusted?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') === true
  }
}

/** Some proxies write the client's port, too (Application Gateway, ALB): `203.0.113.7:1234`, `[2001:db8::1]:443`. */
function withoutPort(text: string): string {
  const [, v6, v4] = /^(?:\[(.+)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? []
  return v6 ?? v4 ?? text
}

function parseNetworks(text: string): BlockList {
  const networks = new BlockList()
  for (const network of text.split(',').map((part) => part.trim())) {
    const [address = '', prefix, ...rest] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    const bits = Number(prefix ?? (family === 'ipv6' ? 128 : 32))
    try {
      if (rest.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)))
        throw new Error('no network')
      networks.addSubnet(address, bits, family)
    } catch {
      throw new ConfigError(`TRUSTED_PROXIES: ${quoted(network)} is neither an address nor a network`)
    }
  }
  return networks
}

/** One text for each address; an IPv4 address that came over IPv6 is the IPv4 address. */
export function canonicalAddress(address: string): string {
  if (!isIPv6(address)) return address
  const short = new SocketAddress({ address, family: 'ipv6' }).address
  const mapped = short.startsWith('::ffff:') ? short.slice('::ffff:'.length) : ''
  return isIPv4(mapped) ? mapped : short
}

/** Whom limits count as one: of IPv6 the /64, because each customer has at least that many addresses. */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    while (groups.length + after.length < 8) groups.push('0')
    groups.push(...after)
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
