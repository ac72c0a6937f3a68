/**
 * The event stream of one supervisor: a cursor on the feed's ring, and the messages between the events.
 *
 * The parts of a snapshot lie at the place of the stream at which their rows were true, and are told there, so what a
 * client applies in order is right. It knows no socket: whoever writes asks `next` while there is room.
 */
import assert from 'node:assert/strict'
import type { Clock } from '../clock.js'
import { limits } from '../limits.js'
import type { ResetReason } from '../protocol/feed.js'
import type { EventFeed } from './event-feed.js'
import { admitsCall, type EventFilter, everything } from './event-filter.js'
import { noticeText, resetText, snapshotText } from './feed-messages.js'
import type { ScanPlace } from './snapshot-calls.js'
import { type SnapshotPart, SnapshotQueue, type SnapshotReader } from './snapshot-part.js'
import type { SupervisorStream } from './supervisor-stream.js'

export type StreamStart =
  /** As it always was: events from now on, and nothing else. */
  | { readonly kind: 'plain' }
  | { readonly kind: 'now' }
  | { readonly kind: 'after'; readonly offset: number }
  | { readonly kind: 'reset'; readonly reason: ResetReason }

/** Where a client that asked for `since` begins. */
export function startOf(feed: EventFeed, since: string): StreamStart {
  if (since === '') return { kind: 'now' }
  if (since === 'snapshot') return { kind: 'reset', reason: 'requested' }
  const place = feed.placeOf(since)
  if (place.kind !== 'offset') return { kind: 'reset', reason: place.kind }
  if (place.offset > feed.ring.head) return { kind: 'reset', reason: 'future' }
  if (place.offset < feed.ring.evictedThrough) return { kind: 'reset', reason: 'evicted' }
  return { kind: 'after', offset: place.offset }
}

export class EventStream implements SupervisorStream, SnapshotReader {
  readonly #feed: EventFeed
  readonly #clock: Clock
  readonly #filter: EventFilter
  readonly #isPlain: boolean
  /** Everything through this offset was told or left out by the filter. */
  #cursor: number
  /** The first message, until it is told. */
  #first: string | null = null
  readonly #snapshot: SnapshotQueue
  #awaitsSnapshot = false
  #isLive: boolean

  /** `hasRoom` is called when there is room for more of a snapshot. */
  constructor(
    feed: EventFeed,
    clock: Clock,
    start: StreamStart,
    filter: EventFilter = everything,
    hasRoom = () => {},
  ) {
    this.#snapshot = new SnapshotQueue(hasRoom)
    this.#feed = feed
    this.#clock = clock
    this.#filter = filter
    this.#cursor = start.kind === 'after' ? start.offset : feed.ring.head
    this.#isPlain = start.kind === 'plain'
    this.#isLive = this.#isPlain
    if (start.kind === 'reset') {
      this.#awaitsSnapshot = true
      this.#first = resetText(start.reason, this.position, clock.now())
    } else if (!this.#isPlain) this.#first = noticeText('hello', this.position, clock.now())
  }

  get position(): string {
    return this.#feed.positionAt(this.#cursor)
  }

  /** The next event is no longer held: the reader has lost its place. */
  get isEvicted(): boolean {
    return this.#cursor < this.#feed.ring.evictedThrough
  }

  get hasMore(): boolean {
    return this.#first !== null || this.#cursor < this.#feed.ring.head || this.#snapshot.hasMore
  }

  /** About so many bytes wait for this reader. */
  get lagBytes(): number {
    return this.#snapshot.bytes + this.#feed.ring.weightAfter(this.#cursor)
  }

  get queuedSnapshotBytes(): number {
    return this.#snapshot.bytes
  }

  addPart(part: SnapshotPart): void {
    this.#snapshot.add(part, part.after)
  }

  cutSnapshot(): ScanPlace | null {
    return this.#snapshot.cut()
  }

  /** The next message, or null when there is none now; `hasMore` tells whether to ask again. */
  next(): string | null {
    if (this.#first !== null) {
      const first = this.#first
      this.#first = null
      return first
    }
    this.#snapshot.resume()
    const after = this.#snapshot.first?.after
    if (after !== undefined && after <= this.#cursor) return this.#nextPart()
    const text = this.#nextEvent(after ?? this.#feed.ring.head)
    if (text !== null || this.#isLive || this.#awaitsSnapshot || this.hasMore) return text
    this.#isLive = true
    return noticeText('live', this.position, this.#clock.now())
  }

  #nextPart(): string {
    const part = this.#snapshot.take()
    if (part.isLast) this.#awaitsSnapshot = false
    const { calls, states } = this.#filter
    if (calls === null && states === null) return part.text
    const rows = part.rows.filter(({ callId, state }) => admitsCall(this.#filter, callId, state))
    return snapshotText(rows, part.isLast, this.position, this.#clock.now())
  }

  /** A filter may leave out a lot: only so many at a time, so that nobody holds the loop. */
  #nextEvent(through: number): string | null {
    const { ring } = this.#feed
    assert(!this.isEvicted, 'who has lost its place is told nothing more')
    const last = Math.min(through, this.#cursor + limits.feedScanMax)
    while (this.#cursor < last) {
      this.#cursor++
      if (this.#filter !== everything && !ring.admits(this.#filter, this.#cursor)) continue
      const text = this.#feed.textAt(this.#cursor)
      if (text !== null) return text
    }
    return null
  }

  /** While its socket takes nothing: what the filter leaves out is no lag. */
  skip(): void {
    if (this.#filter === everything || this.#first !== null || this.isEvicted) return
    const { ring } = this.#feed
    const through = Math.min(
      this.#snapshot.first?.after ?? ring.head,
      ring.head,
      this.#cursor + limits.feedScanMax,
    )
    while (this.#cursor < through && !ring.admits(this.#filter, this.#cursor + 1)) this.#cursor++
  }

  /** Null for a client that knows none. */
  heartbeat(): string | null {
    return this.#isPlain ? null : noticeText('heartbeat', this.position, this.#clock.now())
  }
}
