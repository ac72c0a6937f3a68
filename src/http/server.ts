/**
 * The HTTP server: one table of routes in, guarded exchanges out.
 *
 * Every request is counted from its headers to its answer. It is refused with 503 beyond the bound on requests in
 * flight, while draining, and when its answer is overdue; cut off when its body does not come; and refused with 400
 * where its framing is ambiguous, before anything else looks at it.
 */
import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { Log } from '../log.js'
import { Exchange, type ExchangeOwner, jsonType } from './exchange.js'
import { ExchangeList } from './exchange-list.js'
import type { Access } from './gate/access.js'
import type { Gate } from './gate/gate.js'
import { proofHeadOf } from './gate/platform-proofs.js'
import type { RefusalLog } from './gate/refusal-log.js'
import type { TlsFiles } from './gate/tls.js'
import { listenFault } from './listen-fault.js'
import { openApi } from './openapi.js'
import { dashboardFiles } from './pages/dashboard.js'
import { docsFiles } from './pages/docs.js'
import { type StaticFile, variantOf } from './pages/static-file.js'
import { checkMediaType, readBody, readHead, withoutByteOrderMark } from './request-body.js'
import type { DeleteRoute, GetRoute, PostRoute, Route } from './routes.js'
import { Untaken } from './untaken.js'
import {
  closeListenSocket,
  createApp,
  type HttpRequest,
  type HttpResponse,
  type ListenSocket,
  listenExclusively,
  localPort,
  type TemplatedApp,
} from './uws.js'

export interface ServerPorts {
  readonly log: Log
  readonly gate: Gate
  readonly refusals: RefusalLog
  /** Null for plain HTTP. */
  readonly tls: TlsFiles | null
  ended(route: string, status: number, seconds: number): void
  /** A packet that is taken now would wait too long for its commit. */
  isCongested(): boolean
}

export class Server implements ExchangeOwner {
  readonly app: TemplatedApp
  readonly untaken = new Untaken()
  readonly #ports: ServerPorts
  /** In the order of their headers, so the overdue ones are in front. */
  readonly #inFlight = new ExchangeList()
  #listenSocket: ListenSocket | null = null
  #isDraining = false
  #overdueTimer: NodeJS.Timeout | null = null
  #drained: (() => void) | null = null

  constructor(ports: ServerPorts) {
    this.#ports = ports
    this.app = createApp(ports.tls)
  }

  get inFlightCount(): number {
    return this.#inFlight.size
  }

