/** When which packet of one call came: which were late, and how many came in each second. Each counts once. */

/** Beyond it the picture of the past is left out: a tab must not grow with the length of a call. */
const arrivalsMax = 200_000

export class Arrivals {
  readonly late = new Set<number>()
  readonly #at = new Map<number, number>()
  readonly #bySecond = new Map<number, number>()

  add(sequence: number, at: number, isLate: boolean): void {
    if (isLate) this.late.add(sequence)
    if (this.#at.size >= arrivalsMax || this.#at.has(sequence)) return
    this.#at.set(sequence, at)
    const second = Math.floor(at / 1000)
    this.#bySecond.set(second, (this.#bySecond.get(second) ?? 0) + 1)
  }

  /** A packet was late when a higher number was here before it. Times are in milliseconds, so ties stay untold. */
  findLate(): void {
    const sequences = [...this.#at.keys()].sort((a, b) => b - a)
    let earliest = Number.POSITIVE_INFINITY
    for (const sequence of sequences) {
      const at = this.#at.get(sequence) ?? 0
      if (at > earliest) this.late.add(sequence)
      else earliest = at
    }
  }

  /** Packets in each second from the first to `until`, quiet ones too; at most the last `secondsMax`. */
  perSecond(until: number, secondsMax: number): readonly [seconds: number[], packets: number[]] {
    let first = Number.POSITIVE_INFINITY
    let last = 0
    for (const second of this.#bySecond.keys()) {
      first = Math.min(first, second)
      last = Math.max(last, second)
    }
    if (last === 0) return [[], []]
    // The second that is still running would look like a drop.
    last = Math.max(last, Math.floor(until / 1000) - 1)
    first = Math.max(first, last - secondsMax)
    const seconds: number[] = []
    const packets: number[] = []
    for (let second = first; second <= last; second++) {
      seconds.push(second)
      packets.push(this.#bySecond.get(second) ?? 0)
    }
    return [seconds, packets]
  }
}
