/** A feed under test, with turns of the loop that a test ends by hand, and events for it. */
import type { LifecycleEvent } from '../../src/actors/call-events.js'
import type { ArrivalFacts } from '../../src/actors/call-facts.js'
import { EventFeed } from '../../src/feed/event-feed.js'
import type { EventFilter } from '../../src/feed/event-filter.js'
import { EventStream, type StreamStart } from '../../src/feed/event-stream.js'
import type { FeedMessage } from '../../src/protocol/feed.js'
import { callId } from './calls.js'
import { FakeClock } from './fake-clock.js'

export const packetFacts = (sequence: number, facts: Partial<ArrivalFacts> = {}): ArrivalFacts => ({
  status: 'accepted',
  callId: callId('c1'),
  track: 0,
  sequence,
  totalReceived: sequence + 1,
  missingSequences: [],
  missingCount: 0,
  receivedAt: Date.UTC(2026, 0, 1),
  state: 'IN_PROGRESS',
  isLate: false,
  skippedCount: 0,
  ...facts,
})

export const stateChange: LifecycleEvent = {
  event: 'state_changed',
  at: '2026-01-01T00:00:00.000Z',
  call_id: 'c1',
  from_state: 'IN_PROGRESS',
  to_state: 'COMPLETED',
  reason: 'completed',
}

/** Tasks that wait for the end of the turn. */
export class Turn {
  #tasks: (() => void)[] = []

  readonly ports = {
    soon: (task: () => void) => void this.#tasks.push(task),
    later: (_: number, task: () => void) => void this.#tasks.push(task),
  }

  get taskCount(): number {
    return this.#tasks.length
  }

  /** Runs what waits, and what that sets off. */
  end(): void {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) task()
  }
}

export class FeedOnTrial {
  readonly turn = new Turn()
  readonly clock = new FakeClock(Date.UTC(2026, 0, 1))
  readonly feed: EventFeed

  constructor(epoch = 'epoch') {
    this.feed = new EventFeed(epoch, this.turn.ports)
  }

  packets(count: number, facts: Partial<ArrivalFacts> = {}): void {
    for (let i = 0; i < count; i++) this.feed.publishPacket(packetFacts(this.feed.offset, facts))
  }

  stream(start: StreamStart, filter?: EventFilter, hasRoom?: () => void): EventStream {
    return new EventStream(this.feed, this.clock, start, filter, hasRoom)
  }
}

/** Everything that the stream tells now. */
export function drain(stream: { next(): string | null; readonly hasMore: boolean }): FeedMessage[] {
  const messages: FeedMessage[] = []
  for (;;) {
    const text = stream.next()
    if (text !== null) messages.push(JSON.parse(text))
    else if (!stream.hasMore) return messages
  }
}
