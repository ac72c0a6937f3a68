/** Levels in decibels of full scale, and the noise of a line: the quietest that it was lately. Pure. */

export const quietestDbfs = -90

export function dbfsOf(power: number): number {
  return power <= 1e-9 ? quietestDbfs : 10 * Math.log10(power)
}

export function powerOf(dbfs: number): number {
  return 10 ** (dbfs / 10)
}

/** Frames of half a second. */
const framesPerSpan = 25
/** Five seconds: few people speak longer without a breath. */
const spans = 10
/** The quietest of so many frames of an even noise is below its mean. */
const quietestBias = 10 ** 0.15
/** Until there has been time for a pause, speech is not taken for noise. */
const unsureFrames = 100
const unsurePower = powerOf(-50)

export class NoiseFloor {
  readonly #lowest = new Float64Array(spans).fill(Number.POSITIVE_INFINITY)
  #smooth = -1
  #frames = 0
  #power = 0

  /** Power. */
  get power(): number {
    return this.#power
  }

  /** A pause may have been heard by now. */
  get isSure(): boolean {
    return this.#frames >= framesPerSpan * spans
  }

  take(power: number): void {
    this.#smooth = this.#smooth < 0 ? power : (this.#smooth + power) / 2
    const span = Math.floor(this.#frames / framesPerSpan) % spans
    if (this.#frames % framesPerSpan === 0) this.#lowest[span] = Number.POSITIVE_INFINITY
    this.#lowest[span] = Math.min(this.#lowest[span] as number, this.#smooth)
    this.#frames++
    let lowest = Number.POSITIVE_INFINITY
    for (let i = 0; i < spans; i++) lowest = Math.min(lowest, this.#lowest[i] as number)
    this.#power = lowest * quietestBias
    if (this.#frames < unsureFrames) this.#power = Math.min(this.#power, unsurePower)
  }
}

/** Blocks of half a second of speech. */
const framesPerBlock = 25
const blocksKept = 20

/** How loud a voice is while it speaks, and how much of that is cut off: of its last 10 s of speech. */
export class SpeechLevel {
  readonly #powers: number[] = []
  readonly #clipped: number[] = []
  #power = 0
  #clip = 0
  #frames = 0
  /** In all. */
  #blocks = 0

  get blocks(): number {
    return this.#blocks
  }

  take(power: number, clipped: number): void {
    this.#power += power
    this.#clip += clipped
    if (++this.#frames < framesPerBlock) return
    this.#powers.push(this.#power / framesPerBlock)
    this.#clipped.push(this.#clip / framesPerBlock)
    if (this.#powers.length > blocksKept) {
      this.#powers.shift()
      this.#clipped.shift()
    }
    this.#blocks++
    this.#power = 0
    this.#clip = 0
    this.#frames = 0
  }

  /** Power over the last blocks; null while there are fewer. */
  powerOver(seconds: number): number | null {
    return meanOfLast(this.#powers, seconds * 2)
  }

  clippedOver(seconds: number): number | null {
    return meanOfLast(this.#clipped, seconds * 2)
  }
}

function meanOfLast(values: readonly number[], count: number): number | null {
  if (values.length < count) return null
  let sum = 0
  for (let i = values.length - count; i < values.length; i++) sum += values[i] as number
  return sum / count
}
