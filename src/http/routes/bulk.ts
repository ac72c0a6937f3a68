/**
 * One `POST /v1/packets`: its lines go to their calls in their order, a slice a turn of the loop, so that a request of
 * 4 MiB delays nobody else's packet by more than a few milliseconds. It is answered when every line has its answer; if
 * one could not be stored, all of it is "unknown, send it again".
 */
import { performance } from 'node:perf_hooks'
import type { ReceiptFacts } from '../../actors/call-facts.js'
import type { CallRegistry } from '../../actors/call-registry.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { type BulkPacket, decodeBulkLine } from '../../protocol/decode.js'
import type { BulkLineResult, BulkResult } from '../../protocol/packet.js'
import type { ReplyTo } from '../../store/journal.js'
import { type Exchange, jsonType } from '../exchange.js'
import { behindByteOrderMark } from '../request-body.js'

const sliceMs = 2
/** Looking at the clock costs; a line costs about 2 µs. */
const linesPerLook = 64
const roomLookMs = 1

export interface BulkPorts {
  readonly registry: CallRegistry
  /** Whether the journal can take a part of a bulk request now. */
  hasRoom(): boolean
  countLines(result: BulkResult): void
}

/** Bulk requests under way share one slice a turn, each in its turn, however many they are. */
export class BulkLane {
  readonly #ports: BulkPorts
  #requests: BulkRequest[] = []
  #bytes = 0
  #isRunning = false

  constructor(ports: BulkPorts) {
    this.#ports = ports
  }

  add(exchange: Exchange, body: Uint8Array): void {
    // Behind a stuck disk requests are answered before they are worked off: their bodies must not pile up.
    for (const request of this.#requests.filter(({ isEnded }) => isEnded)) {
      // Its lines are counted once the last of them has its answer.
      request.takeSlice()
      this.#finish(request)
    }
    if (this.#bytes + body.length > limits.bulkQueueBytesMax)
      return exchange.problem(new VoiceStreamError('overloaded', 'too many bulk requests wait'))
    this.#requests.push(new BulkRequest(exchange, body, this.#ports))
    this.#bytes += body.length
    if (this.#isRunning) return
    this.#isRunning = true
    // In a turn of its own, so that an error fails none of the requests.
    setImmediate(() => this.#run())
  }

  #run(): void {
    const [request] = this.#requests
    if (request === undefined) {
      this.#isRunning = false
      return
    }
    // No room: wait for it rather than fail, until the answer is overdue.
    if (!this.#ports.hasRoom() && !request.isEnded) {
      setTimeout(() => this.#run(), roomLookMs)
      return
    }
    if (request.takeSlice()) this.#finish(request)
    else this.#requests = [...this.#requests.slice(1), request]
    setImmediate(() => this.#run())
  }

  #finish(request: BulkRequest): void {
    this.#requests = this.#requests.filter((other) => other !== request)
    this.#bytes -= request.bytes
  }
}

class BulkRequest {
  readonly #exchange: Exchange
  readonly #body: Uint8Array
  readonly #ports: BulkPorts
  readonly #result: BulkResult = {
    received: 0,
    accepted: 0,
    duplicate: 0,
    rejected: 0,
    invalid: 0,
    lines: [],
  }
  #at = 0
  #line = 0
  /** Lines without an answer, and one for the reading itself. */
  #pending = 1
  #error: VoiceStreamError | null = null

  constructor(exchange: Exchange, body: Uint8Array, ports: BulkPorts) {
    this.#exchange = exchange
    this.#body = body
    this.#ports = ports
  }

  get bytes(): number {
    return this.#body.length
  }

  /** Its answer is out, or its sender is gone. */
  get isEnded(): boolean {
    return this.#exchange.isEnded
  }

  /** Whether the last line has been taken. */
  takeSlice(): boolean {
    const { registry, hasRoom } = this.#ports
    const now = performance.now()
    // Megabytes may take longer than one packet may; what is stuck gets no slice.
    this.#exchange.progressAt = now
    const until = now + sliceMs
    while (this.#at < this.#body.length && this.#error === null && !this.#exchange.isEnded) {
      if (this.#line % linesPerLook === 0 && performance.now() >= until) return false
      if (!hasRoom() || registry.activatingCount >= limits.activationsMax / 2) return false
      this.#takeLine()
    }
    this.#answerOne()
    return true
  }

  #takeLine(): void {
    const newline = this.#body.indexOf(0x0a, this.#at)
    const end = newline < 0 ? this.#body.length : newline
    // Files that each begin with a mark were put one behind the other. That of the body is gone.
    const first = this.#at === 0 ? 0 : behindByteOrderMark(this.#body, this.#at)
    this.#at = end + 1
    this.#line++
    if (isBlank(this.#body, first, end)) return
    this.#result.received++
    const packet = this.#decode(first, end)
    if (packet === null) return
    const line = this.#line
    this.#pending++
    this.#ports.registry.tell(packet.callId, { type: 'packet', packet, replyTo: new LineReply(this, line) })
  }

  #decode(first: number, end: number): BulkPacket | null {
    try {
      return decodeBulkLine(this.#body, first, end)
    } catch (error) {
      if (!(error instanceof VoiceStreamError)) throw error
      const errors = error.fields.length > 0 ? [...error.fields] : [{ path: '', message: error.message }]
      this.#result.invalid++
      this.#list({ line: this.#line, status: 'invalid', errors })
      return null
    }
  }

  answered(line: number, { status, callId, track, sequence }: ReceiptFacts): void {
    this.#result[status]++
    // It may wait for comparisons with what is stored, and is not stuck as long as they come back.
    this.#exchange.progressAt = performance.now()
    if (status !== 'accepted')
      this.#list({ line, status, call_id: callId, ...(track === 0 ? {} : { track }), sequence })
    this.#answerOne()
  }

  #list(result: BulkLineResult): void {
    this.#result.lines.push(result)
  }

  failed(error: VoiceStreamError): void {
    this.#error ??= error
    this.#answerOne()
  }

  #answerOne(): void {
    if (--this.#pending > 0) return
    this.#ports.countLines(this.#result)
    if (this.#error !== null) return this.#exchange.problem(this.#error)
    // Answers come in the order of commits; what is listed are the first lines of the request.
    const lines = this.#result.lines.sort((a, b) => a.line - b.line).slice(0, limits.bulkLinesListedMax)
    this.#exchange.send('202 Accepted', jsonType, JSON.stringify({ ...this.#result, lines }))
  }
}

class LineReply implements ReplyTo<ReceiptFacts> {
  readonly #request: BulkRequest
  readonly #line: number

  constructor(request: BulkRequest, line: number) {
    this.#request = request
    this.#line = line
  }

  answered(facts: ReceiptFacts): void {
    this.#request.answered(this.#line, facts)
  }

  failed(error: VoiceStreamError): void {
    this.#request.failed(error)
  }
}

function isBlank(bytes: Uint8Array, first: number, end: number): boolean {
  for (let at = first; at < end; at++)
    if (bytes[at] !== 0x20 && bytes[at] !== 0x0d && bytes[at] !== 0x09) return false
  return true
}
