/**
 * Credentials: bearer tokens of three roles, from settings and from a file, several of each so that they can be
 * rotated. Only SHA-256 digests of tokens are kept. The file has those of platforms, too (`platform-credentials`).
 *
 * A presented token is hashed and compared with every digest, without an early exit, so the time says nothing about
 * which one is near. There is no cache from a presented header to its credential: a map finds a text by comparing it
 * from the left. It would save 1.5 µs (with 4 tokens; 7 with 64) of the 28 that a packet takes.
 */
import { Buffer } from 'node:buffer'
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { limits } from '../limits.js'
import { ConfigError } from './config.js'
import { type PlatformCredential, platformCredential, platformOf, platforms } from './platform-credentials.js'
import { readPrivateFile } from './private-file.js'

export const roles = ['ingest', 'supervisor', 'admin'] as const
export type Role = (typeof roles)[number]

export interface Credential {
  readonly role: Role
  /** For the log: never the token, nor a part of it. */
  readonly name: string
  readonly digest: Buffer
  /** The digest as a text. What is counted for a token is counted under it, because a reload makes the object anew. */
  readonly key: string
}

export interface CredentialSources {
  readonly INGEST_TOKENS: string
  readonly SUPERVISOR_TOKENS: string
  readonly ADMIN_TOKENS: string
  readonly TOKENS_FILE: string
  readonly PUBLIC_URL: string
}

/** The credential of a media stream. */
export interface StreamCredential {
  readonly credential: Credential
  /** The only call that it may be a stream of, as the platform names it; null for any. */
  readonly onlyCall: string | null
}

const tokenCharactersMin = 16
/** The characters of a bearer token, RFC 6750 §2.1. */
const tokenPattern = /^[A-Za-z0-9._~+/-]+=*$/
const namePattern = /^[A-Za-z0-9._-]{1,64}$/
const digestCharacters = 64
const presented = Buffer.alloc(digestCharacters)
/** HMAC-SHA256 in base64url. */
const callTokenPattern = /^(.+)\.([A-Za-z0-9_-]{43})$/

interface Found {
  readonly tokens: Credential[]
  readonly platforms: PlatformCredential[]
}

export class Credentials {
  readonly #sources: CredentialSources
  #all: readonly Credential[] = []
  #platforms: readonly PlatformCredential[] = []

  /** Throws `ConfigError`. */
  constructor(sources: CredentialSources) {
    this.#sources = sources
    this.reload()
  }

  /** No role has a token and no platform a secret, so nobody can authenticate. */
  get isEmpty(): boolean {
    return this.#all.length === 0 && this.#platforms.length === 0
  }

  /** Of a dialect whose platform proves itself; several while one takes another one's place. */
  ofPlatform(dialect: string): readonly PlatformCredential[] {
    return this.#platforms.filter(({ platform }) => platform === dialect)
  }

