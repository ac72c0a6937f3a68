/** What a scenario reports: how much it did, whether its fault happened, and what it found. */
export interface Verdict {
  /** What was looked at, in numbers: all must be > 0, because a scenario that did nothing has shown nothing. */
  readonly counts: Readonly<Record<string, number>>
  /** What else is worth knowing; may be 0. */
  readonly notes?: Readonly<Record<string, number>>
  /** Faults that were seen to happen. */
  readonly faults: number
  /** Broken promises, a line each. Empty: the promise held. */
  readonly findings: readonly string[]
}

/** Why a scenario cannot run here, or null. */
export type Unavailable = string | null

export function hasPassed({ counts, faults, findings }: Verdict): boolean {
  return findings.length === 0 && faults > 0 && Object.values(counts).every((count) => count > 0)
}
