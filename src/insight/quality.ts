/**
 * How well a call can be understood as it is received here, from its loss alone: the E-model of ITU-T G.107 with the values
 * of G.711 and concealment (G.113). Delay and echo are not known here, and the loss may be on the way to us only. Pure.
 */
import type { LineCounts } from './track-line.js'

export interface Quality {
  /** The share of the packets that did not come in time. */
  readonly loss: number
  /** 1: as if each packet were lost by chance; above: in bursts. */
  readonly burstRatio: number
  /** Mean opinion score, 1 … 4.5. */
  readonly mos: number
}

/** The rating without any impairment, G.107's default. */
const ratingMax = 93.2
/** The equipment's own impairment, and how well it takes loss. */
const impairment = 0
const robustness = 25.1

export function qualityOf(counts: readonly LineCounts[]): Quality {
  let [received, missing, bursts] = [0, 0, 0]
  for (const count of counts) {
    received += count.received
    missing += count.missing
    bursts += count.bursts
  }
  if (missing === 0) return { loss: 0, burstRatio: 1, mos: mosOf(0, 1) }
  const loss = missing / (received + missing)
  // By chance a burst is 1 / (1 − loss) packets long.
  const burstRatio = Math.max(1, (missing / bursts) * (1 - loss))
  return { loss, burstRatio, mos: mosOf(loss, burstRatio) }
}

export function mosOf(loss: number, burstRatio: number): number {
  const percent = loss * 100
  const effective = impairment + (95 - impairment) * (percent / (percent / burstRatio + robustness))
  const rating = Math.max(0, Math.min(100, ratingMax - effective))
  const score = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
  return Math.max(1, Math.min(4.5, score))
}
