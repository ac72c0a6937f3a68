/**
 * Tones: how much of a sound lies at a frequency (Goertzel), the keys of a telephone, and one steady tone. Pure.
 *
 * Keys are card numbers and PINs: they are counted, and which one it was is forgotten with the sound.
 */

/**
 * The powers of the samples at four frequencies, in `powers` from `to` on: of a sine of that frequency alone, its mean square.
 * Four at once, because each step of one waits for the step before it.
 */
export function fourPowers(
  samples: Float32Array,
  from: number,
  count: number,
  coefficients: Float64Array,
  at: number,
  powers: Float64Array,
  to: number,
): void {
  const a = coefficients[at] as number
  const b = coefficients[at + 1] as number
  const c = coefficients[at + 2] as number
  const d = coefficients[at + 3] as number
  let [a1, a2, b1, b2, c1, c2, d1, d2] = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let i = from; i < from + count; i++) {
    const sample = samples[i] as number
    const a0 = sample + a * a1 - a2
    const b0 = sample + b * b1 - b2
    const c0 = sample + c * c1 - c2
    const d0 = sample + d * d1 - d2
    a2 = a1
    a1 = a0
    b2 = b1
    b1 = b0
    c2 = c1
    c1 = c0
    d2 = d1
    d1 = d0
  }
  const scale = 2 / (count * count)
  powers[to] = scale * (a1 * a1 + a2 * a2 - a * a1 * a2)
  powers[to + 1] = scale * (b1 * b1 + b2 * b2 - b * b1 * b2)
  powers[to + 2] = scale * (c1 * c1 + c2 * c2 - c * c1 * c2)
  powers[to + 3] = scale * (d1 * d1 + d2 * d2 - d * d1 * d2)
}

export function coefficientsOf(frequencies: readonly number[], rate: number): Float64Array {
  return Float64Array.from(frequencies, (frequency) => 2 * Math.cos((2 * Math.PI * frequency) / rate))
}

export function meanSquare(samples: Float32Array, from: number, count: number): number {
  let sum = 0
  for (let i = from; i < from + count; i++) sum += (samples[i] as number) ** 2
  return sum / count
}

const rows = [697, 770, 852, 941]
const columns = [1209, 1336, 1477, 1633]
/** A telephone may be 1.5 % off (ITU-T Q.24), which a block of 20 ms hears as another frequency. */
const deviations = [-0.0135, -0.0045, 0.0045, 0.0135]
/** Both tones are the sound. */
const keyShareMin = 0.75
/** A first look at the nominal frequencies, where a tone that is off shows only in part, and one may be weak. */
const firstShareMin = 0.25
const weakShareMin = 0.08
/** How much louder than the other one a tone may be: 8 dB (Q.24), and 2 for what a short block tells of both. */
const twistMax = 10
/** −40 dBFS: quieter ones are an echo of the other side. */
const keyPowerMin = 1e-4
/** Blocks of 20 ms, begun each 10 ms, that hear the same key: a tone of 40 ms has two, wherever it begins. */
const keyBlocks = 2
/** Blocks without it before the same key counts again: a pause of 50 ms has more. */
const gapBlocks = 3

export class KeyCounter {
  #count = 0
  /** The last frame and this one. */
  readonly #two: Float32Array
  readonly #block: number
  readonly #rows: Float64Array
  readonly #columns: Float64Array
  /** Of each row and column, the frequencies that it may be off to. */
  readonly #near: readonly Float64Array[]
  readonly #powers = new Float64Array(4)
  #heard = -1
  #blocks = 0
  #without = 0
  #isCounted = false
  /** The block that was looked at last, and the frame before this one, have something at the right places. */
  #maySound = false
  #mightSound = false

  constructor(rate: number) {
    this.#block = Math.floor(rate / 50)
    this.#two = new Float32Array(2 * this.#block)
    this.#rows = coefficientsOf(rows, rate)
    this.#columns = coefficientsOf(columns, rate)
    this.#near = [...rows, ...columns].map((frequency) =>
      coefficientsOf(
        deviations.map((deviation) => frequency * (1 + deviation)),
        rate,
      ),
    )
  }

  get count(): number {
    return this.#count
  }

  /** A key is pressed just now. */
  get isHeard(): boolean {
    return this.#isCounted
  }

  take(samples: Float32Array): void {
    const block = this.#block
    const two = this.#two
    for (let i = 0; i < block; i++) {
      two[i] = two[block + i] as number
      two[block + i] = samples[i] as number
    }
    const key = this.#keyIn(block)
    // A tone of 40 ms fills one frame at least, so between two frames without any sign of it there is none.
    const mayBegin = this.#maySound || this.#mightSound
    this.#mightSound = this.#maySound
    this.#note(mayBegin ? this.#keyIn(Math.floor(block / 2)) : -1)
    this.#note(key)
  }

  /** Nothing is known of what is missing: the key may have gone on. */
  missing(): void {
    this.#two.fill(0)
  }

  #note(key: number): void {
    if (key >= 0 && key === this.#heard) {
      this.#without = 0
      this.#blocks++
    } else if (key >= 0) {
      this.#heard = key
      this.#blocks = 1
      this.#without = 0
      this.#isCounted = false
    } else if (++this.#without >= gapBlocks) {
      this.#heard = -1
      this.#blocks = 0
      this.#isCounted = false
    }
    if (this.#blocks < keyBlocks || this.#isCounted) return
    this.#isCounted = true
    this.#count++
  }

  /** −1 where there is none. */
  #keyIn(from: number): number {
    this.#maySound = false
    const total = meanSquare(this.#two, from, this.#block)
    if (total < keyPowerMin) return -1
    const row = this.#loudest(this.#rows, from)
    const rowPower = this.#powers[row] as number
    if (rowPower < weakShareMin * total) return -1
    const column = this.#loudest(this.#columns, from)
    if (rowPower + (this.#powers[column] as number) < firstShareMin * total) return -1
    this.#maySound = true
    const low = this.#refined(row, from)
    const high = this.#refined(rows.length + column, from)
    const isKey = low + high >= keyShareMin * total && low <= twistMax * high && high <= twistMax * low
    return isKey ? row * columns.length + column : -1
  }

  #loudest(coefficients: Float64Array, from: number): number {
    const powers = this.#powers
    fourPowers(this.#two, from, this.#block, coefficients, 0, powers, 0)
    let best = 0
    for (let i = 1; i < powers.length; i++) if ((powers[i] as number) > (powers[best] as number)) best = i
    return best
  }

  #refined(tone: number, from: number): number {
    return this.#powers[this.#loudest(this.#near[tone] as Float64Array, from)] as number
  }
}

