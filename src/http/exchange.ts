/**
 * One request and its answer. uWebSockets.js ends the process when a response is touched after its connection broke
 * off, so every answer goes through here, where that is known; and the answer is given once.
 */
import { Buffer } from 'node:buffer'
import { performance } from 'node:perf_hooks'
import type { Credential } from '../config/credentials.js'
import type { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import { problemKinds, problemOf } from '../protocol/problem.js'
import { canonicalAddress } from './gate/client-addresses.js'
import type { ProofHead } from './gate/platform-proofs.js'
import type { RequestHead } from './request-body.js'
import type { Untaken } from './untaken.js'
import type { HttpRequest, HttpResponse } from './uws.js'

export interface ExchangeOwner {
  readonly untaken: Untaken
  /** It is about to be answered with this problem. */
  refused(exchange: Exchange, error: VoiceStreamError): void
  /** The answer is taken, or the connection broke off before. */
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
/**
 * To ask the socket what it has taken costs a packet 5 % of its time. So one short answer in so many asks; a sender that never
 * reads is found with some KiB unread.
 */
const shortBytes = 4096
const shortAnswersPerTry = 64
let shortAnswers = 0

function isTakenOnTrust(bytes: number): boolean {
  return bytes <= shortBytes && ++shortAnswers % shortAnswersPerTry !== 0
}

/** The status of a request whose sender went away, in the log and the metrics. */
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
  /** The asker, where the route needs it. */
  credential: Credential | null = null
  /** Of a request that a platform signs. */
  proofHead: ProofHead | null = null
  /** For the log: what is wrong with a proof, in our own words. */
  refusalReason: string | null = null
  /** For the answer to a page's script, where origins are allowed. */
  originHeaders: HeaderList | null = null
  /** The sender's own, or one of ours once its refusal was logged. */
  requestId: string | null = null
  /** The `{call_id}` of the path as it was written, or ''. */
  segment = ''
  /** That of the path's second variable, or ''. */
  secondSegment = ''
  search: URLSearchParams = noSearch
  /** The `Accept` header of a read. */
  accept = ''
  /** The answer has begun: it can only be gone on with, or cut. */
  #isBegun = false
  #heldBytes = 0
  /** Bytes that the asker has not taken yet. */
  #untaken: UntakenPart | null = null
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

  /**
   * Bytes that the socket does not take stay here, and the request in flight: in uWebSockets.js they would lie without a bound, because
   * that goes on with the next request of the connection. 20,000 unread answers of 33 KB were 640 MiB.
   */
  send(
    status: string,
    contentType: string,
    body: string | Uint8Array,
    headers?: HeaderList,
    closes = false,
  ): void {
    if (this.isEnded || this.#isBegun) return
    this.#isBegun = true
    const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
    const isWhole = this.isHead || closes || bytes === 0 || isTakenOnTrust(bytes)
    let isTaken = isWhole
    this.#res.cork(() => {
      this.#writeHead(status, contentType, headers)
      if (this.isHead) this.#endHead(bytes, closes)
      else if (isWhole) this.#res.end(body, closes)
      else [isTaken] = this.#res.tryEnd(body, bytes)
    })
    if (isTaken) return this.#end(statusCode(status))
    if (this.#heldBytes > 0) this.hold(bytes)
    const rest = typeof body === 'string' ? Buffer.from(body) : body
    this.#await(rest, 0, bytes, () => this.#end(statusCode(status)))
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

  /** The 101: the connection is a socket of its own from now on. To be called in the turn of its request. */
  upgrade<Data>(
    req: HttpRequest,
    context: Parameters<HttpResponse['upgrade']>[4],
    data: Data,
    protocol = '',
  ): void {
    const key = req.getHeader('sec-websocket-key')
    this.#end(101)
    this.#res.upgrade(data, key, protocol, '', context)
  }

  noContent(): void {
    if (this.isEnded) return
    this.#res.cork(() => this.#res.writeStatus('204 No Content').endWithoutBody())
    this.#end(204)
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
    if (this.isEnded || this.#isBegun) return
    this.#isBegun = true
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
    this.#end(statusCode(status))
  }

  /**
   * A body without a length, for as long as there are parts. A part that comes while its reader has not taken the one before is left
   * out: what is live does not wait. One who takes nothing for `untakenMsMax` is cut off.
   */
  async flow(
    status: string,
    contentType: string,
    headers: HeaderList,
    parts: AsyncIterable<Uint8Array>,
    untakenMsMax: number,
  ): Promise<void> {
    if (this.isEnded || this.#isBegun) return
    this.#isBegun = true
    this.#res.cork(() => {
      this.#writeHead(status, contentType, headers)
      if (this.isHead) this.#res.endWithoutBody()
    })
    if (!this.isHead) {
      let untakenSince: number | null = null
      for await (const part of parts) {
        if (this.isEnded) return
        this.progressAt = performance.now()
        if (untakenSince !== null && this.progressAt - untakenSince > untakenMsMax) return this.cut()
        if (untakenSince !== null || part.length === 0) continue
        this.#res.cork(() => {
          if (this.#res.write(part)) return
          untakenSince = this.progressAt
          this.#res.onWritable(() => {
            untakenSince = null
            return true
          })
        })
      }
      if (this.isEnded) return
      this.#res.cork(() => this.#res.end())
    }
    this.#end(statusCode(status))
  }

  #write(part: Uint8Array, bytes: number): Promise<void> | undefined {
    const offset = this.#res.getWriteOffset()
    let isTaken = false
    this.#res.cork(() => {
      isTaken = this.#res.tryEnd(part, bytes)[0]
    })
    if (isTaken) return
    return new Promise((taken) => this.#await(part, offset, bytes, taken))
  }

  /** The rest of a part that lies at `offset` of the answer; `taken` is called when the asker has it, or has gone. */
  #await(part: Uint8Array, offset: number, bytes: number, taken: () => void): void {
    const untaken = { since: performance.now(), bytes: 0, taken }
    this.#untaken = untaken
    this.#owner.untaken.askers++
    // Now it is the asker who is slow.
    this.progressAt = Number.POSITIVE_INFINITY
    this.#res.onWritable((written) => {
      untaken.bytes = written - offset
      const [isTaken] = this.#res.tryEnd(part.subarray(untaken.bytes), bytes)
      if (isTaken) this.#taken()
      return isTaken
    })
  }

  #taken(): void {
    if (this.#untaken === null) return
    const { taken } = this.#untaken
    this.#untaken = null
    this.#owner.untaken.askers--
    taken()
  }

  /** Its asker takes less than others may wait for. */
  isSlow(now: number): boolean {
    if (this.#untaken === null) return false
    const { since, bytes } = this.#untaken
    return now - since > limits.untakenMsMax + bytes / limits.takenBytesPerMsMin
  }

  /** So many bytes are held for its answer, from now on and until it has ended. */
  hold(bytes: number): void {
    if (this.isEnded) return
    const change = bytes - this.#heldBytes
    this.#heldBytes = bytes
    this.#owner.untaken.change(change)
  }

  get holdsBytes(): boolean {
    return this.#heldBytes > 0
  }

  /** Resolves once there is room for so many bytes instead of those that it holds, or its asker has gone. */
  room(bytes: number): Promise<void> {
    this.hold(0)
    return new Promise((enter) => this.#owner.untaken.enter(this, bytes, enter))
  }

  #end(status: number): void {
    if (this.isEnded) return
    this.hold(0)
    this.isEnded = true
    this.#owner.ended(this, status)
  }

  problem(error: VoiceStreamError, headers: HeaderList = []): void {
    if (this.isEnded) return
    if (this.#isBegun) return this.cut()
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
    this.#end(abortedStatus)
    this.#taken()
  }
}

interface UntakenPart {
  readonly since: number
  /** Of it, so much was taken meanwhile. */
  bytes: number
  readonly taken: () => void
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
