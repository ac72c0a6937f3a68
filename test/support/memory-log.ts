/**
 * The shared log in memory, with connections of several nodes, and the faults of a real one on command: it stands still,
 * loses an attempt or its outcome, is busy or full, delivers late, and loses or changes what it delivers. Time is the given
 * clock's, so a simulation repeats itself.
 */
import type { Clock, Millis } from '../../src/clock.js'
import {
  type AppendOutcome,
  duplicateMs as idsKnownMs,
  type Log,
  type LogAppend,
  type LogFollower,
  type LogMessage,
} from '../../src/store/log.js'

export interface MemoryLogOptions {
  readonly clock: Clock
  /** Of every way to the log and from it. */
  readonly delayMs?: () => Millis
  /** After so long an attempt without an outcome is `unknown`. */
  readonly attemptMs?: Millis
  /** Ids are known for so long. */
  readonly duplicateMs?: Millis
  /** A connection that was mended gets messages again after so long; its appends go at once. */
  readonly resumeMs?: () => Millis
  /** Everything that is ever stored. */
  readonly stored?: (message: LogMessage) => void
}

export class MemoryLog {
  readonly clock: Clock
  readonly attemptMs: Millis
  readonly delayMs: () => Millis
  readonly resumeMs: () => Millis
  readonly #duplicateMs: Millis
  readonly #stored: (message: LogMessage) => void
  readonly #messages: LogMessage[] = []
  #trimmedThrough = 0
  readonly #lastOf = new Map<string, number>()
  readonly #ids = new Map<string, { readonly at: number; readonly until: Millis }>()
  readonly #connections = new Set<MemoryLogConnection>()
  #waiting: (() => void)[] | null = null
  /** Stores nothing, and says so. */
  isFull = false

  constructor({
    clock,
    delayMs = () => 0,
    attemptMs = 2000,
    duplicateMs = idsKnownMs,
    resumeMs = () => 0,
    stored = () => {},
  }: MemoryLogOptions) {
    this.resumeMs = resumeMs
    this.#duplicateMs = duplicateMs
    this.#stored = stored
    this.clock = clock
    this.delayMs = delayMs
    this.attemptMs = attemptMs
  }

  /** All that is held. */
  get messages(): readonly LogMessage[] {
    return this.#messages
  }

  get last(): number {
    return this.#trimmedThrough + this.#messages.length
  }

  get first(): number {
    return this.#trimmedThrough + 1
  }

  connect(): MemoryLogConnection {
    const connection = new MemoryLogConnection(this)
    this.#connections.add(connection)
    return connection
  }

  disconnect(connection: MemoryLogConnection): void {
    this.#connections.delete(connection)
  }

  at(sequence: number): LogMessage | undefined {
    return this.#messages[sequence - this.first]
  }

  /** Without a leader: what is asked waits, and nothing is delivered. */
  stall(): void {
    this.#waiting ??= []
  }

