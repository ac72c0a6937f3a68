/**
 * What an OpenAI-compatible server's refusal means, and whether to try again. After `client.ts` of openai/openai-node
 * and OpenAI's list of error codes. Servers that imitate the shape answer `{"detail": …}` or plain text; then the status
 * alone decides. Of what the server says only codes are kept: a message may quote the call.
 */
import type { Millis } from '../../clock.js'
import { limits } from '../../limits.js'
import { ProviderExhausted, ProviderRejected, ProviderUnavailable } from '../provider.js'
import type { ProviderAnswer } from './connection.js'

const quotaCodes = [
  'insufficient_quota',
  'credit_balance_exhausted',
  'project_spend_limit_exceeded',
  'organization_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
  'billing_hard_limit_reached',
]
const passing = new Set([408, 409, 429, 500, 502, 503, 504])

interface ErrorCodes {
  readonly type: string
  readonly code: string
}

/** Throws what a refusal means; returns for an answer of 2xx. */
export function assertSucceeded(answer: ProviderAnswer, what: string): void {
  const { status } = answer
  if (status >= 200 && status < 300) return
  throw failureOf(answer, what)
}

export function failureOf(answer: ProviderAnswer, what: string): Error {
  const { status, headers } = answer
  const codes = codesOf(answer.text)
  const name = codes.code === '' ? codes.type : codes.code
  const text = `${what}: ${status}${name === '' ? '' : ` ${name}`}`
  if (status === 429 && (quotaCodes.includes(codes.type) || quotaCodes.includes(codes.code)))
    return new ProviderExhausted(text)
  const asked = headers['x-should-retry']
  const passes = asked === 'true' || (asked !== 'false' && (passing.has(status) || status >= 500))
  if (!passes) return new ProviderRejected(text)
  const retryAfterMs = retryAfterOf(headers)
  return new ProviderUnavailable(text, retryAfterMs === null ? {} : { retryAfterMs })
}

/** A 400 that is about the form of the answer asks for a simpler one. */
export function isAboutFormat(answer: ProviderAnswer): boolean {
  return (
    (answer.status === 400 || answer.status === 422) &&
    /response_format|json_schema|json_object|grammar|structured/i.test(answer.text)
  )
}

function codesOf(text: string): ErrorCodes {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    // Plain text or HTML of a proxy: the status says enough.
    return { type: '', code: '' }
  }
  const error = member(body, 'error')
  return { type: codeText(member(error, 'type')), code: codeText(member(error, 'code')) }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

function codeText(value: unknown): string {
  return typeof value === 'string' && /^[a-z][a-z0-9_]{0,63}$/.test(value) ? value : ''
}

/** `retry-after-ms`, else `Retry-After` in seconds or as a date (RFC 9110 §10.2.3). */
function retryAfterOf(headers: ProviderAnswer['headers']): Millis | null {
  const clamp = (ms: number) => (Number.isFinite(ms) && ms >= 0 ? Math.min(ms, limits.retryAfterMsMax) : null)
  const exact = headers['retry-after-ms']
  if (typeof exact === 'string' && /^\d+(\.\d+)?$/.test(exact)) return clamp(Number(exact))
  const text = headers['retry-after']
  if (text === undefined) return null
  if (/^\d+(\.\d+)?$/.test(text)) return clamp(Number(text) * 1000)
  return clamp(Date.parse(text) - Date.parse(headers.date ?? new Date().toUTCString()))
}
