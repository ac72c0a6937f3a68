/**
 * The next due deadline of any call, in memory or not (V8).
 *
 * Deadlines live in the journal, in an indexed column. Only those of the next half minute are in memory: this reads
 * them forward in time, page by page, and takes what is armed meanwhile; what lies beyond is found when its time
 * comes nearer. So a million waiting calls cost no memory. A deadline is delivered once; a delivery that fails (the
 * journal is full, a commit failed) is repeated a second later. Those of other nodes' calls are passed over.
 */
import type { Clock, Millis } from '../clock.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallReader, DueCursor } from '../store/journal.js'
import type { Owners } from '../store/owners.js'

export interface DeadlinePorts {
  readonly clock: Clock
  readonly reader: Pick<CallReader, 'due'>
  readonly owners: Owners
  /** Tells the call that a deadline has come. `done` says whether it could be met. */
  deliver(callId: CallId, done: (isMet: boolean) => void): void
  /** Reading ahead failed; it is tried again a second later. */
  readFailed(error: unknown): void
}

interface Deadline {
  readonly callId: CallId
  readonly dueAt: Millis
}

const beginning: DueCursor = { dueAt: Number.NEGATIVE_INFINITY, key: 0 }

export class Deadlines {
  readonly #ports: DeadlinePorts
  /** A binary heap by `dueAt`. An entry that is no longer its call's deadline is skipped when it surfaces. */
  readonly #heap: Deadline[] = []
  readonly #armed = new Map<CallId, Millis>()
  /** Everything due until here has been read from the journal or is armed directly. */
  #readThrough = beginning
  /** The last page was full: there is more to read before the horizon. */
  #isBehind = true
  #isReading = false
  #isStopped = false
  #delivering = 0
  #cancel: (() => void) | null = null
  #wakeAt: Millis = Number.POSITIVE_INFINITY
  #readAgainAt: Millis = Number.NEGATIVE_INFINITY
  /** Rings are not met and come again: reading more would only pile them up. */
  #unmetUntil: Millis = Number.NEGATIVE_INFINITY

  constructor(ports: DeadlinePorts) {
    this.#ports = ports
  }

  get armedCount(): number {
    return this.#armed.size
  }

  /** Reads the first deadlines, those that passed while nobody watched included. */
  start(): void {
    this.#wake()
  }

  stop(): void {
    this.#isStopped = true
    this.#cancel?.()
  }

  /** A deadline has been committed to the journal. */
  arm(callId: CallId, dueAt: Millis): void {
    // Beyond what was read the journal knows it already, and reading ahead will find it.
    if (dueAt > this.#readThrough.dueAt) return
    this.#push(callId, dueAt)
    this.#schedule()
  }

  /** This node decides about more calls than before: their deadlines were passed over. */
  gained(): void {
    this.#readThrough = beginning
    this.#isBehind = true
    this.#wake()
  }

  /** The call is gone. Its entry in the heap is skipped when it surfaces. */
  disarm(callId: CallId): void {
    this.#armed.delete(callId)
  }

  #push(callId: CallId, dueAt: Millis): void {
    if (this.#armed.get(callId) === dueAt) return
    this.#armed.set(callId, dueAt)
    push(this.#heap, { callId, dueAt })
  }

  async #readAhead(): Promise<void> {
    this.#isReading = true
    const { clock, reader, owners } = this.#ports
    const from = this.#readThrough
    // Moved before the read: what is armed while the read is under way is within reach and is not missed.
    const reach = { dueAt: clock.now() + limits.deadlineHorizonMs, key: Number.MAX_SAFE_INTEGER }
    this.#readThrough = reach
    // Calls may have been gained meanwhile: then it stays at the beginning.
    const reachTo = (place: DueCursor) => {
      if (this.#readThrough === reach) this.#readThrough = place
    }
    try {
      const page = await reader.due(from, reach.dueAt, limits.deadlinePageCalls)
      for (const { callId, dueAt } of page)
        if (owners.owns(callId) && !this.#armed.has(callId)) this.#push(callId, dueAt)
      const last = page.at(-1)
      this.#isBehind = page.length >= limits.deadlinePageCalls
      if (this.#isBehind && last !== undefined) reachTo({ dueAt: last.dueAt, key: last.key })
    } catch (error) {
      reachTo(from)
      this.#isBehind = true
      this.#readAgainAt = clock.now() + limits.deadlineRetryMs
      this.#ports.readFailed(error)
    }
    this.#isReading = false
    this.#wake()
  }

  #wake(): void {
    if (this.#isStopped) return
    const now = this.#ports.clock.now()
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.dueAt > now || this.#delivering >= limits.deadlineDeliveriesMax) break
      pop(this.#heap)
      if (this.#armed.get(next.callId) === next.dueAt) this.#deliver(next.callId)
    }
    if (!this.#isReading && now >= this.#readAt()) void this.#readAhead()
    this.#schedule()
  }

  /** When to read on: in time before the horizon is reached, or as soon as there is room for more. */
  #readAt(): Millis {
    if (!this.#isBehind) return this.#readThrough.dueAt - limits.deadlineHorizonMs / 2
    if (this.#heap.length < limits.deadlinePageCalls) return this.#readAgainAt
    // Everything that is armed may be due later than a deadline that is still unread, which must be here in time.
    const isAhead = (this.#heap[0] as Deadline).dueAt > this.#readThrough.dueAt
    if (!isAhead) return Number.POSITIVE_INFINITY
    return Math.max(this.#readAgainAt, this.#readThrough.dueAt, this.#unmetUntil)
  }

  #schedule(): void {
    if (this.#isStopped) return
    // While all deliveries are out, the next one that is done wakes this.
    const deliverAt = this.#delivering < limits.deadlineDeliveriesMax ? this.#heap[0]?.dueAt : undefined
    const wakeAt = Math.min(
      deliverAt ?? Number.POSITIVE_INFINITY,
      this.#isReading ? Number.POSITIVE_INFINITY : this.#readAt(),
    )
    if (wakeAt >= this.#wakeAt) return
    this.#cancel?.()
    this.#wakeAt = wakeAt
    this.#cancel = this.#ports.clock.after(wakeAt - this.#ports.clock.now(), () => {
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.#cancel = null
      this.#wake()
    })
  }

  #deliver(callId: CallId): void {
    this.#armed.delete(callId)
    if (!this.#ports.owners.owns(callId)) return
    this.#delivering++
    this.#ports.deliver(callId, (isMet) => {
      this.#delivering--
      if (!isMet) {
        const now = this.#ports.clock.now()
        this.#unmetUntil = now + 2 * limits.deadlineRetryMs
        this.#push(callId, now + limits.deadlineRetryMs)
      }
      this.#schedule()
    })
  }
}

function push(heap: Deadline[], deadline: Deadline): void {
  let at = heap.push(deadline) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if ((heap[parent] as Deadline).dueAt <= deadline.dueAt) break
    heap[at] = heap[parent] as Deadline
    at = parent
  }
  heap[at] = deadline
}

function pop(heap: Deadline[]): void {
  const moved = heap.pop()
  if (moved === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    let child = at * 2 + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && (heap[child + 1] as Deadline).dueAt < (heap[child] as Deadline).dueAt)
      child++
    if ((heap[child] as Deadline).dueAt >= moved.dueAt) break
    heap[at] = heap[child] as Deadline
    at = child
  }
  heap[at] = moved
}
