/**
 * One request and its answer. uWebSockets.js ends the process when a response is touched after its connection broke
 * off, so every answer goes through here, where that is known; and the answer is given once.
 */
import { Buffer } from 'node:buffer'
import { performance } from 'node:perf_hooks'
import type { Credential } from '../config/credentials.js'
import type { VoiceStreamError } from '../errors.js'
import { problemKinds, problemOf } from '../protocol/problem.js'
import { canonicalAddress } from './gate/client-addresses.js'
import type { RequestHead } from './request-body.js'
import type { HttpResponse } from './uws.js'

export interface ExchangeOwner {
  /** It is about to be answered with this problem. */
  refused(exchange: Exchange, error: VoiceStreamError): void
  /** The answer is out, or the connection broke off before it. */
  ended(exchange: Exchange, status: number): void
}

type HeaderList = readonly (readonly [name: string, value: string])[]

export const jsonType = 'application/json'
export const problemType = 'application/problem+json'
/** It is somebody's call: no cache on the way keeps it. */
export const privateHeaders = [
  ['Cache-Control', 'private, no-store'],
  ['X-Content-Type-Options', 'nosniff'],
] as const
/** What the log and the metrics call a request whose sender went away. */
const abortedStatus = 0

const noHead: RequestHead = {
  contentType: '',
  contentLength: null,
  authorization: null,
  host: null,
  origin: null,
  forwardedFor: null,
  forwardedProto: null,
  range: null,
  requestId: null,
}
const noSearch = new URLSearchParams()

export class Exchange {
  readonly route: string
  readonly startedAt = performance.now()
  readonly #res: HttpResponse
  readonly #owner: ExchangeOwner
  isEnded = false
  /** The last byte of the body is here; from then on it is us who are slow. */
  isReceived = false
  /** When something was last done for it; overdue counts from then. */
  progressAt = this.startedAt
  /** HEAD: the headers of the answer without its body. */
  isHead = false
  head: RequestHead = noHead
  /** Who asks, where the route wants to know. */
  credential: Credential | null = null
  /** For the answer to a page's script, where origins are allowed. */
  originHeaders: HeaderList | null = null
  /** The sender's own, or one of ours once its refusal was logged. */
  requestId: string | null = null
  /** The `{call_id}` of the path as it was written, or ''. */
  segment = ''
  search: URLSearchParams = noSearch
  /** The `Accept` header of a read. */
  accept = ''
  /** A streamed answer has begun: it can only be gone on with, or cut. */
  #isStreaming = false
  /** Goes on when the reader takes more, or is gone. */
  #resume: (() => void) | null = null
  /** Neighbours in `ExchangeList`. */
  previous: Exchange | null = null
  next: Exchange | null = null

  constructor(res: HttpResponse, route: string, owner: ExchangeOwner) {
    this.#res = res
    this.route = route
    this.#owner = owner
    res.onAborted(() => this.#aborted())
  }

  /** The other end of the connection. Not to be asked once there is an answer. */
  get remoteAddress(): string {
    return canonicalAddress(Buffer.from(this.#res.getRemoteAddressAsText()).toString('latin1'))
  }

  /** As who asks for a read. */
  get isGone(): boolean {
    return this.isEnded
  }

  query(name: string): string | undefined {
    return this.search.get(name) ?? undefined
  }

  send(
    status: string,
    contentType: string,
    body: string | Uint8Array,
    headers?: HeaderList,
    closes = false,
  ): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#res.cork(() => {
      this.#writeHead(status, contentType, headers)
      if (!this.isHead) this.#res.end(body, closes)
      else this.#endHead(Buffer.byteLength(body), closes)
    })
    this.#owner.ended(this, statusCode(status))
  }

