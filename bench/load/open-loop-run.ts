/**
 * One open-loop run. Owns its connections and an account of every packet that was due.
 *
 * A packet that was refused, or whose connection broke, is sent again in place of a later one, as a PBX would; so the
 * sequences of a call stay without gaps, and a call is not made dearer by the load that it is measured under.
 */
import { distribution } from '../measure/statistics.js'
import { type Answer, Connection, type ConnectionOwner } from './connection.js'
import type { OpenLoopFigures, OpenLoopPlan, SecondFigures } from './open-loop.js'
import { callIdOf, firstSequence, packetBody } from './packets.js'
import { Ticker } from './ticker.js'

const tickMs = 0.5
const connectsAtOnce = 128
const answerMsMax = 15_000
const reconnectMs = 20
const outcomes = {
  unsent: 0,
  inFlight: 1,
  accepted: 2,
  refused: 3,
  duplicate: 4,
  other: 5,
  broken: 6,
} as const

interface Packet {
  readonly call: number
  readonly sequence: number
}

export class OpenLoopRun implements ConnectionOwner {
  readonly #plan: OpenLoopPlan
  readonly #total: number
  readonly #sentAt: Float64Array
  readonly #latency: Float64Array
  readonly #late: Float64Array
  readonly #outcome: Uint8Array
  readonly #packets: Packet[] = []
  readonly #connections = new Set<Connection>()
  /** Free connections, the longest free one first, so that all of them are kept in use and alive. */
  #free: Connection[] = []
  #firstFree = 0
  /** Not stored, or nobody knows: sent again before new ones. */
  readonly #again: Packet[] = []
  #fresh = 0
  #next = 0
  #inFlight = 0
  #startedAt = Number.POSITIVE_INFINITY
  #endsAt = Number.POSITIVE_INFINITY
  #settled: (() => void) | null = null

  constructor(plan: OpenLoopPlan) {
    this.#plan = plan
    this.#total = Math.max(1, Math.floor(plan.rate * plan.seconds))
    this.#sentAt = new Float64Array(this.#total)
    this.#latency = new Float64Array(this.#total)
    this.#late = new Float64Array(this.#total)
    this.#outcome = new Uint8Array(this.#total)
  }

  async run(): Promise<OpenLoopFigures> {
    await this.#connectAll()
    this.#startedAt = performance.now() + 50
    this.#endsAt = this.#startedAt + this.#plan.seconds * 1000
    const ticker = new Ticker(tickMs, () => this.#sendDue())
    try {
      await new Promise((resolve) => setTimeout(resolve, this.#endsAt - performance.now()))
      await this.#allAnswered()
    } finally {
      await ticker.stop()
      for (const connection of this.#connections) connection.end()
    }
    return this.#figures()
  }

  async #connectAll(): Promise<void> {
    for (let left = this.#plan.connections; left > 0; left -= connectsAtOnce)
      await Promise.all(Array.from({ length: Math.min(left, connectsAtOnce) }, () => this.#connect()))
  }

  async #connect(): Promise<void> {
    const connection = new Connection(this.#plan.port, this)
    await connection.opened()
    this.#connections.add(connection)
    this.#release(connection, performance.now())
  }

  #allAnswered(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#settled = resolve
      setTimeout(resolve, answerMsMax).unref()
    })
  }

  // --- sending ----------------------------------------------------------------------------------------------------

  #sendDue(): void {
    const now = performance.now()
    if (now >= this.#endsAt) return
    const elapsed = now - this.#startedAt
    const due = Math.min(this.#total, Math.floor((elapsed * this.#plan.rate) / 1000) + 1)
    while (this.#next < due) {
      const connection = this.#takeFree()
      if (connection === null) return
      this.#send(connection, this.#next++)
    }
  }

  #takeFree(): Connection | null {
    while (this.#firstFree < this.#free.length) {
      const connection = this.#free[this.#firstFree++] as Connection
      if (this.#connections.has(connection)) return connection
    }
    this.#free = []
    this.#firstFree = 0
    return null
  }

  #release(connection: Connection, now: number): void {
    connection.request = -1
    connection.freeAt = now
    if (this.#firstFree > 4096) {
      this.#free = this.#free.slice(this.#firstFree)
      this.#firstFree = 0
    }
    this.#free.push(connection)
  }

  #dueAt(request: number): number {
    return this.#startedAt + (request * 1000) / this.#plan.rate
  }

  #send(connection: Connection, request: number): void {
    const text = this.#request(request)
    const now = performance.now()
    this.#sentAt[request] = now
    this.#late[request] = now - Math.max(this.#dueAt(request), connection.freeAt)
    this.#outcome[request] = outcomes.inFlight
    this.#inFlight++
    connection.request = request
    connection.send(text)
  }

  #request(request: number): string {
    const { set, target, port } = this.#plan
    if (target === 'live') return `GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
    const packet = this.#again.pop() ?? this.#freshPacket()
    this.#packets[request] = packet
    const body = packetBody(packet.sequence)
    return `POST /v1/call/stream/${callIdOf(set, packet.call)} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  }

