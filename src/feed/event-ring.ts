/**
 * The last events, by offset: what supervisors that reconnect or lag are told from.
 *
 * Columns instead of objects: a packet's event is a few numbers, its call id (one text a call) and its list of missing
 * numbers (in chunks of their own), so that adding one allocates nothing and costs the packet about 20 ns. A text is made
 * of it when somebody reads it. All other events are seldom, and may be long: each is held as its text. Bounded by slots
 * and by weight, which is about the bytes that an event holds in memory or is sent as, whichever is more.
 *
 *     evictedThrough ◀── held ──▶ head          slot = offset mod slots
 */
import assert from 'node:assert/strict'
import type { LifecycleEvent } from '../actors/call-events.js'
import type { ReceiptFacts } from '../actors/call-facts.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import { callStates } from '../protocol/call-states.js'
import type { SupervisorEvent } from '../protocol/event.js'
import type { EventFilter } from './event-filter.js'
import { NumberQueue } from './number-queue.js'

interface HeldText {
  readonly event: LifecycleEvent['event']
  /** Its other members but for the position, as JSON. */
  readonly members: string
  /** States by which it is admitted; null for one that everybody is told. */
  readonly states: readonly CallState[] | null
}

export type HeldEvent =
  | { readonly kind: 'packet'; readonly facts: ReceiptFacts }
  | ({ readonly kind: 'lifecycle' } & HeldText)

const statuses = ['accepted', 'duplicate', 'rejected'] as const
export const packetEvents = {
  accepted: 'packet_received',
  duplicate: 'packet_duplicate',
  rejected: 'packet_rejected',
} as const satisfies Record<ReceiptFacts['status'], SupervisorEvent['event']>

/** A slot's kind: the status of a packet, or one of these. */
const lifecycle = 3
const forgotten = 4
const statusCodes = { accepted: 0, duplicate: 1, rejected: 2 } as const
const stateCodes = Object.fromEntries(callStates.map((state, code) => [state, code])) as Record<
  CallState,
  number
>
const none: readonly number[] = []
const baseWeight = 256
const listedWeight = 8

export class EventRing {
  readonly #mask: number
  readonly #weightMax: number
  readonly #kinds: Uint8Array
  readonly #states: Uint8Array
  readonly #tracks: Uint8Array
  readonly #sequences: Int32Array
  readonly #totals: Uint32Array
  readonly #missing: Uint32Array
  readonly #times: Float64Array
  /** The weight of all events through this one. */
  readonly #weights: Float64Array
  readonly #callIds: (string | null)[]
  /** Events other than those of packets. */
  readonly #texts: (HeldText | null)[]
  readonly #lists = new NumberQueue()
  /** Where a packet's missing numbers are, and how many of them. */
  readonly #listPlaces: Float64Array
  readonly #listCounts: Uint32Array
  /** Forgotten since the last sweep, each through this offset. */
  readonly #forgotten = new Map<string, number>()
  #head = 0
  #evictedThrough = 0
  #weight = 0
  #evictedWeight = 0

  constructor(slots: number = limits.feedSlots, weightMax: number = limits.feedBytesMax) {
    assert((slots & (slots - 1)) === 0, 'the slots are a power of two')
    this.#mask = slots - 1
    this.#weightMax = weightMax
    this.#kinds = new Uint8Array(slots)
    this.#states = new Uint8Array(slots)
    this.#tracks = new Uint8Array(slots)
    this.#sequences = new Int32Array(slots)
    this.#totals = new Uint32Array(slots)
    this.#missing = new Uint32Array(slots)
    this.#times = new Float64Array(slots)
    this.#weights = new Float64Array(slots)
    this.#callIds = new Array<string | null>(slots).fill(null)
    this.#texts = new Array<HeldText | null>(slots).fill(null)
    this.#listPlaces = new Float64Array(slots)
    this.#listCounts = new Uint32Array(slots)
  }

  /** The offset of the newest event; 0 before the first. */
  get head(): number {
    return this.#head
  }

  /** Events through this offset are no longer held. */
  get evictedThrough(): number {
    return this.#evictedThrough
  }

  addPacket(facts: ReceiptFacts): void {
    const { missingSequences } = facts
    const listed = missingSequences.length
    const slot = this.#take(baseWeight + listedWeight * listed)
    this.#kinds[slot] = statusCodes[facts.status]
    this.#states[slot] = stateCodes[facts.state]
    this.#tracks[slot] = facts.track
    this.#sequences[slot] = facts.sequence
    this.#totals[slot] = facts.totalReceived
    this.#missing[slot] = facts.missingCount
    this.#times[slot] = facts.receivedAt
    this.#callIds[slot] = facts.callId
    this.#listCounts[slot] = listed
    if (listed > 0) this.#listPlaces[slot] = this.#lists.add(missingSequences)
  }

  addLifecycle(event: LifecycleEvent): void {
    const held = heldText(event)
    const slot = this.#take(baseWeight + heapBytes(held.members))
    this.#kinds[slot] = lifecycle
    this.#callIds[slot] = event.call_id
    this.#texts[slot] = held
    this.#listCounts[slot] = 0
  }

