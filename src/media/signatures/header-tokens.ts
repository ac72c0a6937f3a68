/** Platforms that send a secret with the upgrade: in a header of their own, as a bearer token, or as user and password. */
import { Buffer } from 'node:buffer'
import { isAnySecret, isSameSecret } from './secret-text.js'
import { type Headers, right, type Verdict, wrong } from './verdict.js'

const wrongSecret = 'the secret is wrong'
const charactersMax = 4096

/** Telnyx, where the stream was started with `stream_auth_token`. */
export function checkTelnyxToken(headers: Headers, tokens: readonly string[]): Verdict {
  return checkText(headers.get('x-telnyx-streaming-auth-token'), tokens, 'X-Telnyx-Streaming-Auth-Token')
}

/** SignalWire, where the stream has an `authBearerToken`, and Vonage with the option `authorization`. */
export function checkBearer(headers: Headers, tokens: readonly string[]): Verdict {
  const token = /^Bearer +([^ ]+) *$/i.exec(bounded(headers.get('authorization')) ?? '')?.[1]
  return checkText(token, tokens, 'Authorization: Bearer')
}

/** Exotel, Bandwidth, jambonz, FreeSWITCH and Asterisk: `user:password`, which may have colons. */
export function checkBasic(headers: Headers, credentials: readonly string[]): Verdict {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]+) *$/i.exec(bounded(headers.get('authorization')) ?? '')?.[1]
  if (encoded === undefined) return wrong('the header Authorization: Basic is missing')
  const given = Buffer.from(encoded, 'base64').toString('utf8')
  return isAnySecret(given, credentials) ? right : wrong(wrongSecret)
}

/** A token in the path, for platforms that drop queries and send no headers of ours. */
export function checkPathToken(segment: string | null, token: string): Verdict {
  if (segment === null || segment === '') return wrong('the token in the path is missing')
  return isSameSecret(segment, token) ? right : wrong(wrongSecret)
}

function checkText(given: string | undefined, secrets: readonly string[], header: string): Verdict {
  const text = bounded(given)
  if (text === undefined || text === '') return wrong(`the header ${header} is missing`)
  return isAnySecret(text, secrets) ? right : wrong(wrongSecret)
}

function bounded(text: string | undefined): string | undefined {
  return text !== undefined && text.length > charactersMax ? undefined : text
}
