/**
 * Whether two voices are the same sound, perhaps a little later: a stereo tap that is wired to one side, or an echo. Their
 * loudness is compared over 5 s, first coarsely at all delays up to 300 ms and then finely at the best one: the first finds
 * out who takes turns, the second who does not breathe together. Pure.
 */

const quarterMs = 5
const quartersPerFrame = 4
const secondsCompared = 5
const quartersKept = (secondsCompared * 1000) / quarterMs
const framesKept = quartersKept / quartersPerFrame
const lagFramesMax = 15
const likeMin = 0.9
/** Below it all lines sound alike. */
const quietDbfs = -60
/** Loudness must change to be compared: the deviation of speech is twice that. */
const deviationMin = 6

/** The last seconds of a voice's loudness, in steps of 5 ms. */
export class Envelope {
  readonly #fine = new Float32Array(quartersKept).fill(quietDbfs)
  /** Frames in it, and where the next one goes. */
  #frames = 0
  #at = 0

  /** None where the frame is missing. */
  add(quarters: readonly number[]): void {
    for (let i = 0; i < quartersPerFrame; i++)
      this.#fine[this.#at + i] = Math.max(quarters[i] ?? Number.NaN, quietDbfs)
    this.#at = (this.#at + quartersPerFrame) % quartersKept
    this.#frames = Math.min(this.#frames + 1, framesKept)
  }

  get isFull(): boolean {
    return this.#frames === framesKept
  }

  /** Oldest first. */
  fine(): Float32Array {
    const ordered = new Float32Array(quartersKept)
    ordered.set(this.#fine.subarray(this.#at))
    ordered.set(this.#fine.subarray(0, this.#at), quartersKept - this.#at)
    return ordered
  }
}

export function isAlike(a: Envelope, b: Envelope): boolean {
  if (!a.isFull || !b.isFull) return false
  const [fineA, fineB] = [a.fine(), b.fine()]
  const [coarseA, coarseB] = [coarseOf(fineA), coarseOf(fineB)]
  const lag = bestLag(coarseA, coarseB, -lagFramesMax, lagFramesMax)
  if (lag.correlation < likeMin) return false
  const center = lag.lag * quartersPerFrame
  const near = bestLag(fineA, fineB, center - quartersPerFrame, center + quartersPerFrame)
  return near.correlation >= likeMin
}

function coarseOf(fine: Float32Array): Float32Array {
  return Float32Array.from({ length: framesKept }, (_, frame) => {
    let sum = 0
    for (let i = 0; i < quartersPerFrame; i++) sum += fine[frame * quartersPerFrame + i] as number
    return sum / quartersPerFrame
  })
}

function bestLag(
  a: Float32Array,
  b: Float32Array,
  from: number,
  to: number,
): { lag: number; correlation: number } {
  let best = { lag: 0, correlation: -1 }
  for (let lag = from; lag <= to; lag++) {
    const correlation = correlationAt(a, b, lag)
    if (correlation > best.correlation) best = { lag, correlation }
  }
  return best
}

/** Of what both have, `b` so many steps later; what one of them lacks is left out. */
function correlationAt(a: Float32Array, b: Float32Array, lag: number): number {
  const [fromA, fromB] = lag < 0 ? [-lag, 0] : [0, lag]
  let [count, sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0, 0]
  for (let i = 0; i < a.length - Math.abs(lag); i++) {
    const left = a[fromA + i] as number
    const right = b[fromB + i] as number
    if (Number.isNaN(left + right)) continue
    count++
    sumA += left
    sumB += right
    squaresA += left * left
    squaresB += right * right
    products += left * right
  }
  if (count < a.length / 2) return -1
  const varianceA = squaresA / count - (sumA / count) ** 2
  const varianceB = squaresB / count - (sumB / count) ** 2
  if (Math.min(varianceA, varianceB) < deviationMin ** 2) return -1
  return (products / count - (sumA / count) * (sumB / count)) / Math.sqrt(varianceA * varianceB)
}
