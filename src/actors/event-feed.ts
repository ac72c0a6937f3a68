/**
 * Committed events → supervisors.
 *
 * Owns the order: every event gets the next offset, in commit order, whether anybody listens or not. A position is
 * the epoch (one run of the process) and that offset. An event is serialized once, however many listen, and not at
 * all when nobody does. Subscribers take the text at once and must not block: each has its own bounded queue (V7), so
 * a slow reader neither delays ingest nor grows memory.
 */
import { rfc3339 } from '../clock.js'
import type { SupervisorEvent } from '../protocol/event.js'
import type { ReceiptFacts } from './call-settlements.js'

/** Distributes over the union, so that each event keeps its own members. */
type Unplaced<Event> = Event extends unknown ? Omit<Event, 'position'> : never
export type UnplacedEvent = Unplaced<SupervisorEvent>
export type LifecycleEvent = Exclude<UnplacedEvent, { readonly event: `packet_${string}` }>

export interface FeedSubscriber {
  /** Takes one serialized event. */
  take(text: string): void
  /** Nothing more comes in this turn of the loop: a good moment to write it out. */
  flush(): void
}

export class EventFeed {
  readonly #epoch: string
  readonly #subscribers = new Set<FeedSubscriber>()
  readonly #soon: (task: () => void) => void
  #offset = 0
  #isFlushing = false

  /** `soon` runs a task at the end of this turn of the loop: the events of one commit are written out together. */
  constructor(epoch: string, soon: (task: () => void) => void) {
    this.#epoch = epoch
    this.#soon = soon
  }

  get subscriberCount(): number {
    return this.#subscribers.size
  }

  get offset(): number {
    return this.#offset
  }

  publish(event: LifecycleEvent): void {
    this.#offset++
    if (this.#subscribers.size > 0) this.#deliver(encodeEvent(event, this.#position()))
  }

  publishPacket(facts: ReceiptFacts): void {
    this.#offset++
    if (this.#subscribers.size > 0) this.#deliver(encodePacketEvent(facts, this.#position()))
  }

  #position(): string {
    return `${this.#epoch}.${this.#offset.toString(36)}`
  }

  #deliver(text: string): void {
    for (const subscriber of this.#subscribers) subscriber.take(text)
    if (this.#isFlushing) return
    this.#isFlushing = true
    this.#soon(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushing = false
    for (const subscriber of this.#subscribers) subscriber.flush()
  }

  /** The returned function ends the subscription. */
  subscribe(subscriber: FeedSubscriber): () => void {
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }
}

function encodeEvent({ event, ...members }: LifecycleEvent, position: string): string {
  return JSON.stringify({ event, position, ...members })
}

const packetEvents = {
  accepted: 'packet_received',
  duplicate: 'packet_duplicate',
  rejected: 'packet_rejected',
} as const satisfies Record<ReceiptFacts['status'], SupervisorEvent['event']>

/** Packet events are nearly all there are, and none of their members needs an escape. */
export function encodePacketEvent(facts: ReceiptFacts, position: string): string {
  const { status, callId, sequence, totalReceived, missingSequences, missingCount, receivedAt, state } = facts
  const missing = missingSequences.length === 0 ? '' : missingSequences.join(',')
  const end = status === 'rejected' ? `,"reason":"grace_period_over","state":"${state}"}` : '}'
  return `{"event":"${packetEvents[status]}","position":"${position}","at":"${rfc3339(receivedAt)}","call_id":"${callId}","sequence":${sequence},"total_received":${totalReceived},"missing_sequences":[${missing}],"missing_count":${missingCount}${end}`
}
