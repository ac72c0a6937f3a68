/**
 * The signature of an AudioHook upgrade: HTTP Message Signatures, as the draft had them when the vendor took it, with hmac-sha256. Signed
 * is a line for each component and one with the parameters. Age and nonce are checked, so that a recorded request opens nothing twice.
 */
import { Buffer } from 'node:buffer'
import type { Millis } from '../../clock.js'
import type { NonceMemory } from './nonce-memory.js'
import { hmacBase64, isSameSecret } from './secret-text.js'
import { type Headers, right, type Verdict, wrong } from './verdict.js'

export interface AudioHookCredential {
  readonly id: string
  /** Base64, as the platform has it. */
  readonly secret: string
}

export interface AudioHookUpgrade {
  /** Path and query, as they were written. */
  readonly target: string
  /** `Host`, with its port where it is not the usual one. */
  readonly authority: string
  readonly headers: Headers
}

const covered = [
  '@request-target',
  '@authority',
  'audiohook-organization-id',
  'audiohook-session-id',
  'audiohook-correlation-id',
  'x-api-key',
]
const headerCharactersMax = 4096
const nonceCharactersMin = 22
const ageMsMax = 10_000
/** A clock of the platform may be ahead of ours. */
const skewMs = 5000

interface SignatureInput {
  readonly label: string
  /** The inner list and its parameters, as they are signed. */
  readonly text: string
  readonly components: readonly string[]
  readonly parameters: ReadonlyMap<string, string>
}

export function checkAudioHookSignature(
  upgrade: AudioHookUpgrade,
  { id, secret }: AudioHookCredential,
  { now, nonces }: { now: Millis; nonces: NonceMemory },
): Verdict {
  const { headers } = upgrade
  const apiKey = headers.get('x-api-key') ?? ''
  if (!isSameSecret(apiKey, id)) return wrong('X-API-KEY is missing or not known')
  const input = parseInput(headers.get('signature-input'))
  if (input === null) return wrong('the header Signature-Input is missing or malformed')
  const given = signatureOf(headers.get('signature'), input.label)
  if (given === null) return wrong('the header Signature is missing or malformed')
  const fault = faultOf(input, apiKey, now)
  if (fault !== null) return wrong(fault)
  const text = signedText(upgrade, input)
  if (text === null) return wrong('a header that is signed is missing')
  if (!isSameSecret(given, hmacBase64('sha256', Buffer.from(secret, 'base64'), text)))
    return wrong('the signature does not fit: check the client secret and PUBLIC_URL')
  const created = Number(input.parameters.get('created')) * 1000
  return nonces.use(input.parameters.get('nonce') ?? '', now, created + ageMsMax + skewMs)
    ? right
    : wrong('the request was seen before')
}

/** The first signature of the header. */
function parseInput(header: string | undefined): SignatureInput | null {
  if (header === undefined || header.length > headerCharactersMax) return null
  const parts = /^\s*([a-z][a-z0-9_-]*)=(\(([^()]*)\)((?:;[a-z]+=(?:"[^"]*"|\d+))*))\s*(?:,|$)/.exec(header)
  if (parts === null) return null
  const [, label = '', text = '', list = '', rest = ''] = parts
  const components = [...list.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name)
  const parameters = new Map(
    [...rest.matchAll(/;([a-z]+)=(?:"([^"]*)"|(\d+))/g)].map(([, name = '', quoted, digits]) => [
      name,
      quoted ?? digits ?? '',
    ]),
  )
  return { label, text, components, parameters }
}

function signatureOf(header: string | undefined, label: string): string | null {
  if (header === undefined || header.length > headerCharactersMax) return null
  for (const part of header.split(',')) {
    const [, name, value] = /^\s*([a-z][a-z0-9_-]*)=:([A-Za-z0-9+/=]*):\s*$/.exec(part) ?? []
    if (name === label && value !== undefined) return value
  }
  return null
}

function faultOf({ components, parameters }: SignatureInput, apiKey: string, now: Millis): string | null {
  const missing = covered.filter((name) => !components.includes(name))
  if (missing.length > 0) return `the signature does not cover ${missing.join(', ')}`
  if (parameters.get('keyid') !== apiKey) return 'the key of the signature is not X-API-KEY'
  if ((parameters.get('alg') ?? 'hmac-sha256') !== 'hmac-sha256')
    return 'the algorithm of the signature is not hmac-sha256'
  if ((parameters.get('nonce') ?? '').length < nonceCharactersMin)
    return 'the nonce of the signature is too short'
  const created = Number(parameters.get('created') ?? Number.NaN) * 1000
  const expires = Number(parameters.get('expires') ?? Number.NaN) * 1000
  if (!(created <= now + skewMs && now - created <= ageMsMax + skewMs))
    return 'the signature is too old, or made in the future'
  return expires > now ? null : 'the signature has expired'
}

function signedText({ target, authority, headers }: AudioHookUpgrade, input: SignatureInput): string | null {
  const lines: string[] = []
  for (const name of input.components) {
    const value =
      name === '@request-target' ? target : name === '@authority' ? authority : headers.get(name)?.trim()
    if (!value) return null
    lines.push(`"${name}": ${value}`)
  }
  return [...lines, `"@signature-params": ${input.text}`].join('\n')
}