const binHz = 50
const firstBin = 5
const lastBin = 48
/** Around a peak that belongs to it: a Hann window spreads a tone over so many bins on each side. */
const peakBins = 2
/** One or two tones are the sound. */
const toneShareMin = 0.9
/** Frames between two looks, before anything is heard. */
const framesPerLook = 8
/** A look may be spoilt by the end of a burst. */
const missesMax = 1
/** Looks that tell a tone from a vowel. */
const looksMin = 3
/** A busy tone, a ringback and a fax that calls pause up to 4 s. */
const pauseFramesMax = 250

/** One steady tone, or a pair of them, whatever its pauses. */
export class SteadyTone {
  readonly #coefficients: Float64Array
  readonly #window: Float32Array
  readonly #windowed: Float32Array
  readonly #powers = new Float64Array(lastBin + 1)
  #peaks: readonly number[] = []
  #looks = 0
  #misses = 0
  #pause = 0
  #sinceLook = 0
  #toneFrames = 0
  #isSounding = false

  constructor(rate: number) {
    this.#coefficients = coefficientsOf(
      Array.from({ length: lastBin + 1 }, (_, bin) => bin * binHz),
      rate,
    )
    const length = Math.ceil(rate / 50)
    this.#window = Float32Array.from(
      { length },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / length),
    )
    this.#windowed = new Float32Array(length)
  }

  /** Frames of the tone so far, its pauses left out. */
  get frames(): number {
    return this.#looks >= looksMin ? this.#toneFrames : 0
  }

  /** It sounds just now. */
  get isHeard(): boolean {
    return this.#isSounding && this.#looks >= looksMin
  }

  quiet(): void {
    this.#isSounding = false
    this.#sinceLook = framesPerLook
    if (++this.#pause > pauseFramesMax) this.#forget()
  }

  /** A frame that is louder than the line. */
  loud(samples: Float32Array): void {
    if (this.#isSounding) this.#toneFrames++
    // A tone that begins again is known at once; else a look now and then is enough.
    if (++this.#sinceLook < framesPerLook && (this.#looks < looksMin || this.#isSounding)) return
    this.#sinceLook = 0
    const peaks = this.#peaksOf(samples)
    if (peaks !== null && this.#looks > 0 && isAlike(peaks, this.#peaks)) {
      this.#looks++
      this.#misses = 0
      this.#pause = 0
      if (!this.#isSounding) this.#toneFrames++
      this.#isSounding = true
      return
    }
    this.#isSounding = false
    if (this.#looks > 0 && ++this.#misses <= missesMax) return
    this.#forget()
    if (peaks === null) return
    this.#peaks = peaks
    this.#looks = 1
    this.#toneFrames = 1
    this.#isSounding = true
  }

  #forget(): void {
    this.#looks = 0
    this.#misses = 0
    this.#pause = 0
    this.#toneFrames = 0
    this.#isSounding = false
  }

  /** The bins of one or two tones that are the whole sound; null where it is something else. */
  #peaksOf(samples: Float32Array): readonly number[] | null {
    let total = 0
    let mean = 0
    for (let i = 0; i < samples.length; i++) mean += samples[i] as number
    mean /= samples.length
    for (let i = 0; i < samples.length; i++) {
      const value = ((samples[i] as number) - mean) * (this.#window[i] as number)
      this.#windowed[i] = value
      total += value * value
    }
    if (total === 0) return null
    // The powers of all bins of a block add up to its mean square.
    const scale = samples.length / total
    for (let bin = firstBin; bin <= lastBin; bin += 4)
      fourPowers(this.#windowed, 0, samples.length, this.#coefficients, bin, this.#powers, bin)
    for (let bin = firstBin; bin <= lastBin; bin++) this.#powers[bin] = (this.#powers[bin] as number) * scale
    const first = this.#takePeak()
    if (first.share >= toneShareMin) return [first.bin]
    const second = this.#takePeak()
    if (first.share + second.share < toneShareMin) return null
    return first.bin < second.bin ? [first.bin, second.bin] : [second.bin, first.bin]
  }

  #takePeak(): { readonly bin: number; readonly share: number } {
    let bin = firstBin
    for (let other = firstBin; other <= lastBin; other++)
      if ((this.#powers[other] as number) > (this.#powers[bin] as number)) bin = other
    let share = 0
    for (let near = Math.max(firstBin, bin - peakBins); near <= Math.min(lastBin, bin + peakBins); near++) {
      share += this.#powers[near] as number
      this.#powers[near] = 0
    }
    return { bin, share }
  }
}

function isAlike(peaks: readonly number[], known: readonly number[]): boolean {
  return (
    peaks.length === known.length &&
    peaks.every((bin, index) => Math.abs(bin - (known[index] as number)) <= 1)
  )
}
