/**
 * What happens to the sockets of a call: which packets are lost, whether a socket comes twice, and whether it breaks. Pure and
 * seeded, as `impairment`: the same seed gives the same plan.
 */
import { seededRandom } from '../../random.js'
import type { SentTrack } from '../dialects/sender.js'

export interface StreamFaults {
  /** Of packets, in percent. */
  readonly loss: number
  /** Of sockets, in percent. */
  readonly double: number
  readonly drop: number
}

/** One socket. */
export interface StreamPlan {
  /** Packets that are never sent, for each track: of its packets by their index in this stream. */
  readonly lost: readonly ReadonlySet<number>[]
  readonly beginsAtMs: number
  /** On the same line of time; null for one that ends as it should. */
  readonly breaksAtMs: number | null
  /** Packets that it sends, and those that are lost on the way. */
  readonly sentCount: number
  readonly lostCount: number
}

/** A socket, and the one that comes in its place after it broke. */
export type SocketPlan = readonly StreamPlan[]

/** So that every platform's packets divide it. */
export const stepMs = 200
/** What is said while nobody listens. */
export const awaySteps = 2
const brokenStepsMin = 8

export interface PlannedTrack extends Pick<SentTrack, 'packetMs'> {
  readonly packetCount: number
}

/** The sockets of a call at once: one for each of `senders`, and those that come twice. */
export function planSockets(request: {
  seed: number
  callIndex: number
  faults: StreamFaults
  senders: readonly { readonly tracks: readonly PlannedTrack[] }[]
}): readonly (readonly SocketPlan[])[] {
  const { seed, callIndex, faults, senders } = request
  const random = seededRandom(seed ^ Math.imul(callIndex + 1, 0x9e3779b9))
  const happens = (percent: number) => random() * 100 < percent
  return senders.map(({ tracks }) => {
    const sockets = happens(faults.double) ? 2 : 1
    return Array.from({ length: sockets }, () => {
      const steps = Math.min(...tracks.map(stepsOf))
      const breaksAt = happens(faults.drop) && steps >= brokenStepsMin ? breakStep(steps, random) : null
      const begins = breaksAt === null ? [0] : [0, breaksAt + awaySteps]
      return begins.map((step, place) =>
        planStream(tracks, step * stepMs, place === 0 && breaksAt !== null ? breaksAt * stepMs : null, () =>
          happens(faults.loss),
        ),
      )
    })
  })
}

function planStream(
  tracks: readonly PlannedTrack[],
  beginsAtMs: number,
  breaksAtMs: number | null,
  isLost: () => boolean,
): StreamPlan {
  const lost: Set<number>[] = []
  let [sentCount, lostCount] = [0, 0]
  for (const { packetCount, packetMs } of tracks) {
    const own = new Set<number>()
    const count = packetCount - Math.round(beginsAtMs / packetMs)
    for (let index = 0; index < count; index++) {
      if (breaksAtMs !== null && beginsAtMs + (index + 1) * packetMs >= breaksAtMs) break
      // Never the first and the last: where numbers begin and end not every platform tells.
      if (isLost() && index > 0 && index < count - 1) own.add(index)
      else sentCount++
    }
    lostCount += own.size
    lost.push(own)
  }
  return { lost, beginsAtMs, breaksAtMs, sentCount, lostCount }
}

function stepsOf({ packetMs, packetCount }: PlannedTrack): number {
  return Math.floor((packetCount * packetMs) / stepMs)
}

/** In the middle half of it. */
function breakStep(steps: number, random: () => number): number {
  return Math.floor(steps * (0.25 + random() / 2))
}
