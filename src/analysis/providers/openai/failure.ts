/**
 * Sorts refusals of an OpenAI-compatible server by fault: the call's, the account's or the provider's. After `client.ts` of
 * openai/openai-node, OpenAI's list of error codes, and what Azure, Groq, OpenRouter, LiteLLM, vLLM, llama.cpp and Ollama
 * send. Of what the server says only codes are kept: a message may quote the call.
 */
import type { Millis } from '../../../clock.js'
import { limits } from '../../../limits.js'
import { AccountRefused, type Matter, ProviderRejected, ProviderUnavailable } from '../../provider.js'
import type { ProviderAnswer } from './connection.js'
import { isObject, member, parseLoosely } from './loose-json.js'

interface Refusal {
  readonly fault: 'call' | 'account' | 'provider'
  /** What somebody has to look at, where it is the account's. */
  readonly matter?: Matter
  /** Of `error.code` or `error.type`, in any spelling. */
  readonly codes: readonly string[]
  readonly statuses: readonly number[]
  /** For servers whose codes say nothing; looked for in the beginning of the message of a 4xx or 500. */
  readonly message?: RegExp
}

/**
 * The one table. The first row that knows a code decides, then the first that knows the message, then the first that knows the
 * status; else 5xx is the provider's and all other the call's.
 */
export const refusals: readonly Refusal[] = [
  {
    fault: 'call',
    codes: [
      'content_filter',
      'content_policy_violation',
      'responsible_ai_policy_violation',
      'moderation_blocked',
    ],
    statuses: [],
    message: /requires moderation|was flagged|content (?:management )?policy/i,
  },
  {
    fault: 'account',
    matter: 'quota',
    codes: [
      'insufficient_quota',
      'credit_balance_exhausted',
      'project_spend_limit_exceeded',
      'organization_spend_limit_exceeded',
      'organization_usage_limit_exceeded',
      'billing_hard_limit_reached',
      'billing_not_active',
      'budget_exceeded',
      'insufficient_balance',
      'quota_exceeded',
    ],
    statuses: [402],
    message:
      /insufficient (?:credits|balance|funds)|budget has been exceeded|credit balance is too low|used all available credits|spending limit|add a payment method/i,
  },
  {
    fault: 'account',
    matter: 'key',
    codes: [
      'invalid_api_key',
      'expired_key',
      'account_deactivated',
      'invalid_organization',
      'auth_error',
      'authentication_error',
      'unauthorized',
      'token_not_found_in_db',
    ],
    statuses: [401, 407],
    message: /\bapi[ _-]?key\b/i,
  },
  {
    fault: 'account',
    matter: 'model',
    codes: [
      'model_not_found',
      'deployment_not_found',
      'model_decommissioned',
      'model_not_available',
      'model_terms_required',
      'invalid_model',
      'unknown_model',
      'key_model_access_denied',
      'team_model_access_denied',
    ],
    statuses: [],
    message:
      /\bmodel\b[^.]{0,120}(?:not found|does not exist|is not available|not a valid model|decommissioned|do not have access)|does not support (?:chat|audio|transcription)|(?:invalid|unknown) model|not a valid model/i,
  },
  {
    fault: 'account',
    matter: 'permission',
    codes: [
      'permission_denied',
      'permission_error',
      'unsupported_country_region_territory',
      'ip_not_authorized',
    ],
    statuses: [403, 451],
  },
  {
    fault: 'account',
    matter: 'address',
    codes: ['unknown_url'],
    statuses: [301, 302, 303, 307, 308, 404, 405, 410, 421, 426],
  },
  {
    fault: 'provider',
    codes: ['rate_limit_exceeded', 'slow_down', 'server_is_overloaded', 'overloaded_error'],
    statuses: [408, 409, 425, 429],
  },
]

interface Said {
  readonly type: string
  readonly code: string
  readonly message: string
}

/** Throws what a refusal means; returns for an answer of 2xx. */
export function assertSucceeded(answer: ProviderAnswer, what: string): void {
  const { status } = answer
  if (status >= 200 && status < 300) return
  throw failureOf(answer, what)
}

export function failureOf({ status, headers, text }: ProviderAnswer, what: string): Error {
  return failure(status, saidIn(parseLoosely(text), text), headers, what)
}

/** An error that comes with 200: gateways tell in it which status it was. Null where there is none. */
export function failureIn(body: unknown, what: string): Error | null {
  const told = Array.isArray(body) ? body[0] : body
  const error = member(told, 'error')
  const isError =
    (error !== undefined && error !== null && error !== '') ||
    member(told, 'object') === 'error' ||
    member(told, 'success') === false ||
    /^(?:error|fail(?:ed|ure)?)$/i.test(String(member(told, 'status')))
  if (!isError) return null
  const statuses = [member(error, 'code'), member(error, 'status'), member(told, 'code')].map(Number)
  const status = statuses.find((code) => Number.isInteger(code) && code >= 400 && code < 600) ?? 200
  return failure(status, saidIn(body, ''), {}, `${what}: 200 with an error`)
}

