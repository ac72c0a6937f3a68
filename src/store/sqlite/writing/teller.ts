/**
 * The teller: what was committed is answered and passed on, batch by batch and in the order of the appends (V3), in slices,
 * because the answers of a large commit must not hold the loop.
 */
import type { VoiceStreamError } from '../../../errors.js'
import { type Settlement, tellCommitted, tellFailed } from '../../journal.js'
import type { Batch } from './batch.js'

/** The loop is held so long at a time; looking at the clock costs, and a settlement takes about 5 µs. */
const tellMs = 2
const tellMsMax = 50
const settlementsPerLook = 32

export class Teller {
  readonly #batches: Batch[] = []
  /** A slice is to come. */
  #isTelling = false
  /** When the last slice ended. */
  #toldAt = 0
  readonly #told: () => void

  /** `told`: everybody who waited for the oldest batch has been told. */
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

  /** Its commit is on disk. */
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

  /** Its commit has failed, and what came before it has been told. */
  fail(batch: Batch, error: VoiceStreamError): void {
    for (const settlement of batch.settlements) tellFailed(settlement, error)
    batch.letGo()
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
        tellCommitted(batch.settlements[batch.told++] as Settlement)
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
