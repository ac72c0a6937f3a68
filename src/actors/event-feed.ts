/**
 * Committed events → supervisors.
 *
 * Owns the order: every event gets the next offset, in commit order, whether anybody listens or not. A position is
 * the epoch (one run of the process) and that offset. An event is serialized once, however many listen, and not at
 * all when nobody does. Subscribers take the text at once and must not block: each has its own bounded queue (V7), so
 * a slow reader neither delays ingest nor grows memory.
 */
import type { SupervisorEvent } from '../protocol/event.js'

/** Distributes over the union, so that each event keeps its own members. */
type Unplaced<Event> = Event extends unknown ? Omit<Event, 'position'> : never
export type UnplacedEvent = Unplaced<SupervisorEvent>

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

  publish(event: UnplacedEvent): void {
    this.#offset++
    if (this.#subscribers.size === 0) return
    const text = encodeEvent(event, `${this.#epoch}.${this.#offset.toString(36)}`)
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

/** Packet events are nearly all there are, and none of their members needs an escape. */
export function encodeEvent(event: UnplacedEvent, position: string): string {
  if (event.event !== 'packet_received' && event.event !== 'packet_duplicate') {
    const { event: name, ...members } = event
    return JSON.stringify({ event: name, position, ...members })
  }
  const { at, call_id, sequence, total_received, missing_sequences, missing_count } = event
  return `{"event":"${event.event}","position":"${position}","at":"${at}","call_id":"${call_id}","sequence":${sequence},"total_received":${total_received},"missing_sequences":[${missing_sequences.join(',')}],"missing_count":${missing_count}}`
}
