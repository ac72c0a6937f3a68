/**
 * One request and its answer. uWebSockets.js ends the process when a response is touched after its connection broke
 * off, so every answer goes through here, where that is known; and the answer is given once.
 */
import type { VoiceStreamError } from '../errors.js'
import { problemKinds, problemOf } from '../protocol/problem.js'
import type { HttpResponse } from './uws.js'

export interface ExchangeOwner {
  /** The answer is out, or the connection broke off before it. */
  ended(exchange: Exchange, status: number): void
}

export const jsonType = 'application/json'
export const problemType = 'application/problem+json'
/** What the log and the metrics call a request whose sender went away. */
export const abortedStatus = 0

export class Exchange {
  readonly route: string
  readonly startedAt = performance.now()
  readonly #res: HttpResponse
  readonly #owner: ExchangeOwner
  isEnded = false
  /** The last byte of the body is here; from then on it is us who are slow. */
  isReceived = false
  /** HEAD: the headers of the answer without its body. */
  isHead = false

  constructor(res: HttpResponse, route: string, owner: ExchangeOwner) {
    this.#res = res
    this.route = route
    this.#owner = owner
    res.onAborted(() => this.#aborted())
  }

  send(
    status: string,
    contentType: string,
    body: string | Uint8Array,
    headers?: readonly (readonly [string, string])[],
    closes = false,
  ): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#res.cork(() => {
      this.#res.writeStatus(status).writeHeader('Content-Type', contentType)
      if (headers !== undefined) for (const [name, value] of headers) this.#res.writeHeader(name, value)
      if (this.isHead) this.#res.endWithoutBody(Buffer.byteLength(body), closes)
      else this.#res.end(body, closes)
    })
    this.#owner.ended(this, Number(status.slice(0, 3)))
  }

  json(body: unknown): void {
    this.send('200 OK', jsonType, JSON.stringify(body))
  }

  problem(error: VoiceStreamError, headers: readonly (readonly [string, string])[] = []): void {
    const { status, retryAfter, closes } = problemKinds[error.code]
    const all =
      retryAfter === undefined ? headers : [...headers, ['Retry-After', String(retryAfter)] as const]
    this.send(status, problemType, JSON.stringify(problemOf(error)), all, closes)
  }

  /** Breaks the connection off without an answer. */
  cut(): void {
    if (!this.isEnded) this.#res.close()
  }

  #aborted(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#owner.ended(this, abortedStatus)
  }
}