  #take(weight: number): number {
    this.#head++
    this.#weight += weight
    const slot = this.#head & this.#mask
    if (this.#head - this.#evictedThrough > this.#mask + 1) this.#evict()
    this.#weights[slot] = this.#weight
    while (this.#weight - this.#evictedWeight > this.#weightMax && this.#evictedThrough < this.#head - 1)
      this.#evict()
    return slot
  }

  #evict(): void {
    const slot = ++this.#evictedThrough & this.#mask
    this.#evictedWeight = this.#weights[slot] as number
    this.#callIds[slot] = null
    this.#texts[slot] = null
    if ((this.#listCounts[slot] as number) > 0) this.#lists.releaseBefore(this.#listPlaces[slot] as number)
  }

  /** About so many bytes of events come after this offset. */
  weightAfter(offset: number): number {
    return this.#weight - (offset <= this.#evictedThrough ? this.#evictedWeight : this.#weightThrough(offset))
  }

  #weightThrough(offset: number): number {
    return this.#weights[offset & this.#mask] as number
  }

  /** Null for an event of a call that was forgotten. */
  get(offset: number): HeldEvent | null {
    assert(offset > this.#evictedThrough && offset <= this.#head, 'the event is held')
    const slot = offset & this.#mask
    if (this.#isHole(offset, slot)) return null
    const kind = this.#kinds[slot] as number
    if (kind === lifecycle) return { kind: 'lifecycle', ...(this.#texts[slot] as HeldText) }
    return {
      kind: 'packet',
      facts: {
        status: statuses[kind] as ReceiptFacts['status'],
        callId: this.#callIds[slot] as CallId,
        track: this.#tracks[slot] as number,
        sequence: this.#sequences[slot] as number,
        totalReceived: this.#totals[slot] as number,
        missingSequences: this.#listAt(slot),
        missingCount: this.#missing[slot] as number,
        receivedAt: this.#times[slot] as number,
        state: callStates[this.#states[slot] as number] as CallState,
      },
    }
  }

  #listAt(slot: number): readonly number[] {
    const count = this.#listCounts[slot] as number
    return count === 0 ? none : this.#lists.read(this.#listPlaces[slot] as number, count)
  }

  admits({ calls, events, states }: EventFilter, offset: number): boolean {
    const slot = offset & this.#mask
    if (this.#isHole(offset, slot)) return false
    const kind = this.#kinds[slot] as number
    if (calls !== null && !calls.has(this.#callIds[slot] as string)) return false
    if (kind === lifecycle) return admitsText(events, states, this.#texts[slot] as HeldText)
    if (events !== null && !events.has(packetEvents[statuses[kind] as ReceiptFacts['status']])) return false
    return states === null || states.has(callStates[this.#states[slot] as number] as CallState)
  }

  /** Leaves a hole for each event that the call has had; offsets stay as they are. What lies in it goes with the next `sweep`. */
  forget(callId: string): void {
    this.#forgotten.set(callId, this.#head)
    if (this.#forgotten.size >= limits.feedForgottenMax) this.sweep()
  }

  /** Empties the holes of all calls that were forgotten, in one walk. */
  sweep(): void {
    for (let offset = this.#evictedThrough + 1; offset <= this.#head; offset++) {
      const slot = offset & this.#mask
      if (!this.#isHole(offset, slot)) continue
      this.#kinds[slot] = forgotten
      this.#callIds[slot] = null
      this.#texts[slot] = null
    }
    this.#forgotten.clear()
  }

  #isHole(offset: number, slot: number): boolean {
    if (this.#kinds[slot] === forgotten) return true
    if (this.#forgotten.size === 0) return false
    // A call of the same name that came later is another one.
    return offset <= (this.#forgotten.get(this.#callIds[slot] as string) ?? 0)
  }
}

function heldText(event: LifecycleEvent): HeldText {
  const { event: name, ...members } = event
  return { event: name, members: JSON.stringify(members), states: statesOf(event) }
}

/** V8 holds a text in one byte a character where it can. */
function heapBytes(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: every character of one byte.
  return /^[\u0000-\u00ff]*$/.test(text) ? text.length : 2 * text.length
}

function admitsText(
  events: EventFilter['events'],
  wanted: EventFilter['states'],
  { event, states }: HeldText,
): boolean {
  if (events !== null && !events.has(event)) return false
  return wanted === null || states === null || states.some((state) => wanted.has(state))
}

function statesOf(event: LifecycleEvent): HeldText['states'] {
  switch (event.event) {
    case 'state_changed':
      return [event.from_state, event.to_state]
    case 'ai_completed':
      return ['ARCHIVED']
    case 'ai_failed':
      return ['FAILED']
    case 'ai_attempt_failed':
      return ['PROCESSING_AI']
    case 'alert_raised':
    case 'alert_cleared':
      return ['IN_PROGRESS', 'COMPLETED']
    case 'alert_acknowledged':
      return null
    // A call may be described as long as it takes packets.
    case 'call_started':
      return ['IN_PROGRESS', 'COMPLETED']
    case 'packets_received':
      return ['IN_PROGRESS', 'COMPLETED']
    // Whatever its state was: who shows the call must take it away.
    case 'call_deleted':
      return null
  }
}
