/**
 * What comes of a leg before its call has given it a place: kept as copies, in order and up to a bound, until the leg has its numbers.
 * Audio that numbers itself is missing by itself. Of audio on a grid that does not fit, as many numbers are left out, or the loss would not be seen.
 */
import { limits } from '../limits.js'
import type { MediaEvent } from './dialect.js'

/** Bytes that all legs hold together. */
export interface HeldBytes {
  bytes: number
}

/** About what an event without audio costs. */
const eventBytes = 64

export class EarlyEvents {
  readonly #held: HeldBytes
  readonly #bytesMax: number
  readonly #packetBytes: number | null
  #events: MediaEvent[] = []
  #bytes = 0

  /** `packetBytes`: of the grid on which audio without a number is cut. */
  constructor(held: HeldBytes, bytesMax: number, packetBytes: number | null) {
    this.#held = held
    this.#bytesMax = bytesMax
    this.#packetBytes = packetBytes
  }

  /** How many packets there was no room for, and whether their numbers are left out here. */
  add(event: MediaEvent): { readonly shed: number; readonly isTold: boolean } {
    const bytes = event.type === 'audio' ? event.data.length : eventBytes
    if (!this.#hasRoom(bytes)) return event.type === 'audio' ? this.#skip(event) : kept
    this.#bytes += bytes
    this.#held.bytes += bytes
    this.#events.push(event.type === 'audio' ? { ...event, data: Uint8Array.from(event.data) } : event)
    return kept
  }

  take(): readonly MediaEvent[] {
    const events = this.#events
    this.#events = []
    this.#held.bytes -= this.#bytes
    this.#bytes = 0
    return events
  }

  #hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#bytesMax && this.#held.bytes + bytes <= limits.mediaUnsettledBytesMax
  }

  #skip({ track, index, data }: Extract<MediaEvent, { type: 'audio' }>) {
    if (index !== null || this.#packetBytes === null) return { shed: 1, isTold: false }
    const shed = Math.max(1, Math.round(data.length / this.#packetBytes))
    const last = this.#events.at(-1)
    // One for all that is lost in a row: they need no room.
    if (last?.type === 'skipped' && last.why === 'shed' && last.track === track)
      this.#events[this.#events.length - 1] = { ...last, packets: last.packets + shed }
    else this.#events.push({ type: 'skipped', track, packets: shed, why: 'shed' })
    return { shed, isTold: true }
  }
}

const kept = { shed: 0, isTold: false }
