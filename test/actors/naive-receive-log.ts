/**
 * What a receive log should say, from nothing but the set of what was received: the oracle of its property tests. It
 * shares no code with the sources; the numbers of the contract (100 listed, 2^31 − 1) are written out here.
 */
import type { Arrival, ReceiveLog } from '../../src/actors/receive-log.js'

export interface NaiveRange {
  readonly first: number
  readonly last: number
}

export class NaiveReceiveLog {
  readonly received = new Set<number>()
  highest = -1
  late = 0
  total: number | null = null

  mark(sequence: number): Arrival {
    if (this.received.has(sequence)) return 'duplicate'
    const arrival = sequence < this.highest ? 'late' : sequence === this.highest + 1 ? 'in-order' : 'ahead'
    if (arrival === 'late') this.late++
    this.received.add(sequence)
    this.highest = Math.max(this.highest, sequence)
    return arrival
  }

  /** Everything that is missing, as ranges, ascending. */
  missing(): NaiveRange[] {
    const end = this.total ?? this.highest + 1
    const ranges: NaiveRange[] = []
    let next = 0
    for (const sequence of [...this.received].sort((a, b) => a - b)) {
      const last = Math.min(sequence, end) - 1
      if (next <= last) ranges.push({ first: next, last })
      next = sequence + 1
    }
    if (next < end) ranges.push({ first: next, last: end - 1 })
    return ranges
  }

  get surplus(): number {
    const { total } = this
    return total === null ? 0 : [...this.received].filter((sequence) => sequence >= total).length
  }
}

/** All counts of a log, in the words of the call's view. */
export function figuresOf(log: ReceiveLog) {
  return {
    highest: log.highestSequence,
    total: log.expectedTotal,
    received: log.totalReceived,
    late: log.lateCount,
    missing: log.missingCount,
    surplus: log.surplusCount,
    listed: log.missingSequences(),
  }
}

export function naiveFiguresOf(naive: NaiveReceiveLog): ReturnType<typeof figuresOf> {
  const missing = naive.missing()
  const listed: number[] = []
  for (const { first, last } of missing)
    for (let sequence = first; sequence <= last && listed.length < 100; sequence++) listed.push(sequence)
  return {
    highest: naive.highest < 0 ? null : naive.highest,
    total: naive.total,
    received: naive.received.size,
    late: naive.late,
    missing: missing.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    surplus: naive.surplus,
    listed,
  }
}

/** The page that starts at `from`: its ranges are cut there, and the next page starts where the next range does. */
export function naivePage(missing: readonly NaiveRange[], from: number, limit: number) {
  const reached = missing.filter(({ last }) => last >= from)
  const ranges = reached.slice(0, limit).map(({ first, last }) => ({ first: Math.max(first, from), last }))
  return { ranges, nextFrom: reached[limit]?.first ?? null }
}
