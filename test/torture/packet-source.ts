/**
 * What the simulated PBX sends next: packets of many calls, interleaved; some numbers left out, some of those sent late,
 * some sent twice, some sent again with other content. The content follows from call, number and variant, so that a
 * packet can be sent again without being kept.
 */
import type { Random } from './random.js'

export interface PlannedPacket {
  readonly call: string
  readonly sequence: number
  readonly data: string
  readonly timestamp: number
}

export interface PlannedCompletion {
  readonly call: string
  readonly totalPackets: number
}

export type Planned =
  | { readonly kind: 'packet'; readonly packet: PlannedPacket }
  | { readonly kind: 'completion'; readonly completion: PlannedCompletion }

export interface SourceOptions {
  /** Calls open at a time. */
  readonly calls: number
  /** A call that has had so many numbers gives way to a new one; null: it never does. */
  readonly packetsPerCall: number | null
  /** Complete a call before it gives way. */
  readonly completes: boolean
  readonly dataBytes: number
  /** Shares of the packets: left out (half of them come late), sent again, sent again with other content. */
  readonly skipShare: number
  readonly resendShare: number
  readonly conflictShare: number
  /** In front of every call id: runs on one database must not meet. */
  readonly prefix: string
}

interface OpenCall {
  readonly id: string
  next: number
  readonly late: number[]
}

const recentMax = 32

export class PacketSource {
  readonly #options: SourceOptions
  readonly #random: Random
  readonly #open: OpenCall[] = []
  readonly #recent: { call: string; sequence: number }[] = []
  #begun = 0

  constructor(options: SourceOptions, random: Random) {
    this.#options = options
    this.#random = random
    for (let i = 0; i < options.calls; i++) this.#open.push(this.#newCall())
  }

  next(): Planned {
    const { resendShare, conflictShare } = this.#options
    if (this.#recent.length > 0 && this.#random.chance(resendShare + conflictShare)) {
      const { call, sequence } = this.#random.pick(this.#recent)
      const variant = this.#random.chance(conflictShare / (resendShare + conflictShare)) ? 1 : 0
      return { kind: 'packet', packet: this.packet(call, sequence, variant) }
    }
    const at = this.#random.integer(0, this.#open.length - 1)
    const call = this.#open[at] as OpenCall
    const { packetsPerCall, completes } = this.#options
    if (packetsPerCall !== null && call.next >= packetsPerCall) {
      this.#open[at] = this.#newCall()
      if (completes)
        return { kind: 'completion', completion: { call: call.id, totalPackets: packetsPerCall } }
      return this.next()
    }
    return { kind: 'packet', packet: this.#nextOf(call) }
  }

  /** What completes the calls that have begun and are still open. */
  completions(): readonly PlannedCompletion[] {
    const begun = this.#open.filter(({ next }) => next > 0)
    return begun.map(({ id, next }) => ({ call: id, totalPackets: next }))
  }

  packet(call: string, sequence: number, variant: number): PlannedPacket {
    const head = `${call}/${sequence}/${variant}:`
    const data = head.padEnd(this.#options.dataBytes, `${sequence % 10}`)
    return { call, sequence, data, timestamp: 1_700_000_000 + sequence / 50 }
  }

  #nextOf(call: OpenCall): PlannedPacket {
    const late = call.late.length > 0 && this.#random.chance(0.1) ? call.late.shift() : undefined
    const sequence = late ?? this.#skipTo(call)
    this.#recent.push({ call: call.id, sequence })
    if (this.#recent.length > recentMax) this.#recent.shift()
    return this.packet(call.id, sequence, 0)
  }

  /** The first number of a call is never left out: a call begins with a packet. */
  #skipTo(call: OpenCall): number {
    while (call.next > 0 && this.#random.chance(this.#options.skipShare)) {
      if (this.#random.chance(0.5)) call.late.push(call.next)
      call.next++
    }
    return call.next++
  }

  #newCall(): OpenCall {
    return { id: `${this.#options.prefix}${this.#begun++}`, next: 0, late: [] }
  }
}