  find(token: string): Credential | null {
    if (token.length > limits.tokenCharactersMax) return null
    presented.write(hash('sha256', token, 'hex'), 'latin1')
    let found: Credential | null = null
    for (const credential of this.#all) if (timingSafeEqual(presented, credential.digest)) found = credential
    return found
  }

  /**
   * For a media stream: a token, or one that was made of an ingest token for one call, `CALL.MAC`. The MAC's key is the token's digest,
   * because the token itself is not kept.
   */
  findForStream(token: string): StreamCredential | null {
    const credential = this.find(token)
    if (credential !== null) return { credential, onlyCall: null }
    const [, call = '', mac = ''] =
      token.length > limits.tokenCharactersMax ? [] : (callTokenPattern.exec(token) ?? [])
    if (call === '') return null
    const given = Buffer.from(mac, 'latin1')
    let found: Credential | null = null
    for (const each of this.#all) {
      if (each.role !== 'ingest') continue
      const own = Buffer.from(createHmac('sha256', each.key).update(call).digest('base64url'), 'latin1')
      if (timingSafeEqual(given, own)) found = each
    }
    return found === null ? null : { credential: found, onlyCall: call }
  }

  /** False once a reload has taken it away. */
  holds({ role, digest }: Credential): boolean {
    const isKept = (kept: Credential) => kept.role === role && kept.digest.equals(digest)
    return this.#all.some(isKept) || this.#platforms.some(isKept)
  }

  /** Reads the file anew. Throws `ConfigError` and keeps what it has when the file is bad or holds no token. */
  reload(): void {
    const { tokens, platforms } = readAll(this.#sources)
    this.#all = tokens
    this.#platforms = platforms
  }
}

function readAll(sources: CredentialSources): Found {
  const found: Found = { tokens: [], platforms: [] }
  for (const role of roles) {
    const key = `${role.toUpperCase()}_TOKENS` as 'INGEST_TOKENS' | 'SUPERVISOR_TOKENS' | 'ADMIN_TOKENS'
    const tokens = sources[key] === '' ? [] : sources[key].split(',')
    tokens.forEach((token, index) => {
      addToken(found.tokens, `${key}, token ${index + 1}`, role, token.trim(), `${role}-${index + 1}`)
    })
  }
  if (sources.TOKENS_FILE !== '') addFile(found, sources)
  const count = found.tokens.length + found.platforms.length
  if (count > limits.credentialsMax)
    throw new ConfigError(`${count} tokens are set; the maximum is ${limits.credentialsMax}`)
  return found
}

/** Lines of `role token [name]` and of platforms; empty ones and those that begin with # are comments. */
function addFile(found: Found, sources: CredentialSources): void {
  const path = sources.TOKENS_FILE
  const lines = readPrivateFile('TOKENS_FILE', path).split(/\r?\n/)
  const before = found.tokens.length + found.platforms.length
  lines.forEach((line, index) => {
    if (line.trim() === '' || line.trimStart().startsWith('#')) return
    const where = `TOKENS_FILE ${path}, line ${index + 1}`
    const [kind, ...words] = line.trim().split(/\s+/)
    const name = `${kind}-line-${index + 1}`
    const platform = platformOf(kind)
    if (platform === undefined) addRole(found.tokens, where, kind, words, name)
    else {
      const credential = platformCredential(platform, words, { where, name, publicUrl: sources.PUBLIC_URL })
      checkName(where, credential.name)
      if (found.platforms.some(({ key }) => key === credential.key))
        throw new ConfigError(`${where}: duplicate line`)
      found.platforms.push(credential)
    }
  })
  // With none left after a reload the service would stand open.
  if (found.tokens.length + found.platforms.length === before)
    throw new ConfigError(`TOKENS_FILE ${path} contains no token`)
}

function addRole(
  found: Credential[],
  where: string,
  kind: string | undefined,
  [token = '', name, ...rest]: readonly string[],
  usualName: string,
): void {
  const role = roles.find((known) => known === kind)
  // The words are not shown: whoever mixes them up has a token where the role should be.
  if (role === undefined || rest.length > 0)
    throw new ConfigError(
      `${where}: expected "role token [name]"; roles are ${roles.join(', ')}, and the platforms ${platforms.join(', ')}`,
    )
  checkName(where, name ?? usualName)
  addToken(found, where, role, token, name ?? usualName)
}

function checkName(where: string, name: string): void {
  if (!namePattern.test(name)) throw new ConfigError(`${where}: a name has 1 to 64 of A–Z a–z 0–9 . _ -`)
}

function addToken(found: Credential[], where: string, role: Role, token: string, name: string): void {
  if (token.length < tokenCharactersMin || token.length > limits.tokenCharactersMax)
    throw new ConfigError(
      `${where}: a token has ${tokenCharactersMin} to ${limits.tokenCharactersMax} characters; make one with: openssl rand -base64 32`,
    )
  if (!tokenPattern.test(token))
    throw new ConfigError(`${where}: a token may contain only A–Z a–z 0–9 . _ ~ + / - and =`)
  const key = hash('sha256', token, 'hex')
  const digest = Buffer.from(key, 'latin1')
  if (found.some((other) => other.digest.equals(digest)))
    throw new ConfigError(`${where}: duplicate token; each token has one role`)
  found.push({ role, name, digest, key })
}
