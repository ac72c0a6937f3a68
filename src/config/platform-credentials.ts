/**
 * Credentials of platforms that prove themselves by a signature or a secret of their own, from lines of TOKENS_FILE. Unlike
 * tokens they are kept as they are: a signature can only be checked with the secret itself.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { limits } from '../limits.js'
import { ConfigError } from './config.js'

/** What a line has behind its platform. The last word is the secret. */
const words = {
  twilio: ['ACCOUNT_SID', 'AUTH_TOKEN'],
  plivo: ['AUTH_ID', 'AUTH_TOKEN'],
  audiohook: ['API_KEY', 'CLIENT_SECRET'],
  telnyx: ['TOKEN'],
} as const

export type Platform = keyof typeof words
export const platforms = Object.keys(words) as readonly Platform[]

/** Made over the address that the platform calls, which the service cannot know by itself. */
const signsAddress: ReadonlySet<Platform> = new Set(['twilio', 'plivo'])

/** A `Credential`: what it may do is to bring media streams. */
export interface PlatformCredential {
  readonly role: 'ingest'
  readonly name: string
  readonly digest: Buffer
  readonly key: string
  readonly platform: Platform
  /** The account or the key that the platform names; empty where it names none. */
  readonly id: string
  readonly secret: string
}

const secretCharactersMin = 16
const clientSecretBytesMin = 16
const wordPattern = /^[\x21-\x7e]+$/
const base64Pattern = /^[A-Za-z0-9+/]+={0,2}$/

export function platformOf(word: string | undefined): Platform | undefined {
  return platforms.find((known) => known === word)
}

/** Of the words behind the platform. Throws `ConfigError`, which repeats none of them. */
export function platformCredential(
  platform: Platform,
  given: readonly string[],
  { where, name, publicUrl }: { where: string; name: string; publicUrl: string },
): PlatformCredential {
  const expected = words[platform]
  if (given.length < expected.length || given.length > expected.length + 1)
    throw new ConfigError(`${where}: expected "${platform} ${expected.join(' ')} [name]"`)
  const secret = given[expected.length - 1] ?? ''
  const id = expected.length === 2 ? (given[0] ?? '') : ''
  for (const word of [id, secret])
    if (word.length > limits.tokenCharactersMax || (word !== '' && !wordPattern.test(word)))
      throw new ConfigError(
        `${where}: a word has at most ${limits.tokenCharactersMax} characters, all of them ASCII`,
      )
  if (platform === 'audiohook') checkClientSecret(where, secret)
  else if (secret.length < secretCharactersMin)
    throw new ConfigError(
      `${where}: the ${expected.at(-1)} has at least ${secretCharactersMin} characters; copy it from the platform`,
    )
  if (signsAddress.has(platform) && publicUrl === '')
    throw new ConfigError(
      `${where}: ${platform} signs the address that it calls, so set PUBLIC_URL, for example https://voice.example.com`,
    )
  const key = hash('sha256', JSON.stringify([platform, id, secret]), 'hex')
  const digest = Buffer.from(key, 'latin1')
  return { platform, id, secret, role: 'ingest', name: given[expected.length] ?? name, digest, key }
}

function checkClientSecret(where: string, secret: string): void {
  if (!base64Pattern.test(secret) || Buffer.from(secret, 'base64').length < clientSecretBytesMin)
    throw new ConfigError(
      `${where}: the CLIENT_SECRET is base64 of at least ${clientSecretBytesMin} bytes; make one with: openssl rand -base64 32`,
    )
}
