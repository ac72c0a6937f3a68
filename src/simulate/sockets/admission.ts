/**
 * How a platform shows that it may send: a token where that platform can put one, or its signature. Made from the vendors'
 * documents, apart from the service's own checks, so that each checks the other. Pure but for nonces.
 */
import { createHmac } from 'node:crypto'
import { organization } from '../dialects/audiohook-sender.js'
import type { Sender, SentStream, TokenPlace } from '../dialects/sender.js'
import type { WebSocketAddress } from './message-line.js'

export interface Credentials {
  readonly token: string | null
  /** The auth token of Twilio or Plivo, or AudioHook's client secret (base64). */
  readonly signingSecret: string | null
  /** AudioHook's. */
  readonly apiKey: string | null
}

export interface Admission {
  readonly credentials: Credentials
  /** Of the service. */
  readonly url: URL
  /** As the platform knows it: what it signs. */
  readonly publicUrl: URL
  newNonce(): string
  wallMs(): number
}

type Headers = Record<string, string>

/** Where the stream's socket goes, and what its upgrade says. */
export function addressOf(
  sender: Pick<Sender, 'path' | 'subprotocol' | 'tokenPlace' | 'signature' | 'queryOf'>,
  stream: SentStream,
  admission: Admission,
): WebSocketAddress {
  const { credentials } = admission
  const query = new URLSearchParams(sender.queryOf(stream)).toString()
  const isSigned = sender.signature !== null && credentials.signingSecret !== null
  const inPath = !isSigned && sender.tokenPlace === 'path' && credentials.token !== null
  const path = `${sender.path ?? ''}${inPath ? `/${encodeURIComponent(credentials.token ?? '')}` : ''}`
  const target = query === '' ? path : `${path}?${query}`
  const url = socketUrl(admission.url, target)
  return {
    url,
    subprotocol: sender.subprotocol,
    headers: isSigned
      ? signedHeaders(sender.signature, stream, admission, target)
      : tokenHeaders(sender.tokenPlace, credentials),
  }
}

export function socketUrl(base: URL, target: string): URL {
  const url = new URL(base.pathname.replace(/\/$/, '') + target, base)
  url.protocol = base.protocol.replace(/^http/, 'ws')
  return url
}

export function tokenHeaders(place: TokenPlace, { token, apiKey }: Credentials): Headers {
  if (place === 'x-api-key' && apiKey !== null) return { [place]: apiKey }
  if (token === null || place === 'path') return {}
  if (place === 'bearer') return { authorization: `Bearer ${token}` }
  if (place !== 'basic') return { [place]: token }
  return { authorization: `Basic ${Buffer.from(`simulate:${token}`, 'utf8').toString('base64')}` }
}

function signedHeaders(
  signature: Sender['signature'],
  stream: SentStream,
  admission: Admission,
  target: string,
): Headers {
  const secret = admission.credentials.signingSecret ?? ''
  const url = socketUrl(admission.publicUrl, target).href
  switch (signature) {
    case 'twilio':
      return { 'x-twilio-signature': hmac('sha1', secret, url) }
    case 'plivo': {
      const nonce = admission.newNonce()
      // The vendor's own SDK signs the address of a page.
      const signed = `${url.replace(/^ws/, 'http')}.${nonce}`
      return {
        'x-plivo-signature-v3': hmac('sha256', secret, signed),
        'x-plivo-signature-v3-nonce': nonce,
      }
    }
    default:
      return audiohookHeaders(stream, admission, target)
  }
}

const expiryMs = 30_000

/** HTTP Message Signatures, as the vendor took their draft. */
function audiohookHeaders({ streamId }: SentStream, admission: Admission, target: string): Headers {
  const { credentials, publicUrl, newNonce, wallMs } = admission
  const apiKey = credentials.apiKey ?? ''
  const { host } = publicUrl
  const path = publicUrl.pathname.replace(/\/$/, '') + target
  const headers: Headers = {
    'audiohook-organization-id': organization,
    'audiohook-session-id': streamId,
    'audiohook-correlation-id': streamId,
    'x-api-key': apiKey,
  }
  const lines = new Map([['@request-target', path], ['@authority', host], ...Object.entries(headers)])
  const created = Math.floor(wallMs() / 1000)
  const names = [...lines.keys()].map((name) => `"${name}"`).join(' ')
  const input =
    `(${names});keyid="${apiKey}";nonce="${newNonce()}";alg="hmac-sha256"` +
    `;created=${created};expires=${created + expiryMs / 1000}`
  const text = [...[...lines].map(([name, value]) => `"${name}": ${value}`), `"@signature-params": ${input}`]
  const key = Buffer.from(credentials.signingSecret ?? '', 'base64')
  return {
    ...headers,
    'signature-input': `sig1=${input}`,
    signature: `sig1=:${hmac('sha256', key, text.join('\n'))}:`,
  }
}

function hmac(algorithm: string, key: string | Buffer, text: string): string {
  return createHmac(algorithm, key).update(text).digest('base64')
}
