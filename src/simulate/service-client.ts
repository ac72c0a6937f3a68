/**
 * HTTP to the service: keep-alive connections, one request at a time on each, and tries until an answer counts.
 *
 * The contract makes sending again safe: a 5xx (but for 501), a broken connection or a try without an answer means "unknown". So
 * these are tried again with growing waits (a `Retry-After` is honoured) until `patienceMs` is over. How many tries
 * may have arrived unanswered is told with the answer, since the service may have counted them.
 *
 * The service closes a connection after 10 s of silence, possibly at the moment that a request leaves: a break on a
 * reused connection is therefore normal, and tried again at once.
 */
import { Agent, type IncomingMessage, request as startRequest } from 'node:http'
import type { SimulatorClock } from './clock.js'
import { SimulateError } from './errors.js'
import { answerBytesMax, answerMs, idleConnectionMs, sleepMs } from './limits.js'

export interface ServiceRequest {
  readonly method: 'GET' | 'POST'
  /** Below the service's address, percent-encoded, with the query. */
  readonly path: string
  readonly body?: string
  /** How long to go on trying, if not as long as the client usually does. */
  readonly patienceMs?: number
}

export interface ServiceAnswer {
  readonly status: number
  readonly body: string
  readonly unansweredTries: number
}

export interface ServiceClient {
  /**
   * The first answer that counts: any status but 429 and a 5xx that may pass. Throws `unreachable` when there is none in time, and
   * `interrupted` when the signal is aborted while it waits to try again.
   */
  send(request: ServiceRequest): Promise<ServiceAnswer>
  close(): void
}

/** Bearer tokens, where the service wants any: who sends and who reads are two. */
export interface Tokens {
  readonly ingest: string | null
  readonly supervisor: string | null
}

export interface ServiceClientOptions {
  readonly url: URL
  readonly connectionsMax: number
  readonly patienceMs: number
  readonly clock: SimulatorClock
  readonly signal: AbortSignal
  readonly tokens: Tokens
}

type TryOutcome =
  | { kind: 'answered'; status: number; body: string; retryAfterMs: number | null }
  | { kind: 'broken'; code: string; mayHaveArrived: boolean; wasReused: boolean }

const backoffBaseMs = 50
const backoffMaxMs = 2_000

export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const { url, clock, signal, tokens } = options
  const agent = new Agent({
    keepAlive: true,
    maxSockets: options.connectionsMax,
    timeout: idleConnectionMs,
    scheduling: 'lifo',
  })
  const send = async (request: ServiceRequest): Promise<ServiceAnswer> => {
    const giveUpAtMs = clock.nowMs() + (request.patienceMs ?? options.patienceMs)
    let unansweredTries = 0
    for (let tryIndex = 0; ; tryIndex++) {
      const outcome = await tryOnce(agent, url, tokens, request)
      if (outcome.kind === 'answered' && !isTransient(outcome.status, tryIndex))
        return { status: outcome.status, body: outcome.body, unansweredTries }
      if (mayHaveCounted(outcome)) unansweredTries++
      const waitMs = waitBeforeNextTry(outcome, tryIndex)
      if (clock.nowMs() + waitMs > giveUpAtMs)
        throw new SimulateError('unreachable', describeOutcome(outcome))
      if (!(await sleepUnlessAborted({ ms: waitMs, clock, signal })))
        throw new SimulateError('interrupted', describeOutcome(outcome))
    }
  }
  return { send, close: () => agent.destroy() }
}

/** Sleeps in short pieces, because a listener on the signal for each of many thousand waits costs more. */
export async function sleepUnlessAborted(request: {
  ms: number
  clock: SimulatorClock
  signal: AbortSignal
}): Promise<boolean> {
  const { ms, clock, signal } = request
  const endMs = clock.nowMs() + ms
  for (let leftMs = ms; leftMs > 0 && !signal.aborted; leftMs = endMs - clock.nowMs())
    await clock.sleep(Math.min(leftMs, sleepMs))
  return !signal.aborted
}

/** A request line that came in two segments is answered 505, and seldom comes so again; HTTP/1.0 always is. */
const unreadTriesMax = 3

/** 501: a proxy does not know the request itself. */
function isTransient(status: number, tryIndex: number): boolean {
  if (status === 505) return tryIndex + 1 < unreadTriesMax
  return status === 429 || (status >= 500 && status !== 501)
}

/** A 429 has no side effect; a 5xx and a request that left without an answer may have. */
function mayHaveCounted(outcome: TryOutcome): boolean {
  return outcome.kind === 'answered' ? outcome.status >= 500 : outcome.mayHaveArrived
}

function waitBeforeNextTry(outcome: TryOutcome, tryIndex: number): number {
  if (outcome.kind === 'broken' && outcome.wasReused && tryIndex === 0) return 0
  const backoffMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** tryIndex)
  return outcome.kind === 'answered' ? (outcome.retryAfterMs ?? backoffMs) : backoffMs
}

function describeOutcome(outcome: TryOutcome): string {
  return outcome.kind === 'answered' ? `the service answered ${outcome.status}` : `no answer: ${outcome.code}`
}

function tryOnce(
  agent: Agent,
  url: URL,
  tokens: Tokens,
  { method, path, body }: ServiceRequest,
): Promise<TryOutcome> {
  const token = method === 'POST' ? tokens.ingest : tokens.supervisor
  return new Promise((resolve) => {
    const request = startRequest({
      agent,
      method,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || 80,
      path: url.pathname.replace(/\/$/, '') + path,
      timeout: answerMs,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    })
    const breakOff = (error: unknown) =>
      resolve({
        kind: 'broken',
        code: readErrorCode(error),
        mayHaveArrived: !isConnectFailure(error),
        wasReused: request.reusedSocket,
      })
    request.on('error', breakOff)
    request.on('timeout', () => request.destroy(new Error(`none within ${answerMs} ms`)))
    request.on('response', (response) => readAnswer(response, resolve, breakOff))
    request.end(body)
  })
}

function readAnswer(
  response: IncomingMessage,
  resolve: (outcome: TryOutcome) => void,
  breakOff: (error: unknown) => void,
): void {
  let body = ''
  response.setEncoding('utf8')
  response.on('data', (text: string) => {
    body += text
    if (body.length > answerBytesMax) response.destroy(new Error(`over ${answerBytesMax} bytes`))
  })
  response.on('error', breakOff)
  response.on('end', () => {
    const status = response.statusCode ?? 0
    resolve({ kind: 'answered', status, body, retryAfterMs: readRetryAfter(response.headers['retry-after']) })
  })
}

/** RFC 9110, section 10.2.3, in seconds only; a date, which the service never sends, falls back to the backoff. */
function readRetryAfter(value: string | undefined): number | null {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : null
}

function readErrorCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

/** The request cannot have arrived when there was no connection. Several addresses failing make an AggregateError. */
function isConnectFailure(error: unknown): boolean {
  if (error instanceof AggregateError) return true
  return (
    error instanceof Error &&
    'syscall' in error &&
    (error.syscall === 'connect' || error.syscall === 'getaddrinfo')
  )
}
