/**
 * What the network does to a call: which packets are lost, reordered, sent twice, or late. Pure and seeded: the same
 * seed, call index and rates give the same plan, whatever the service or the other calls do.
 *
 * A packet has one fate of lost, late, reordered or in time; being sent twice is drawn apart.
 */
import assert from 'node:assert/strict'
import { seededRandom } from '../random.js'
import { displacementMax } from './limits.js'

/** Each in percent of a call's packets; `loss + late + reorder` is at most 100. */
export interface ImpairmentRates {
  readonly loss: number
  readonly reorder: number
  readonly duplicate: number
  readonly late: number
}

export interface CallPlan {
  /** The sequences sent before the completion, in the order of sending; a duplicate appears twice. */
  readonly live: Uint32Array
  /** When each of `live` is due, in packet times since the call's start; never falls. */
  readonly dueTicks: Float32Array
  /** The sequences sent after the completion, in the order of sending. */
  readonly late: Uint32Array
  /** The sequences never sent, ascending. */
  readonly lost: Uint32Array
}

interface PlannedSend {
  readonly sequence: number
  readonly dueTick: number
}

/** Plans a call of the sequences 0 … packetCount − 1. */
export function planCall(request: {
  seed: number
  callIndex: number
  packetCount: number
  rates: ImpairmentRates
}): CallPlan {
  const { seed, callIndex, packetCount, rates } = request
  assert(packetCount >= 1)
  assert(rates.loss + rates.late + rates.reorder <= 100)
  const random = seededRandom(seed ^ Math.imul(callIndex + 1, 0x9e3779b9))
  const displace = () => 1 + Math.floor(random() * displacementMax)
  const live: PlannedSend[] = []
  const late: number[] = []
  const lateAgain: number[] = []
  const lost: number[] = []
  drawFates({ packetCount, rates, random }).forEach((fate, sequence) => {
    const isTwice = random() * 100 < rates.duplicate
    if (fate === 'lost') lost.push(sequence)
    else if (fate === 'late') {
      late.push(sequence)
      if (isTwice) lateAgain.push(sequence)
    } else {
      // The fractions put a held-back packet after the one in its new place, and a repetition after its original.
      const dueTick = sequence + (fate === 'reordered' ? displace() + 0.5 : 0)
      live.push({ sequence, dueTick })
      if (isTwice) live.push({ sequence, dueTick: dueTick + displace() + 0.25 })
    }
  })
  live.sort((a, b) => a.dueTick - b.dueTick)
  return {
    live: Uint32Array.from(live, ({ sequence }) => sequence),
    dueTicks: Float32Array.from(live, ({ dueTick }) => dueTick),
    late: Uint32Array.from([...late, ...lateAgain]),
    lost: Uint32Array.from(lost),
  }
}

type Fate = 'lost' | 'late' | 'reordered' | 'in time'

function drawFates(request: { packetCount: number; rates: ImpairmentRates; random: () => number }): Fate[] {
  const { packetCount, rates, random } = request
  const fates = Array.from({ length: packetCount }, (): Fate => {
    const drawn = random() * 100
    if (drawn < rates.loss) return 'lost'
    if (drawn < rates.loss + rates.late) return 'late'
    return drawn < rates.loss + rates.late + rates.reorder ? 'reordered' : 'in time'
  })
  // The service learns of a call by its first packet, so one must arrive before the completion, whatever the rates.
  if (!fates.some((fate) => fate === 'reordered' || fate === 'in time'))
    fates[Math.floor(random() * packetCount)] = 'in time'
  return fates
}
