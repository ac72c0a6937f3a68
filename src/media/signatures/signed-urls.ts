/**
 * The URLs that a platform may have signed for one request. Proxies and frameworks write one address in many ways: `wss` as `https`,
 * the port or none, a slash at the end or none. Each is the same address, so any one that fits is as good a proof.
 */
import type { SignedRequest } from './verdict.js'

const defaultPorts: Readonly<Record<string, string>> = { wss: '443', https: '443', ws: '80', http: '80' }

/** Without the query. `first` is the scheme that this platform signs. */
export function signedUrls({ origin, path }: SignedRequest, first: 'wss' | 'https'): readonly string[] {
  const base = URL.canParse(origin) ? new URL(origin) : null
  if (base === null) return []
  const isSecure = base.protocol === 'https:' || base.protocol === 'wss:'
  const schemes = first === 'wss' ? ['wss', 'https'] : ['https', 'wss']
  const plain = schemes.map((scheme) => scheme.replace('wss', 'ws').replace('https', 'http'))
  // Of a proxy that takes a prefix away.
  const whole = base.pathname.replace(/\/$/, '') + path
  const paths = whole.endsWith('/') ? [whole, whole.slice(0, -1)] : [whole, `${whole}/`]
  return (isSecure ? schemes : plain).flatMap((scheme) =>
    hosts(base, scheme).flatMap((host) => paths.map((each) => `${scheme}://${host}${each}`)),
  )
}

function hosts({ hostname, port }: URL, scheme: string): readonly string[] {
  if (port !== '') return [`${hostname}:${port}`, hostname]
  return [hostname, `${hostname}:${defaultPorts[scheme]}`]
}

/** Pairs of a query, decoded, sorted by name. */
export function sortedPairs(query: string): readonly (readonly [name: string, value: string])[] {
  return [...new URLSearchParams(query)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}