  #writeHead(status: string, contentType: string, headers: HeaderList = []): void {
    this.#res.writeStatus(status).writeHeader('Content-Type', contentType)
    for (const [name, value] of headers) this.#res.writeHeader(name, value)
    for (const [name, value] of this.originHeaders ?? []) this.#res.writeHeader(name, value)
  }

  /** `endWithoutBody` with a length, or with any argument, closes the connection. */
  #endHead(bytes: number, closes: boolean): void {
    if (closes) this.#res.endWithoutBody(bytes, true)
    else this.#res.writeHeader('Content-Length', String(bytes)).endWithoutBody()
  }

  noContent(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#res.cork(() => this.#res.writeStatus('204 No Content').endWithoutBody())
    this.#owner.ended(this, 204)
  }

  json(body: unknown): void {
    this.send('200 OK', jsonType, JSON.stringify(body))
  }

  /**
   * A body of a known length, as fast as its reader takes it; a reader that takes nothing for 10 s is cut off by
   * uWebSockets.js. What fails in between can only cut the connection: a length that is not reached says so.
   */
  async stream(
    status: string,
    contentType: string,
    headers: HeaderList,
    bytes: number,
    parts: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    if (this.isEnded) return
    this.#isStreaming = !this.isHead
    this.#res.cork(() => {
      this.#writeHead(status, contentType, headers)
      if (this.isHead) this.#endHead(bytes, false)
    })
    if (!this.isHead)
      for await (const part of parts) {
        if (this.isEnded) return
        await this.#write(part, bytes)
        this.progressAt = performance.now()
      }
    if (this.isEnded) return
    this.isEnded = true
    this.#owner.ended(this, statusCode(status))
  }

  async #write(part: Uint8Array, bytes: number): Promise<void> {
    const offset = this.#res.getWriteOffset()
    let isTaken = false
    this.#res.cork(() => {
      isTaken = this.#res.tryEnd(part, bytes)[0]
    })
    if (isTaken) return
    // Now it is the reader who is slow.
    this.progressAt = Number.POSITIVE_INFINITY
    await new Promise<void>((resolve) => {
      this.#resume = resolve
      this.#res.onWritable((written) => {
        const [isRestTaken] = this.#res.tryEnd(part.subarray(written - offset), bytes)
        if (isRestTaken) resolve()
        return isRestTaken
      })
    })
    this.#resume = null
  }

  problem(error: VoiceStreamError, headers: HeaderList = []): void {
    if (this.#isStreaming) return this.cut()
    if (this.isEnded) return
    this.#owner.refused(this, error)
    const { status, retryAfter, closes, headers: ofKind = [] } = problemKinds[error.code]
    const all: (readonly [string, string])[] = [...ofKind, ...headers]
    if (retryAfter !== undefined) all.push(['Retry-After', String(retryAfter)])
    if (this.requestId !== null) all.push(['X-Request-Id', this.requestId])
    const body = problemText(error)
    if (closes !== true) return this.send(status, problemType, body, all)
    // After a closing answer uWebSockets.js still parses what it has read, and would serve a request that is hidden
    // there. While this one has no answer it closes the connection instead: so answer in the next turn.
    this.isReceived = true
    setImmediate(() => this.send(status, problemType, body, all, true))
  }

  /** Breaks the connection off without an answer. */
  cut(): void {
    if (!this.isEnded) this.#res.close()
  }

  #aborted(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#owner.ended(this, abortedStatus)
    this.#resume?.()
  }
}

let lastProblem: VoiceStreamError | null = null
let lastText = ''

/** The last one is kept: where many are refused, all of them get the same. */
function problemText(error: VoiceStreamError): string {
  if (error !== lastProblem) {
    lastText = JSON.stringify(problemOf(error))
    lastProblem = error
  }
  return lastText
}

/** The three digits that a status line begins with. */
function statusCode(status: string): number {
  const digit = (at: number) => status.charCodeAt(at) - 0x30
  return digit(0) * 100 + digit(1) * 10 + digit(2)
}

/** Exchanges in the order of their requests. A linked list: every request enters and leaves it, mostly from the front. */
export class ExchangeList {
  #first: Exchange | null = null
  #last: Exchange | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  add(exchange: Exchange): void {
    exchange.previous = this.#last
    if (this.#last === null) this.#first = exchange
    else this.#last.next = exchange
    this.#last = exchange
    this.#size++
  }

  /** Does nothing for one that is not in the list. */
  delete(exchange: Exchange): void {
    const { previous, next } = exchange
    if (previous === null && this.#first !== exchange) return
    if (previous === null) this.#first = next
    else previous.next = next
    if (next === null) this.#last = previous
    else next.previous = previous
    exchange.previous = null
    exchange.next = null
    this.#size--
  }

  /** Oldest first; an exchange may leave the list while it is visited. */
  *[Symbol.iterator](): Generator<Exchange> {
    for (let exchange = this.#first; exchange !== null; ) {
      const { next } = exchange
      yield exchange
      exchange = next
    }
  }
}
