/** One line for a person at a terminal, on stderr. The log is for machines. */
import { isIPv6 } from 'node:net'
import type { Config } from '../config/config.js'
import { version } from '../version.js'
import type { World } from './world.js'

export function tellListening({ HOST, ...config }: Config, port: number, world: World): void {
  const scheme = config.TLS_CERT_FILE === '' ? 'http' : 'https'
  const host = isIPv6(HOST) ? `[${HOST}]` : HOST
  tell([`VoiceStream ${version}`, `${scheme}://${host}:${port}`, accessOf(config), providerOf(config)], world)
}

export function tellRefusal(reason: string, world: World): void {
  tell([`voicestream: cannot start: ${reason}`], world)
}

function tell(parts: readonly string[], { outIsScreen, terminal }: World): void {
  if (outIsScreen) terminal.err.write(`${parts.join(' · ')}\n`)
}

function accessOf(config: Omit<Config, 'HOST'>): string {
  const { INGEST_TOKENS, SUPERVISOR_TOKENS, ADMIN_TOKENS, TOKENS_FILE, ALLOW_UNAUTHENTICATED } = config
  if (INGEST_TOKENS + SUPERVISOR_TOKENS + ADMIN_TOKENS + TOKENS_FILE !== '') return 'tokens are required'
  return ALLOW_UNAUTHENTICATED ? 'no tokens: open to everybody' : 'no tokens: loopback only'
}

function providerOf({ AI_PROVIDER, AI_SIMULATED_FAILURE_RATE }: Omit<Config, 'HOST'>): string {
  if (AI_PROVIDER !== 'simulated' || AI_SIMULATED_FAILURE_RATE === 0) return `provider: ${AI_PROVIDER}`
  const percent = Math.round(AI_SIMULATED_FAILURE_RATE * 100)
  return `provider: simulated (${percent} % of its attempts fail on purpose)`
}
