/** The missing sequences of one call as ascending ranges, kept up to date by the sequences that arrive. */
export type Range = readonly [first: number, last: number]

export class MissingRanges {
  #ranges: Range[] = []
  /** -1 before the first packet. */
  highest = -1

  get ranges(): readonly Range[] {
    return this.#ranges
  }

  /** Takes the service's account in place of our own. */
  replace(ranges: readonly Range[], highest: number): void {
    this.#ranges = [...ranges]
    this.highest = highest
  }

  /** What the arrival did: a packet that was missing closes its gap; one that was here already changes nothing. */
  arrive(sequence: number): 'next' | 'late' | 'known' {
    if (sequence > this.highest) {
      if (sequence > this.highest + 1) this.#ranges.push([this.highest + 1, sequence - 1])
      this.highest = sequence
      return 'next'
    }
    const at = this.#indexOf(sequence)
    const found = this.#ranges[at]
    if (found === undefined) return 'known'
    const [first, last] = found
    const left: Range[] = []
    if (first < sequence) left.push([first, sequence - 1])
    if (sequence < last) left.push([sequence + 1, last])
    this.#ranges.splice(at, 1, ...left)
    return 'late'
  }

  /** The index of the range that holds the sequence, or -1. */
  #indexOf(sequence: number): number {
    let low = 0
    let high = this.#ranges.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const [first, last] = this.#ranges[middle] as Range
      if (sequence < first) high = middle - 1
      else if (sequence > last) low = middle + 1
      else return middle
    }
    return -1
  }
}

/** For each of `columns` equal parts of `0 … total − 1`, the share of it that is missing. */
export function missingByColumn(ranges: readonly Range[], total: number, columns: number): Float64Array {
  const shares = new Float64Array(columns)
  if (total <= 0) return shares
  const width = total / columns
  for (const [first, last] of ranges) {
    const end = Math.min(last + 1, total)
    for (let column = Math.floor(first / width); column < columns && column * width < end; column++) {
      const covered = Math.min(end, (column + 1) * width) - Math.max(first, column * width)
      shares[column] = Math.min(1, (shares[column] ?? 0) + Math.max(0, covered) / width)
    }
  }
  return shares
}
