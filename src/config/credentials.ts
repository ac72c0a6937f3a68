/**
 * Credentials: bearer tokens of three roles, from settings and from a file, several of each so that they can be
 * rotated. Only SHA-256 digests are kept.
 *
 * A presented token is hashed and compared with every digest, without an early exit, so the time says nothing about
 * which one is near. There is no cache from a presented header to its credential: a map finds a text by comparing it
 * from the left. It would save 1.5 µs (with 4 tokens; 7 with 64) of the 28 that a packet takes.
 */
import { Buffer } from 'node:buffer'
import { hash, timingSafeEqual } from 'node:crypto'
import { limits } from '../limits.js'
import { ConfigError } from './config.js'
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
}

const tokenCharactersMin = 16
/** The characters of a bearer token, RFC 6750 §2.1. */
const tokenPattern = /^[A-Za-z0-9._~+/-]+=*$/
const namePattern = /^[A-Za-z0-9._-]{1,64}$/
const digestCharacters = 64
const presented = Buffer.alloc(digestCharacters)

export class Credentials {
  readonly #sources: CredentialSources
  #all: readonly Credential[]

  /** Throws `ConfigError`. */
  constructor(sources: CredentialSources) {
    this.#sources = sources
    this.#all = readAll(sources)
  }

  /** No role has a token: there is nothing to authenticate with. */
  get isEmpty(): boolean {
    return this.#all.length === 0
  }

  find(token: string): Credential | null {
    if (token.length > limits.tokenCharactersMax) return null
    presented.write(hash('sha256', token, 'hex'), 'latin1')
    let found: Credential | null = null
    for (const credential of this.#all) if (timingSafeEqual(presented, credential.digest)) found = credential
    return found
  }

  /** False once a reload has taken it away. */
  holds({ role, digest }: Credential): boolean {
    return this.#all.some((kept) => kept.role === role && kept.digest.equals(digest))
  }

  /** Reads the file anew. Throws `ConfigError` and keeps what it has when the file is bad or holds no token. */
  reload(): void {
    this.#all = readAll(this.#sources)
  }
}

function readAll(sources: CredentialSources): readonly Credential[] {
  const found: Credential[] = []
  for (const role of roles) {
    const key = `${role.toUpperCase()}_TOKENS` as 'INGEST_TOKENS' | 'SUPERVISOR_TOKENS' | 'ADMIN_TOKENS'
    const tokens = sources[key] === '' ? [] : sources[key].split(',')
    tokens.forEach((token, index) => {
      addToken(found, `${key}, token ${index + 1}`, role, token.trim(), `${role}-${index + 1}`)
    })
  }
  if (sources.TOKENS_FILE !== '') addFile(found, sources.TOKENS_FILE)
  if (found.length > limits.credentialsMax)
    throw new ConfigError(`${found.length} tokens are set; the maximum is ${limits.credentialsMax}`)
  return found
}

/** Lines of `role token [name]`; empty ones and those that begin with # are comments. */
function addFile(found: Credential[], path: string): void {
  const lines = readPrivateFile('TOKENS_FILE', path).split(/\r?\n/)
  const before = found.length
  lines.forEach((line, index) => {
    const where = `TOKENS_FILE ${path}, line ${index + 1}`
    if (line.trim() === '' || line.trimStart().startsWith('#')) return
    const [roleText, token = '', name = `${roleText}-line-${index + 1}`, ...rest] = line.trim().split(/\s+/)
    const role = roles.find((known) => known === roleText)
    // The words are not shown: whoever mixes them up has a token where the role should be.
    if (role === undefined || rest.length > 0)
      throw new ConfigError(`${where}: expected "role token [name]"; roles are ${roles.join(', ')}`)
    if (!namePattern.test(name)) throw new ConfigError(`${where}: a name has 1 to 64 of A–Z a–z 0–9 . _ -`)
    addToken(found, where, role, token, name)
  })
  // With none left after a reload the service would stand open.
  if (found.length === before) throw new ConfigError(`TOKENS_FILE ${path} contains no token`)
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
