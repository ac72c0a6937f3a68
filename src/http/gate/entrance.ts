/** All that stands between the network and the routes, built from the configuration. */
import type { Clock } from '../../clock.js'
import type { Config } from '../../config/config.js'
import type { Credentials } from '../../config/credentials.js'
import type { Log } from '../../log.js'
import { ClientAddresses } from './client-addresses.js'
import { Gate } from './gate.js'
import { Handshake } from './handshake.js'
import { MediaHandshake } from './media-handshake.js'
import { Origins } from './origins.js'
import { PlatformProofs } from './platform-proofs.js'
import { RefusalLog } from './refusal-log.js'
import { Tickets } from './tickets.js'
import { type TlsFiles, tlsFiles } from './tls.js'

export interface EntrancePorts {
  readonly config: Config
  readonly credentials: Credentials
  readonly clock: Clock
  readonly log: Log
  isDraining(): boolean
}

export interface Entrance {
  readonly gate: Gate
  readonly handshake: Handshake
  readonly mediaHandshake: MediaHandshake
  readonly proofs: PlatformProofs
  readonly refusals: RefusalLog
  readonly tickets: Tickets
  readonly tls: TlsFiles | null
}

/** Throws `ConfigError`. */
export function createEntrance({ config, credentials, clock, log, isDraining }: EntrancePorts): Entrance {
  const tls = tlsFiles(config.TLS_CERT_FILE, config.TLS_KEY_FILE)
  const addresses = new ClientAddresses(config.TRUSTED_PROXIES)
  const tickets = new Tickets(clock)
  const gate = new Gate({
    credentials,
    addresses,
    tickets,
    origins: new Origins({
      allowedOrigins: config.ALLOWED_ORIGINS,
      allowedHosts: config.ALLOWED_HOSTS,
      ownHost: config.HOST,
      hasTls: tls !== null,
    }),
    ingestPerSecond: config.RATE_LIMIT_INGEST_PER_S,
    readsPerSecond: config.RATE_LIMIT_READS_PER_S,
    authFailuresPerMinute: config.AUTH_FAILURES_PER_MIN,
  })
  const handshake = new Handshake({
    gate,
    addresses,
    credentials,
    perCredentialMax: config.SOCKETS_PER_CREDENTIAL_MAX,
    perAddressMax: config.SOCKETS_PER_ADDRESS_MAX,
    isDraining,
  })
  const proofs = new PlatformProofs(credentials, config.PUBLIC_URL, clock)
  const mediaHandshake = new MediaHandshake({ gate, proofs, credentials, addresses, isDraining })
  return { gate, handshake, mediaHandshake, proofs, tickets, tls, refusals: new RefusalLog(log, addresses) }
}
