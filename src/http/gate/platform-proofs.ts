/**
 * What platforms prove themselves with: a signature over the address that they call, or a secret of their own. A dialect whose platform has
 * a line in TOKENS_FILE takes nothing else: a token in TwiML is known to all who read it, the auth token is not.
 */
import type { Clock } from '../../clock.js'
import { ConfigError } from '../../config/config.js'
import type { Credentials } from '../../config/credentials.js'
import type { PlatformCredential } from '../../config/platform-credentials.js'
import { checkAudioHookSignature } from '../../media/signatures/audiohook-signature.js'
import { NonceMemory } from '../../media/signatures/nonce-memory.js'
import { checkPlivoSignature } from '../../media/signatures/plivo-signature.js'
import { isSameSecret } from '../../media/signatures/secret-text.js'
import { checkTelnyxToken } from '../../media/signatures/telnyx-token.js'
import { checkTwilioSignature } from '../../media/signatures/twilio-signature.js'
import type { Headers, SignedRequest, Verdict } from '../../media/signatures/verdict.js'
import { quoted } from '../../quoted.js'
import type { HttpRequest } from '../uws.js'

/** A request as far as platforms sign it, as it was written. */
export interface ProofHead {
  readonly path: string
  readonly query: string
  readonly headers: Headers
  /** The body of a webhook; empty for a socket. */
  readonly form: string
}

export type Proof =
  | { readonly kind: 'right'; readonly credential: PlatformCredential }
  /** `isGuess`: there was a proof, and it is wrong. */
  | { readonly kind: 'wrong'; readonly why: string; readonly isGuess: boolean }

/** What is read of a request: it is gone after its turn. */
const proofHeaders = [
  'host',
  'x-twilio-signature',
  'x-twilio-webhooks-signature-settings',
  'x-plivo-signature-v3',
  'x-plivo-signature-ma-v3',
  'x-plivo-signature-v3-nonce',
  'x-api-key',
  'signature',
  'signature-input',
  'audiohook-organization-id',
  'audiohook-session-id',
  'audiohook-correlation-id',
  'x-telnyx-streaming-auth-token',
] as const

export function proofHeadOf(req: HttpRequest): ProofHead {
  const headers = new Map<string, string>(proofHeaders.map((name) => [name, req.getHeader(name)]))
  return { path: req.getUrl(), query: req.getQuery() ?? '', headers, form: '' }
}

/** Without any of these there was no proof at all. */
const proofsOf: Readonly<Record<PlatformCredential['platform'], readonly (typeof proofHeaders)[number][]>> = {
  twilio: ['x-twilio-signature'],
  plivo: ['x-plivo-signature-v3', 'x-plivo-signature-ma-v3'],
  audiohook: ['signature', 'x-api-key'],
  telnyx: ['x-telnyx-streaming-auth-token'],
}

export class PlatformProofs {
  readonly #credentials: Credentials
  readonly #publicUrl: URL | null
  readonly #clock: Clock
  readonly #nonces = new NonceMemory()

  /** Throws `ConfigError`. */
  constructor(credentials: Credentials, publicUrl: string, clock: Clock) {
    this.#credentials = credentials
    this.#publicUrl = parsePublicUrl(publicUrl)
    this.#clock = clock
  }

  isNeeded(dialect: string): boolean {
    return this.#credentials.ofPlatform(dialect).length > 0
  }

  prove(dialect: string, head: ProofHead): Proof {
    const apiKey = head.headers.get('x-api-key') ?? ''
    let why = 'X-API-KEY is missing or not known'
    for (const credential of this.#credentials.ofPlatform(dialect)) {
      // What another key's secret says of a signature helps nobody to find the fault.
      if (credential.platform === 'audiohook' && !isSameSecret(apiKey, credential.id)) continue
      const verdict = this.#check(credential, head)
      if (verdict.kind === 'right') return { kind: 'right', credential }
      why = verdict.why
    }
    const names = proofsOf[dialect as PlatformCredential['platform']]
    return { kind: 'wrong', why, isGuess: names.some((name) => head.headers.get(name)) }
  }

  #check(credential: PlatformCredential, head: ProofHead): Verdict {
    const { platform, secret } = credential
    switch (platform) {
      case 'twilio':
        return checkTwilioSignature(this.#signed(head), [secret], head.form)
      case 'plivo':
        return checkPlivoSignature(this.#signed(head), [secret])
      case 'audiohook':
        return checkAudioHookSignature(this.#audioHook(head), credential, {
          now: this.#clock.now(),
          nonces: this.#nonces,
        })
      case 'telnyx':
        return checkTelnyxToken(head.headers, [secret])
    }
  }

  #signed({ path, query, headers }: ProofHead): SignedRequest {
    return { origin: this.#publicUrl?.href ?? '', path, query, headers }
  }

  /** Without PUBLIC_URL it is the host that the client says: the signature covers what it is. */
  #audioHook({ path, query, headers }: ProofHead) {
    const prefix = this.#publicUrl?.pathname.replace(/\/$/, '') ?? ''
    return {
      target: `${prefix}${path}${query === '' ? '' : `?${query}`}`,
      authority: this.#publicUrl?.host ?? headers.get('host') ?? '',
      headers,
    }
  }
}

function parsePublicUrl(text: string): URL | null {
  if (text === '') return null
  const url = URL.canParse(text) ? new URL(text) : null
  const isPlain = url !== null && url.search === '' && url.hash === '' && url.username === ''
  if (url === null || !isPlain || !/^https?:$/.test(url.protocol))
    throw new ConfigError(
      `PUBLIC_URL: ${quoted(text)} is not an address; examples: https://voice.example.com or https://example.com/voice`,
    )
  return url
}