function failure(status: number, said: Said, headers: ProviderAnswer['headers'], what: string): Error {
  // Codes alone are shown, in the form that they have everywhere: another text may be anything.
  const name = [said.code, said.type].find((code) => /^[a-z][a-z0-9_]*$/.test(code)) ?? ''
  const text = [`${what}:`, status === 200 ? '' : `${status}`, name].filter((part) => part !== '').join(' ')
  const row = rowOf(status, said)
  if (row?.matter !== undefined) return new AccountRefused(text, row.matter)
  const asked = headers['x-should-retry']
  const passes = row?.fault === 'provider' || (row === null && (status >= 500 || status === 200))
  if (asked === 'true' || (asked !== 'false' && passes)) {
    const retryAfterMs = retryAfterOf(headers)
    return new ProviderUnavailable(text, retryAfterMs === null ? {} : { retryAfterMs })
  }
  return new ProviderRejected(text)
}

function rowOf(status: number, { type, code, message }: Said): Refusal | null {
  const names = [plain(code), plain(type)].filter((name) => name !== '')
  const isTold = (status >= 400 && status < 500 && status !== 429) || status === 500 || status === 200
  const beginning = message.slice(0, 300)
  return (
    refusals.find(({ codes }) => codes.some((known) => names.includes(plain(known)))) ??
    refusals.find((row) => isTold && row.message?.test(beginning) === true) ??
    refusals.find(({ statuses }) => statuses.includes(status)) ??
    null
  )
}

/** `DeploymentNotFound` and `deployment_not_found` are one. */
function plain(code: string): string {
  return code.replace(/[^A-Za-z0-9]/g, '').toLowerCase()
}

/** An answer whose fault is its form asks for a simpler one, whatever its status; one that is about the account does not. */
export function isAboutFormat({ status, text }: ProviderAnswer): boolean {
  if (status < 400 || [401, 402, 403, 408, 413, 429].includes(status)) return false
  const body = parseLoosely(text)
  const { code, message } = saidIn(body, text)
  return (
    code === 'json_validate_failed' ||
    /^response_format\b/.test(String(member(member(body, 'error') ?? body, 'param'))) ||
    /response_format|json_schema|json_object|grammar|structured|guided/i.test(message)
  )
}

/** More was sent than the model takes at once. */
export function isTooLong({ status, text }: ProviderAnswer): boolean {
  if (status === 413) return true
  if (status !== 400 && status !== 422 && status !== 500) return false
  const { type, code, message } = saidIn(parseLoosely(text), text)
  return (
    [plain(code), plain(type)].some((name) =>
      ['contextlengthexceeded', 'exceedcontextsizeerror', 'contextwindowexceedederror'].includes(name),
    ) || /context (?:length|window|size)|prompt is too long|too many tokens/i.test(message.slice(0, 300))
  )
}

/** Templates of some models know no instructions of their own, and servers say so in words. */
export function refusesInstructions({ status, text }: ProviderAnswer): boolean {
  if (![400, 422, 500].includes(status)) return false
  const { message } = saidIn(parseLoosely(text), text)
  return /system (?:role|message|prompt)s?\b.{0,40}support|not support.{0,40}\bsystem\b|only user and assistant roles|roles must alternate/i.test(
    message.slice(0, 300),
  )
}

/** Of the parameters that were sent, the one that the server does not take. */
export function refusedParameter({ status, text }: ProviderAnswer, sent: readonly string[]): string | null {
  if (![400, 404, 422, 501].includes(status)) return null
  const body = parseLoosely(text)
  const error = member(body, 'error') ?? body
  const named = [
    member(error, 'param'),
    ...placesOf(member(body, 'detail')),
    ...placesOf(member(error, 'detail')),
  ]
  for (const name of named)
    if (typeof name === 'string') {
      const found = sent.find((parameter) => name === parameter || name.startsWith(`${bareName(parameter)}.`))
      if (found !== undefined) return found
    }
  const { message } = saidIn(body, text)
  if (
    !/param|argument|unsupported|not support|unrecogni[sz]ed|unexpected|extra|permitted|too large|compatible/i.test(
      message,
    )
  )
    return null
  const places = sent
    .map((name) => ({ name, at: message.search(new RegExp(`\\b${bareName(name)}\\b`)) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at)
  return places[0]?.name ?? null
}

function bareName(parameter: string): string {
  return parameter.replace('[]', '')
}

/** FastAPI: `[{"loc": ["body", "max_tokens"], …}]`. */
function placesOf(detail: unknown): readonly unknown[] {
  if (!Array.isArray(detail)) return []
  return detail.flatMap((item) =>
    Array.isArray(member(item, 'loc')) ? (member(item, 'loc') as unknown[]) : [],
  )
}

/** `text` speaks where it is no JSON: it is a proxy's. */
function saidIn(body: unknown, text: string): Said {
  const told = Array.isArray(body) ? body[0] : body
  if (!isObject(told)) return { type: '', code: '', message: text }
  const error = told['error'] ?? told
  const message = [member(error, 'message'), error, told['detail'], told['message']]
  return {
    type: codeText(member(error, 'type')),
    code: codeText(member(error, 'code')),
    message: String(message.find((said) => typeof said === 'string') ?? JSON.stringify(told['detail'] ?? '')),
  }
}

function codeText(value: unknown): string {
  return typeof value === 'string' && value !== 'None' && /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(value)
    ? value
    : ''
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