  #freshPacket(): Packet {
    const { set } = this.#plan
    const turn = this.#fresh++
    const call = turn % set.calls
    return { call, sequence: firstSequence(set, call) + Math.floor(turn / set.calls) }
  }

  // --- answers ----------------------------------------------------------------------------------------------------

  answered(connection: Connection, answer: Answer): void {
    const { request } = connection
    if (request < 0) return
    const now = performance.now()
    const outcome = outcomeOf(answer)
    this.#settle(request, outcome)
    this.#latency[request] = now - this.#dueAt(request)
    if (outcome === outcomes.refused) this.#sendAgain(request)
    this.#release(connection, now)
    this.#sendDue()
  }

  broken(connection: Connection): void {
    // A connection that was never opened is told by its rejection.
    if (!this.#connections.delete(connection)) return
    const { request } = connection
    if (request >= 0) {
      this.#settle(request, outcomes.broken)
      this.#sendAgain(request)
    }
    if (performance.now() < this.#endsAt) setTimeout(() => this.#connect().catch(() => {}), reconnectMs)
  }

  #sendAgain(request: number): void {
    const packet = this.#packets[request]
    if (packet !== undefined) this.#again.push(packet)
  }

  #settle(request: number, outcome: number): void {
    this.#outcome[request] = outcome
    this.#inFlight--
    if (this.#inFlight === 0) this.#settled?.()
  }

  // --- figures ----------------------------------------------------------------------------------------------------

  #count(outcome: number): number {
    let count = 0
    for (const one of this.#outcome) if (one === outcome) count++
    return count
  }

  #select(outcome: (value: number) => boolean, value: (request: number) => number): Float64Array {
    const selected: number[] = []
    for (let request = 0; request < this.#total; request++)
      if (outcome(this.#outcome[request] as number)) selected.push(value(request))
    return Float64Array.from(selected)
  }

  #figures(): OpenLoopFigures {
    const isAccepted = (outcome: number) => outcome === outcomes.accepted
    const latencyOf = (request: number) => this.#latency[request] as number
    const waited = (request: number) => (this.#sentAt[request] as number) - this.#dueAt(request)
    return {
      offered: this.#total,
      unsent: this.#count(outcomes.unsent),
      accepted: this.#count(outcomes.accepted),
      refused: this.#count(outcomes.refused),
      duplicate: this.#count(outcomes.duplicate),
      other: this.#count(outcomes.other),
      broken: this.#count(outcomes.broken),
      unanswered: this.#count(outcomes.inFlight),
      latencyMs: distribution(this.#select(isAccepted, latencyOf)),
      serviceMs: distribution(this.#select(isAccepted, (request) => latencyOf(request) - waited(request))),
      lateMs: distribution(
        this.#select(
          (outcome) => outcome !== outcomes.unsent,
          (request) => this.#late[request] as number,
        ),
      ),
      bySecond: this.#bySecond(),
    }
  }

  #bySecond(): readonly SecondFigures[] {
    const seconds: SecondFigures[] = []
    for (let first = 0; first < this.#total; first += this.#plan.rate) {
      const latencies: number[] = []
      let refused = 0
      const end = Math.min(this.#total, Math.ceil(first + this.#plan.rate))
      for (let request = Math.ceil(first); request < end; request++) {
        if (this.#outcome[request] === outcomes.refused) refused++
        if (this.#outcome[request] === outcomes.accepted) latencies.push(this.#latency[request] as number)
      }
      const { count, p99, max } = distribution(Float64Array.from(latencies))
      seconds.push({ accepted: count, refused, p99Ms: p99, maxMs: max })
    }
    return seconds
  }
}

function outcomeOf({ status, text }: Answer): number {
  if (status === 200 || (status === 202 && text.includes('"status":"accepted"'))) return outcomes.accepted
  if (status === 202) return outcomes.duplicate
  if (status === 503 && /\r\nretry-after: \d/i.test(text)) return outcomes.refused
  return outcomes.other
}
