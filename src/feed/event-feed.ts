/**
 * Committed events → supervisors.
 *
 * Owns the order: every event gets the next offset, in commit order, whether anybody listens or not. A position is
 * the epoch (one run of the process) and that offset. The last events are kept in a ring, which is also every
 * supervisor's queue: a supervisor is a cursor on it (`event-stream`). So resuming is reading from an older cursor, there
 * is no hand-over to what is live that could lose or repeat an event, and a slow reader costs no memory of its own (V7).
 * An event becomes a text when somebody reads it, once for all who read it at about the same time.
 */

import type { LifecycleEvent } from '../actors/call-events.js'
import type { ReceiptFacts } from '../actors/call-facts.js'
import { rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import { escapedCallId } from '../protocol/call-id.js'
import { EventRing, type HeldEvent, packetEvents } from './event-ring.js'
import { FanOut, type FanOutPorts, type Pumped } from './fan-out.js'
import { type Place, placeOf, positionOf } from './feed-position.js'

export class EventFeed {
  readonly #epoch: string
  readonly #ports: FanOutPorts
  readonly #readers: FanOut<Pumped>
  readonly #texts = new RecentTexts()
  readonly ring = new EventRing()
  #isSweepDue = false

  constructor(epoch: string, ports: FanOutPorts) {
    this.#epoch = epoch
    this.#ports = ports
    this.#readers = new FanOut(ports)
  }

  get readerCount(): number {
    return this.#readers.size
  }

  get offset(): number {
    return this.ring.head
  }

  publish(event: LifecycleEvent): void {
    this.ring.addLifecycle(event)
    if (this.#readers.size > 0) this.#readers.wake()
  }

  publishPacket(facts: ReceiptFacts): void {
    this.ring.addPacket(facts)
    if (this.#readers.size > 0) this.#readers.wake()
  }

  /** `reader` is pumped whenever there is something new; the returned function ends that. */
  add(reader: Pumped): () => void {
    return this.#readers.add(reader)
  }

  /** Somebody is behind without anything new: what was blocked is so no longer. */
  wake(): void {
    this.#readers.wake()
  }

  positionAt(offset: number): string {
    return positionOf(this.#epoch, offset)
  }

  placeOf(position: string): Place {
    return placeOf(this.#epoch, position)
  }

  /** The event as it is sent. Null when its call was forgotten. */
  textAt(offset: number): string | null {
    // A lone supervisor shares its text with nobody, and to keep it costs as much as to make it: it outlives its turn, and
    // the garbage collector copies it.
    const isShared = this.#readers.size > 1
    const known = isShared ? this.#texts.get(offset) : null
    if (known !== null) return known
    const held = this.ring.get(offset)
    if (held === null) return null
    const text = encodeHeld(held, this.positionAt(offset))
    if (isShared) this.#texts.add(offset, text)
    return text
  }

  /** Nobody who resumes or lags is told of this call again. Positions stay as they are. */
  forget(callId: string): void {
    this.ring.forget(callId)
    this.#texts.clear()
    if (this.#isSweepDue) return
    this.#isSweepDue = true
    this.#ports.later(limits.feedSweepMs, () => {
      this.#isSweepDue = false
      this.ring.sweep()
    })
  }
}

/**
 * Supervisors that keep up read the same events at about the same time. Slots by offset, not a map: to delete the oldest
 * entry of a map walks over all that were deleted before it, which cost 9 µs an event.
 */
class RecentTexts {
  readonly #offsets = new Float64Array(limits.feedTextsKept)
  readonly #texts: (string | null)[] = new Array(limits.feedTextsKept).fill(null)

  get(offset: number): string | null {
    const slot = offset % limits.feedTextsKept
    return this.#offsets[slot] === offset ? (this.#texts[slot] as string | null) : null
  }

  /** A long one is made again for each reader: there are few of them, and they would fill the memory. */
  add(offset: number, text: string): void {
    if (text.length > limits.feedTextCharactersMax) return
    const slot = offset % limits.feedTextsKept
    this.#offsets[slot] = offset
    this.#texts[slot] = text
  }

  clear(): void {
    this.#offsets.fill(0)
    this.#texts.fill(null)
  }
}

function encodeHeld(held: HeldEvent, position: string): string {
  if (held.kind === 'packet') return encodePacketEvent(held.facts, position)
  const { event, members } = held
  return `{"event":"${event}","position":"${position}",${members.slice(1)}`
}

/** Packet events are nearly all there are, and only the name of the call may need an escape. */
export function encodePacketEvent(facts: ReceiptFacts, position: string): string {
  const {
    status,
    callId,
    track,
    sequence,
    totalReceived,
    missingSequences,
    missingCount,
    receivedAt,
    state,
  } = facts
  const ofTrack = track === 0 ? '' : `,"track":${track}`
  const missing = missingSequences.length === 0 ? '' : missingSequences.join(',')
  const end = status === 'rejected' ? `,"reason":"grace_period_over","state":"${state}"}` : '}'
  return `{"event":"${packetEvents[status]}","position":"${position}","at":"${rfc3339(receivedAt)}","call_id":"${escapedCallId(callId)}"${ofTrack},"sequence":${sequence},"total_received":${totalReceived},"missing_sequences":[${missing}],"missing_count":${missingCount}${end}`
}
