/**
 * One track on its line of time: packets by ascending sequence, each once, and what is missing in its place. A packet that is
 * missing is waited for, because packets overtake each other; what comes later than that is left to the analysis
 * after the call. Time is what the packets say of their receipt, so the same packets always give the same line. Pure.
 *
 *     arrives   0 1 3 4 2 7 8 …200 ms… 9
 *     goes on   0 1     2 3 4          [5 6] 7 8 9
 */
import type { Millis } from '../clock.js'

/** What the line is made into. */
export interface LineSink {
  received(samples: Uint8Array, at: Millis): void
  /** So many packets did not come. */
  missing(packets: number, at: Millis): void
}

interface HeldPacket {
  readonly samples: Uint8Array
  readonly at: Millis
}

export interface LineCounts {
  readonly received: number
  readonly missing: number
  /** Stretches of missing packets. */
  readonly bursts: number
  /** Packets that came after they had been given up. */
  readonly late: number
}

/** Longer than packets overtake each other on a network that carries calls. */
export const lateMsMax = 200
/** Of a second of linear audio at 48 kHz in two channels; a gap is given up where more waits behind it. */
const heldBytesMax = 192_000

export class TrackLine {
  readonly #sink: LineSink
  #next: number | null = null
  readonly #held = new Map<number, HeldPacket>()
  #heldBytes = 0
  /** The lowest number that waits behind the gap, and since when one does. */
  #waitsSince: Millis = 0
  #counts = { received: 0, missing: 0, bursts: 0, late: 0 }

  constructor(sink: LineSink) {
    this.#sink = sink
  }

  get counts(): LineCounts {
    return this.#counts
  }

  /** The sequence that comes next; null before the first packet. */
  get next(): number | null {
    return this.#next
  }

  /** `samples` are kept as they are until their turn. */
  take(sequence: number, samples: Uint8Array, at: Millis): void {
    this.#next ??= sequence
    if (sequence < this.#next || this.#held.has(sequence)) {
      this.#counts.late++
      return
    }
    if (sequence === this.#next) {
      this.#pass(samples, at)
      this.#passHeld(at)
      return
    }
    if (this.#held.size === 0) this.#waitsSince = at
    this.#held.set(sequence, { samples, at })
    this.#heldBytes += samples.length
    if (this.#heldBytes > heldBytesMax) this.#giveUp(at)
  }

  /** It is `now`, by the receipt of some packet of the call. */
  passTime(now: Millis): void {
    while (this.#held.size > 0 && now - this.#waitsSince >= lateMsMax) this.#giveUp(now)
  }

  /** The next packet goes on here, whatever its number: what lies between was received, and not looked at. */
  skip(): void {
    this.#next = null
    this.#held.clear()
    this.#heldBytes = 0
  }

  #giveUp(now: Millis): void {
    const next = this.#next ?? 0
    let lowest = Number.POSITIVE_INFINITY
    for (const sequence of this.#held.keys()) lowest = Math.min(lowest, sequence)
    this.#counts.missing += lowest - next
    this.#counts.bursts++
    this.#sink.missing(lowest - next, now)
    this.#next = lowest
    this.#passHeld(now)
  }

  #passHeld(now: Millis): void {
    for (let found = this.#takeHeld(); found !== undefined; found = this.#takeHeld())
      this.#pass(found.samples, Math.max(found.at, now))
    // Those that still wait stand behind another gap; the first of them to come began to wait there.
    this.#waitsSince = Number.POSITIVE_INFINITY
    for (const { at } of this.#held.values()) this.#waitsSince = Math.min(this.#waitsSince, at)
  }

  #takeHeld(): HeldPacket | undefined {
    const next = this.#next as number
    const found = this.#held.get(next)
    if (found === undefined) return undefined
    this.#held.delete(next)
    this.#heldBytes -= found.samples.length
    return found
  }

  #pass(samples: Uint8Array, at: Millis): void {
    this.#next = (this.#next as number) + 1
    this.#counts.received++
    this.#sink.received(samples, at)
  }
}
