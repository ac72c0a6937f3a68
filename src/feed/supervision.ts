/** Everything that supervisors see, put together: the feed, the floor, its history, and the picture to begin with. */

import type { LifecycleEvent } from '../actors/call-events.js'
import type { ArrivalFacts, BlockFacts } from '../actors/call-facts.js'
import type { CallRegistry } from '../actors/call-registry.js'
import type { Clock } from '../clock.js'
import { rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { Floor } from '../protocol/floor.js'
import type { CallReader } from '../store/journal.js'
import { CallSnapshots } from './call-snapshots.js'
import { EndedCalls } from './ended-calls.js'
import { EventFeed } from './event-feed.js'
import type { FanOutPorts } from './fan-out.js'
import { FloorHistory } from './floor-history.js'
import { FloorView } from './floor-view.js'
import { MediaProgress } from './media-progress.js'

/** The calls, as supervisors look at them. */
export type ObservedCalls = Pick<CallRegistry, 'mark' | 'observe'>

export interface SupervisionPorts extends FanOutPorts {
  readonly epoch: string
  readonly clock: Clock
  readonly reader: CallReader
  callsIn(state: CallState): number
  failed(error: unknown): void
}

const noCalls: ObservedCalls = {
  mark: 0,
  observe: (_callId, _row, _look, replyTo) => replyTo.answered(null),
}

export class Supervision {
  readonly feed: EventFeed
  readonly floor: FloorView
  readonly snapshots: CallSnapshots
  readonly #ports: SupervisionPorts
  readonly #history: FloorHistory
  readonly #progress: MediaProgress
  readonly #ended = new EndedCalls()
  /** The calls tell the feed, so they come after it. */
  #calls: ObservedCalls = noCalls

  constructor(ports: SupervisionPorts) {
    this.#ports = ports
    const { clock, reader } = ports
    const feed = new EventFeed(ports.epoch, ports)
    const position = () => feed.positionAt(feed.offset)
    const observe: ObservedCalls['observe'] = (...asked) => this.#calls.observe(...asked)
    const soon = (task: () => void) => ports.soon(task)
    this.feed = feed
    this.#progress = new MediaProgress({
      later: (delayMs, task) => ports.later(delayMs, task),
      publish: (event) => feed.publish(event),
    })
    this.#history = new FloorHistory({ clock, callsIn: (state) => ports.callsIn(state) })
    this.floor = new FloorView({
      clock,
      soon,
      later: (delayMs, task) => ports.later(delayMs, task),
      ended: this.#ended,
      observe,
      totals: () => this.#history.totals(),
      position,
    })
    this.snapshots = new CallSnapshots({
      reader,
      clock,
      mark: () => this.#calls.mark,
      observe,
      offset: () => feed.offset,
      positionAt: (offset) => feed.positionAt(offset),
      endedCalls: () => this.#ended.newestFirst(),
      rowSeen: (row) => this.floor.rowSeen(row),
      soon,
      failed: (error) => ports.failed(error),
    })
  }

  /** Before the first packet. What is shown first are the calls that ended last in the runs before. */
  async start(calls: ObservedCalls): Promise<void> {
    this.#calls = calls
    const ended = await this.#ports.reader.lastEnded(limits.endedCallsShownMax)
    for (const callId of ended.toReversed()) this.#ended.add(callId)
    this.#history.start()
  }

  stop(): void {
    this.#history.stop()
  }

  // --- told by the calls, in commit order -------------------------------------------------------------------------

  packet(facts: ArrivalFacts): void {
    this.#history.packet(facts)
    this.floor.changed(facts.callId)
    this.feed.publishPacket(facts)
  }

  block(facts: BlockFacts): void {
    this.#history.block(facts)
    this.floor.changed(facts.callId)
    this.#progress.add(facts)
  }

  event(event: LifecycleEvent): void {
    // Packets that came before the end of the call are told before it.
    if (event.event === 'state_changed') this.#progress.tell(event.call_id as CallId)
    if (event.event === 'state_changed') this.floor.stateChanged(event.call_id as CallId, event.to_state)
    this.feed.publish(event)
  }

  changed(callId: CallId): void {
    this.floor.changed(callId)
  }

  stateChanged(from: CallState | null, to: CallState, missingCount: number): void {
    this.#history.stateChanged(from, to, missingCount)
  }

  attemptEnded(outcome: 'succeeded' | 'failed'): void {
    this.#history.attemptEnded(outcome)
  }

  /** The call has been erased: nobody is told of it again, and the floor says that it is gone. */
  forget(callId: CallId): void {
    this.#progress.forget(callId)
    this.feed.forget(callId)
    this.snapshots.forget(callId)
    this.floor.forget(callId)
  }

  floorNow(): Floor {
    return {
      at: rfc3339(this.#ports.clock.now()),
      totals: this.#history.totals(),
      bucket_seconds: limits.floorBucketMs / 1000,
      history: [...this.#history.buckets()],
    }
  }
}
