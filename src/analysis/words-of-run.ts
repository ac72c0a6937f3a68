import type { AnalysisFacts } from '../actors/call-context.js'
import type { HeardWords } from '../protocol/analysis.js'

/** What a run has heard and not yet stored; once is enough, because packets do not change any more. */
export class WordsOfRun {
  #areKnown: boolean
  #words: HeardWords | null = null

  constructor({ digest }: AnalysisFacts) {
    this.#areKnown = digest !== null && digest.isIncomplete !== true
  }

  readonly heard = (words: HeardWords): void => {
    if (!this.#areKnown) this.#words = words
  }

  take(): HeardWords | null {
    const words = this.#words
    this.#words = null
    if (words !== null) this.#areKnown = words.transcript.unheard === undefined
    return words
  }
}
