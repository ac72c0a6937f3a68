/**
 * What media streams bring, told at most twice a second for each track: their packets come fifty a second, and nobody
 * looks at each of them. What has come since the last telling is counted, and told together.
 */
import type { LifecycleEvent } from '../actors/call-events.js'
import type { BlockFacts } from '../actors/call-facts.js'
import { rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'

export interface MediaProgressPorts {
  later(delayMs: number, task: () => void): void
  publish(event: LifecycleEvent): void
}

interface Progress {
  first: number
  last: number
  count: number
  /** The last ones. */
  facts: BlockFacts
}

export class MediaProgress {
  readonly #ports: MediaProgressPorts
  /** By call, and then by track: as many as are streaming now. */
  #untold = new Map<CallId, Map<number, Progress>>()
  #isDue = false

  constructor(ports: MediaProgressPorts) {
    this.#ports = ports
  }

  add(facts: BlockFacts): void {
    if (facts.accepted === 0) return
    let tracks = this.#untold.get(facts.callId)
    if (tracks === undefined) {
      tracks = new Map()
      this.#untold.set(facts.callId, tracks)
    }
    const { track, first } = facts
    const last = first + facts.count - 1
    const progress = tracks.get(track)
    if (progress === undefined) tracks.set(track, { first, last, count: facts.accepted, facts })
    else {
      progress.first = Math.min(progress.first, first)
      progress.last = Math.max(progress.last, last)
      progress.count += facts.accepted
      progress.facts = facts
    }
    if (this.#isDue) return
    this.#isDue = true
    this.#ports.later(limits.mediaProgressMs, () => this.#tellAll())
  }

  /** What is untold of a call, before something that ends it. */
  tell(callId: CallId): void {
    const tracks = this.#untold.get(callId)
    if (tracks === undefined) return
    this.#untold.delete(callId)
    for (const progress of tracks.values()) this.#publish(progress)
  }

  forget(callId: CallId): void {
    this.#untold.delete(callId)
  }

  #tellAll(): void {
    this.#isDue = false
    const untold = this.#untold
    this.#untold = new Map()
    for (const tracks of untold.values()) for (const progress of tracks.values()) this.#publish(progress)
  }

  #publish({ first, last, count, facts }: Progress): void {
    const { callId, track, totalReceived, missingCount, receivedAt } = facts
    this.#ports.publish({
      event: 'packets_received',
      at: rfc3339(receivedAt),
      call_id: callId,
      track,
      first,
      last,
      count,
      total_received: totalReceived,
      missing_count: missingCount,
    })
  }
}
