/**
 * Batches that are committed and not told to everybody yet. Settlements are told batch by batch, in the order of their
 * appends (V3), in slices: the answers of a large commit must not hold the loop.
 */
import type { Batch } from './batch.js'

/** The loop is held so long by settlements at a time; looking at the clock costs, and a settlement takes about 5 µs. */
const tellMs = 2
const tellMsMax = 50
const settlementsPerLook = 32

export class CommittedBatches {
  readonly #batches: Batch[] = []
  /** A slice of settlements is to come. */
  #isTelling = false
  /** When the last slice ended. */
  #toldAt = 0
  readonly #told: () => void

  /** `told`: everybody who waited for the oldest one has been told. */
  constructor(told: () => void) {
    this.#told = told
  }

  get count(): number {
    return this.#batches.length
  }

  get oldest(): Batch | undefined {
    return this.#batches[0]
  }

  /** Settlements that are not told. */
  get untold(): number {
    let count = 0
    for (const { settlements, told } of this.#batches) count += settlements.length - told
    return count
  }

  add(batch: Batch): void {
    this.#batches.push(batch)
  }

  /** Begins to tell, unless a slice is to come already. */
  tell(): void {
    if (this.#isTelling) return
    this.#toldAt = performance.now()
    this.#tellSlice()
  }

  tellAll(): void {
    this.#tellUntil(Number.POSITIVE_INFINITY)
  }

  /** Where the turns of the loop are long, so are the slices, because answers that are due go before what comes in. */
  #tellSlice(): void {
    const now = performance.now()
    // Half of the time is theirs.
    this.#tellUntil(now + Math.max(tellMs, Math.min(now - this.#toldAt, tellMsMax)))
    this.#toldAt = performance.now()
  }

  #tellUntil(until: number): void {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      while (batch.told < batch.settlements.length) {
        batch.settlements[batch.told++]?.committed()
        if (batch.told % settlementsPerLook !== 0 || performance.now() < until) continue
        this.#isTelling = true
        // Unless a failure has told everything meanwhile.
        setImmediate(() => this.#isTelling && this.#tellSlice())
        return
      }
      batch.state = 'committed'
      batch.letGo()
      this.#batches.shift()
      this.#told()
    }
    this.#isTelling = false
  }
}
