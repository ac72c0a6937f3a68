/** A call over the native protocol: what it sends, and what the service must have of it. */
import type { Buffer } from 'node:buffer'
import type { CallTruth, Difference } from '../account.js'
import { packetMs } from '../limits.js'
import { callIdOf, type SimulateOptions } from '../options.js'
import { type Parties, partiesOf } from '../parties.js'
import type { CallCounts, Playing, SimulatedCall } from '../simulated-call.js'
import { PlacedPackets } from './placed-packets.js'
import { planSockets, type StreamPlan } from './stream-plan.js'

export class NativeCall implements SimulatedCall {
  readonly callId: string
  readonly parties: Parties
  readonly plan: StreamPlan
  readonly differences: Difference[] = []
  playing: Playing = { kind: 'playing' }
  sent = 0
  /** Trunks that carry it, and those of them that break. */
  trunks = 0
  breaks = 0
  readonly #account = new PlacedPackets()

  constructor(callId: string, parties: Parties, plan: StreamPlan, packets: readonly Buffer[]) {
    this.callId = callId
    this.parties = parties
    this.plan = plan
    this.#account.place(
      0,
      packets.map((bytes, index) => (plan.lost[0]?.has(index) ? undefined : bytes)),
      true,
    )
  }

  get counts(): CallCounts {
    const { storedCount, missingCount } = this.#account
    const accepted = Math.min(this.sent, storedCount)
    return {
      sent: this.sent,
      accepted,
      duplicate: this.sent - accepted,
      late: 0,
      missing: missingCount,
      rejected: 0,
      unansweredTries: 0,
    }
  }

  /** The service has acknowledged all before it closed the stream. */
  isSettled(): boolean {
    return true
  }

  truthOf(): CallTruth {
    const account = this.#account
    const repeated = (this.trunks - 1) * account.storedCount
    return {
      tracks: [{ track: 0, account, isTotalSaid: true, expectedPacket: account.expectedPacket }],
      // What was not acknowledged when a connection broke may have arrived.
      duplicates: { least: repeated, most: repeated + this.breaks * account.storedCount },
      misplaced: [],
    }
  }
}

export function createNativeCall(
  options: SimulateOptions,
  packets: readonly Buffer[],
  callIndex: number,
): NativeCall {
  const { seed, prefix, callCount, rates } = options
  const track = { packetMs, packetCount: packets.length }
  const [[[plan] = []] = []] = planSockets({
    seed,
    callIndex,
    faults: { loss: rates.loss, double: 0, drop: 0 },
    senders: [{ tracks: [track] }],
  })
  if (plan === undefined) throw new RangeError('a call has a stream')
  return new NativeCall(callIdOf(prefix, callIndex, callCount), partiesOf(callIndex), plan, packets)
}
