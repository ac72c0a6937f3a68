/** Rules for the listening address: a service without credentials may listen only on loopback. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIPv6 } from 'node:net'
import { ConfigError } from './config.js'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export function isLoopback(address: string): boolean {
  return loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

export interface Exposure {
  readonly host: string
  readonly hasCredentials: boolean
  readonly allowsUnauthenticated: boolean
  readonly hasTls: boolean
}

/**
 * Resolves with what the operator should be warned of. Rejects with `ConfigError` where anybody who reaches the
 * address could read and delete calls and nobody has said that this is wanted.
 */
export async function checkExposure({
  host,
  hasCredentials,
  allowsUnauthenticated,
  hasTls,
}: Exposure): Promise<readonly string[]> {
  // Every address that the name stands for: one that is not loopback is enough.
  const addresses = await lookup(host, { all: true }).catch(() => {
    throw new ConfigError(`HOST ${host} cannot be resolved`)
  })
  if (addresses.every(({ address }) => isLoopback(address))) return []
  const warnings: string[] = []
  if (!hasTls)
    warnings.push('plain HTTP on an address that is not loopback; set TLS_CERT_FILE, or use a proxy')
  if (hasCredentials) return warnings
  if (!allowsUnauthenticated)
    throw new ConfigError(
      `HOST ${host} is not a loopback address and no credentials are set: set INGEST_TOKENS, SUPERVISOR_TOKENS and ADMIN_TOKENS or TOKENS_FILE, or ALLOW_UNAUTHENTICATED=true to allow everybody`,
    )
  return [
    ...warnings,
    'no credentials are set; everybody who reaches this address may write, read and delete',
  ]
}