  resume(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const task of waiting) task()
    this.deliver()
  }

  get isStalled(): boolean {
    return this.#waiting !== null
  }

  /** At the log. `outcome` is told when it has decided. */
  decide(attempt: LogAppend, outcome: (outcome: AppendOutcome) => void): void {
    if (this.#waiting !== null) {
      this.#waiting.push(() => this.decide(attempt, outcome))
      return
    }
    outcome(this.#decided(attempt))
    this.deliver()
  }

  #decided({ subject, expected, id, body }: LogAppend): AppendOutcome {
    const now = this.clock.now()
    const known = this.#ids.get(id)
    if (known !== undefined && known.until > now) return { kind: 'stored', at: known.at }
    const last = this.#lastOf.get(subject) ?? 0
    if (expected !== last) return { kind: 'refused', last }
    if (this.isFull) return { kind: 'unknown', reason: 'the log is full' }
    const sequence = this.last + 1
    const message = { sequence, subject, id, storedAt: now, body }
    this.#messages.push(message)
    this.#stored(message)
    this.#lastOf.set(subject, sequence)
    this.#ids.set(id, { at: sequence, until: now + this.#duplicateMs })
    return { kind: 'stored', at: sequence }
  }

  deliver(): void {
    if (this.#waiting === null) for (const connection of this.#connections) connection.deliver()
  }

  trim(through: number): void {
    if (through <= this.#trimmedThrough) return
    const end = Math.min(through, this.last)
    this.#messages.splice(0, end - this.#trimmedThrough)
    this.#trimmedThrough = end
    for (const [subject, last] of this.#lastOf) if (last <= end) this.#lastOf.delete(subject)
  }
}

interface Following {
  readonly follower: LogFollower
  /** Sent, in order; what is sent next leaves behind it. */
  next: number
  /** No message overtakes another one. */
  arrivesAt: Millis
  isOver: boolean
}

/** A node's own. What is on its way when the node dies still comes to the log. */
export class MemoryLogConnection implements Log {
  readonly #log: MemoryLog
  readonly #following = new Set<Following>()
  /** Neither asks nor is asked; attempts that were under way are `unknown`. */
  isCut = false
  /** So many attempts do not come to the log. */
  attemptsToLose = 0
  /** So many outcomes do not come back. */
  outcomesToForget = 0
  /** So many attempts are answered that another one is under way, and not stored. */
  attemptsToRefuse = 0
  /** The attempts to come arrive so much later. */
  attemptsDelayMs: Millis = 0
  /** So many deliveries are left out, although the log never does that. */
  deliveriesToLose = 0
  /** So many deliveries have another bit than what was stored. */
  deliveriesToChange = 0
  #isResuming = false
  #isClosed = false

  constructor(log: MemoryLog) {
    this.#log = log
  }

  append(attempt: LogAppend, settled: (outcome: AppendOutcome) => void): void {
    const { clock, delayMs, attemptMs } = this.#log
    let isSettled = false
    const settle = (outcome: AppendOutcome) => {
      if (isSettled || this.#isClosed) return
      isSettled = true
      giveUp()
      settled(outcome)
    }
    const giveUp = clock.after(attemptMs, () => settle({ kind: 'unknown', reason: 'no outcome in time' }))
    if (this.attemptsToRefuse > 0) {
      this.attemptsToRefuse--
      clock.after(delayMs(), () => settle({ kind: 'unknown', reason: 'another append is under way' }))
      return
    }
    if (this.isCut || this.attemptsToLose > 0) {
      this.attemptsToLose -= this.isCut ? 0 : 1
      return
    }
    const copy = { ...attempt, body: Uint8Array.from(attempt.body) }
    clock.after(delayMs() + this.attemptsDelayMs, () =>
      this.#log.decide(copy, (outcome) => {
        if (this.outcomesToForget > 0) this.outcomesToForget--
        else clock.after(delayMs(), () => this.isCut || settle(outcome))
      }),
    )
  }

  follow(after: number, follower: LogFollower): () => void {
    const following: Following = { follower, next: after + 1, arrivesAt: 0, isOver: false }
    this.#following.add(following)
    this.#log.clock.after(this.#log.delayMs(), () => this.#log.deliver())
    return () => {
      following.isOver = true
      this.#following.delete(following)
    }
  }

  trim(through: number): Promise<void> {
    this.#log.trim(through)
    return Promise.resolve()
  }

  /** A cut connection goes on where it was. */
  mend(): void {
    if (!this.isCut) return
    this.isCut = false
    const waitMs = this.#log.resumeMs()
    this.#isResuming = waitMs > 0
    if (waitMs === 0) return this.#log.deliver()
    this.#log.clock.after(waitMs, () => {
      this.#isResuming = false
      this.#log.deliver()
    })
  }

  /** Its node is gone. */
  close(): void {
    this.#isClosed = true
    for (const following of this.#following) following.isOver = true
    this.#following.clear()
    this.#log.disconnect(this)
  }

  deliver(): void {
    if (this.isCut || this.#isResuming) return
    for (const following of this.#following) this.#deliverTo(following)
  }

  #deliverTo(following: Following): void {
    const { first, last } = this.#log
    if (following.next < first) {
      this.#following.delete(following)
      this.#arrive(following, () => following.follower.trimmed(first))
      return
    }
    if (following.next > last + 1) {
      this.#following.delete(following)
      this.#arrive(following, () => following.follower.lost(last))
      return
    }
    for (; following.next <= last; following.next++) {
      const message = this.#log.at(following.next) as LogMessage
      if (this.deliveriesToLose > 0) {
        this.deliveriesToLose--
        continue
      }
      const delivered = this.deliveriesToChange > 0 ? changed(message) : message
      if (delivered !== message) this.deliveriesToChange--
      this.#arrive(following, () => following.follower.take(delivered))
    }
  }

  #arrive(following: Following, task: () => void): void {
    const { clock, delayMs } = this.#log
    const now = clock.now()
    following.arrivesAt = Math.max(following.arrivesAt, now + delayMs())
    clock.after(following.arrivesAt - now, () => following.isOver || task())
  }
}

function changed(message: LogMessage): LogMessage {
  const body = Uint8Array.from(message.body)
  const at = (message.sequence * 7919) % body.length
  body[at] = (body[at] as number) ^ 1
  return { ...message, body }
}