  /** A client that is slow to take its answer must not cost others theirs. */
  get #unanswered(): number {
    return this.#inFlight.size - this.untaken.askers
  }

  /** Packets are refused: too many requests wait, or more than a burst for too long. */
  get isOverloaded(): boolean {
    const size = this.#unanswered
    return size > limits.requestsInFlightMax || (size > limits.burstRequestsMax && this.#ports.isCongested())
  }

  /** To be called once, after the sockets are registered: the last route takes what no other does. */
  serve(routes: readonly Route[]): void {
    const document = Buffer.from(JSON.stringify(openApi(routes)))
    const byPath = new Map<string, Route[]>()
    for (const route of routes) byPath.set(route.path, [...(byPath.get(route.path) ?? []), route])
    for (const [path, ofPath] of byPath) this.#register(path, ofPath)
    this.#registerFile('/openapi.json', {
      status: '200 OK',
      contentType: jsonType,
      body: document,
      headers: [],
      encodings: [],
    })
    for (const [path, file] of [...docsFiles(), ...dashboardFiles()]) this.#registerFile(path, file)
    this.app.any('/*', (res, req) => {
      this.#begin(res, req, '', 'public', isHead(req))?.problem(
        new VoiceStreamError('not_found', 'unknown route; see /docs'),
      )
    })
  }

  #register(path: string, routes: readonly Route[]): void {
    const pattern = path.replace(/\{(\w+)\}/g, ':$1')
    for (const route of routes) {
      if (route.method === 'POST') this.app.post(pattern, (res, req) => this.#receive(res, req, route))
      else if (route.method === 'DELETE') this.app.del(pattern, (res, req) => this.#delete(res, req, route))
      else {
        this.app.get(pattern, (res, req) => this.#read(res, req, route, false))
        this.app.head(pattern, (res, req) => this.#read(res, req, route, true))
      }
    }
    this.#registerRefusal(
      pattern,
      routes.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
    )
  }

  #registerFile(path: string, file: StaticFile): void {
    const handler = (isHead: boolean) => (res: HttpResponse, req: HttpRequest) => {
      const { body, headers } = variantOf(file, req.getHeader('accept-encoding'))
      this.#begin(res, req, path, 'public', isHead)?.send(file.status, file.contentType, body, headers)
    }
    this.app.get(path, handler(false))
    this.app.head(path, handler(true))
    this.#registerRefusal(path, ['GET', 'HEAD'])
  }

  #registerRefusal(pattern: string, allowed: readonly string[]): void {
    this.app.any(pattern, (res, req) => {
      const error = new VoiceStreamError('method_not_allowed', `this route takes ${allowed.join(', ')}`)
      const exchange = this.#begin(res, req, pattern, 'public', isHead(req))
      if (exchange === null) return
      if (req.getMethod() === 'options' && exchange.head.origin !== null)
        return this.#preflight(exchange, allowed)
      exchange.problem(error, [['Allow', allowed.join(', ')]])
    })
  }

  /** A browser asks whether a page may send what it is about to send. */
  #preflight(exchange: Exchange, allowed: readonly string[]): void {
    try {
      exchange.send('200 OK', 'text/plain', '', this.#ports.gate.preflight(exchange, allowed))
    } catch (error) {
      this.#failed(exchange, error)
    }
  }

  #receive(res: HttpResponse, req: HttpRequest, route: PostRoute): void {
    const exchange = this.#begin(res, req, route.path, route.access, false)
    if (exchange === null) return
    if (this.isOverloaded) return exchange.problem(overloaded)
    const { mediaType, bytesMax } = route.body
    exchange.segment = req.getParameter(0) ?? ''
    exchange.secondSegment = req.getParameter(1) ?? ''
    if (route.isSigned === true) exchange.proofHead = proofHeadOf(req)
    try {
      checkMediaType(exchange.head.contentType, mediaType)
      const whole = (body: Uint8Array, isView: boolean) => this.#take(exchange, route, body, isView)
      readBody(res, exchange.head, bytesMax, whole, (error) => exchange.problem(error))
    } catch (error) {
      this.#failed(exchange, error)
    }
  }

  #take(exchange: Exchange, route: PostRoute, body: Uint8Array, isView: boolean): void {
    if (exchange.isEnded) return
    exchange.isReceived = true
    exchange.progressAt = performance.now()
    try {
      route.body.take(exchange, withoutByteOrderMark(body), isView)
    } catch (error) {
      this.#failed(exchange, error)
    }
  }

  #read(res: HttpResponse, req: HttpRequest, route: GetRoute, isHead: boolean): void {
    const exchange = this.#begin(res, req, route.path, route.access, isHead)
    if (exchange === null) return
    exchange.isReceived = true
    exchange.segment = req.getParameter(0) ?? ''
    exchange.search = new URLSearchParams(req.getQuery() ?? '')
    exchange.accept = req.getHeader('accept')
    const bytes = route.answerBytesMax ?? (route.access === 'supervisor' ? limits.shortAnswerBytesMax : 0)
    if (bytes === 0) return this.#answer(exchange, route)
    this.untaken.enter(exchange, bytes, () => {
      if (!exchange.isEnded) this.#answer(exchange, route)
    })
  }

  #delete(res: HttpResponse, req: HttpRequest, route: DeleteRoute): void {
    const exchange = this.#begin(res, req, route.path, route.access, false)
    if (exchange === null) return
    exchange.segment = req.getParameter(0) ?? ''
    // Nothing is done before the last byte: only then is it known that the request is well framed.
    const whole = () => {
      if (exchange.isEnded) return
      exchange.isReceived = true
      exchange.progressAt = performance.now()
      this.#answer(exchange, route)
    }
    readBody(res, exchange.head, limits.bodyBytesMax, whole, (error) => exchange.problem(error))
  }

  #answer(exchange: Exchange, route: GetRoute | DeleteRoute): void {
    try {
      route.answer(exchange)?.catch((error: unknown) => this.#failed(exchange, error))
    } catch (error) {
      this.#failed(exchange, error)
    }
  }

  /** Counts the request, checks how it is framed and who asks. Null when it has its answer already. */
  #begin(
    res: HttpResponse,
    req: HttpRequest,
    route: string,
    access: Access,
    isHead: boolean,
  ): Exchange | null {
    const exchange = new Exchange(res, route, this)
    this.#inFlight.add(exchange)
    // A throw out of a handler would end the process.
    try {
      exchange.isHead = isHead
      exchange.head = readHead(req)
      const method = req.getMethod()
      // uWebSockets.js passes on what has none, and would then serve what is hidden behind it.
      if (method === '') throw new VoiceStreamError('malformed_request', 'the request has no method')
      if (this.#isDraining) throw new VoiceStreamError('draining', 'the service is shutting down')
      if (this.#unanswered > limits.requestsInFlightMax + limits.readsReservedMax) throw overloaded
      this.#ports.gate.admit(exchange, access, changesSomething(method))
      return exchange
    } catch (error) {
      this.#failed(exchange, error)
      return null
    }
  }

  #failed(exchange: Exchange, error: unknown): void {
    if (error instanceof VoiceStreamError) return exchange.problem(error)
    exchange.requestId ??= randomUUID()
    const fields = { err: error, route: exchange.route, request_id: exchange.requestId }
    this.#ports.log.error(fields, 'a request met an unexpected error')
    exchange.problem(new VoiceStreamError('internal', 'unexpected error', { cause: error }))
  }

  refused(exchange: Exchange, error: VoiceStreamError): void {
    this.#ports.refusals.note(exchange, error)
  }

  ended(exchange: Exchange, status: number): void {
    this.#inFlight.delete(exchange)
    this.#ports.ended(exchange.route, status, (performance.now() - exchange.startedAt) / 1000)
    if (this.#inFlight.size === 0) this.#drained?.()
  }

  // --- life -------------------------------------------------------------------------------------------------------

  /** Resolves with the port. Rejects, with a message for people, when it cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    const socket = await listenExclusively(this.app, host, port)
    if (socket === false) throw new Error(await listenFault(host, port))
    this.#listenSocket = socket
    this.#overdueTimer = setInterval(() => this.#endOverdue(), limits.overdueLookMs)
    return localPort(socket)
  }

  #endOverdue(): void {
    const now = performance.now()
    const { isAwaited } = this.untaken
    for (const exchange of this.#inFlight) {
      if ((this.#isDraining || (isAwaited && exchange.holdsBytes)) && exchange.isSlow(now)) exchange.cut()
      const age = now - exchange.startedAt
      if (age < Math.min(limits.bodyMsMax, limits.answerMsMax)) return
      // Half a body gets no answer.
      if (!exchange.isReceived) {
        if (age >= limits.bodyMsMax) exchange.cut()
      } else if (now - exchange.progressAt >= limits.answerMsMax)
        exchange.problem(new VoiceStreamError('timed_out', 'the request was not answered in time'))
    }
  }

  /** Takes no new connections or requests; resolves when every request in flight is answered, or after `msMax`. */
  async drain(msMax: number): Promise<void> {
    this.#isDraining = true
    if (this.#listenSocket !== null) closeListenSocket(this.#listenSocket)
    this.#listenSocket = null
    if (this.#inFlight.size === 0) return
    await new Promise<void>((resolve) => {
      this.#drained = resolve
      setTimeout(resolve, msMax).unref()
    })
  }

  /** Ends what is left. */
  close(): void {
    if (this.#overdueTimer !== null) clearInterval(this.#overdueTimer)
    this.app.close()
  }
}

/** One for all: under load nobody needs where each came from. */
const overloaded = new VoiceStreamError('overloaded', 'too many packets wait to be stored')

/** GET, HEAD and OPTIONS have no effect here. */
function changesSomething(method: string): boolean {
  return method !== 'get' && method !== 'head' && method !== 'options'
}

function isHead(req: HttpRequest): boolean {
  return req.getMethod() === 'head'
}
