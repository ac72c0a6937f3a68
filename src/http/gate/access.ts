/** Checks the credential of a request: `Authorization: Bearer …` (RFC 6750). */
import type { Credential, Credentials, Role } from '../../config/credentials.js'
import { VoiceStreamError } from '../../errors.js'

/**
 * The role that a route needs. Everybody may use a public one. As soon as one role has a token, the routes of all three
 * need one; a role without any token is closed.
 */
export type Access = 'public' | Role

/** A reader may not write packets, and a writer may not read; administrators read, too. */
const rolesFor: Readonly<Record<Role, readonly Role[]>> = {
  ingest: ['ingest'],
  supervisor: ['supervisor', 'admin'],
  admin: ['admin'],
}

// One for all: they are the same for every caller, and where many are refused nothing is made anew.
const missing = new VoiceStreamError('unauthenticated', 'an Authorization: Bearer header is required')
const unknown = new VoiceStreamError('unauthenticated', 'the token is unknown')
const wrongRole: Readonly<Record<Role, VoiceStreamError>> = {
  ingest: new VoiceStreamError('forbidden', 'this needs an ingest token'),
  supervisor: new VoiceStreamError('forbidden', 'this needs a supervisor or admin token'),
  admin: new VoiceStreamError('forbidden', 'this needs an admin token'),
}

const scheme = /^bearer +/i

/** The credential behind an `Authorization` header. Throws `unauthenticated` (401). */
export function identify(credentials: Credentials, authorization: string | null): Credential {
  if (authorization === null) throw missing
  const prefix = scheme.exec(authorization)
  const credential = prefix === null ? null : credentials.find(authorization.slice(prefix[0].length))
  if (credential === null) throw unknown
  return credential
}

/** Throws `forbidden` (403). */
export function assertRole({ role }: Credential, access: Role): void {
  if (!rolesFor[access].includes(role)) throw wrongRole[access]
}
