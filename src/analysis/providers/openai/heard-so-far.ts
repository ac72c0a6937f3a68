/**
 * What was heard of a call so far, with its masks: a number may go on in the next piece, or in another voice, and an answer is kept
 * before the next piece is sent. So the end of a piece, which may be the beginning of a number, is masked at once.
 */
import type { Said } from '../../../redaction/redact.js'
import type { Redact } from '../../provider.js'
import type { HeardSegment } from './heard.js'
import { shifted } from './heard-tracks.js'

/** Seconds before a piece in which a number of its beginning may have begun. */
const reachSeconds = 60

export class HeardSoFar {
  readonly #redact: Redact | null
  /** Seconds of the senders' clocks, each voice behind the other. */
  readonly #said: Said[] = []

  constructor(redact: Redact | null) {
    this.#redact = redact
  }

  get count(): number {
    return this.#said.length
  }

  /** The segments of a piece that begins at `from`, as they follow the first `count`. */
  async masked(
    heard: readonly HeardSegment[],
    from: number,
    count: number,
  ): Promise<readonly HeardSegment[]> {
    if (this.#redact === null || heard.length === 0) return heard
    const own = heard.map((segment) => shifted(segment, from))
    const [first, last] = [from - reachSeconds, Math.max(...own.map(({ end }) => end))]
    const around = this.#said.slice(0, count).filter(({ start }) => start >= first && start <= last)
    const said = [...around, ...own].sort((a, b) => a.start - b.start)
    const redacted = await this.#redact(said, true)
    return heard.map((segment, index) => {
      const found = redacted[said.indexOf(own[index] as Said)]
      if (found === undefined || found.redactions.length === 0) return segment
      return { ...segment, text: found.text, redactions: found.redactions.map((one) => shifted(one, -from)) }
    })
  }

  /** In the place of all that follows the first `count`: its parts, where it was sent in parts. */
  put(heard: readonly HeardSegment[], from: number, count: number): void {
    this.#said.length = count
    if (this.#redact !== null) for (const segment of heard) this.#said.push(shifted(segment, from))
  }
}
