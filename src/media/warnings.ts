/** Warnings of one stream: each is told once, and so many at most, because some would come with every message. */
import type { MediaEvent } from './dialect.js'

const warningsMax = 16

export class Warnings {
  readonly #told = new Set<string>()

  once(why: string): readonly MediaEvent[] {
    if (this.#told.has(why) || this.#told.size >= warningsMax) return []
    this.#told.add(why)
    return [{ type: 'warning', why }]
  }
}
