/** When a call says what is masked, out of its stored transcript: pure. */
import type { Transcript } from '../protocol/analysis.js'
import type { RedactionRule } from '../redaction/kinds.js'
import { redact } from '../redaction/redact.js'

/** Seconds of the call. */
export type TimeSpan = readonly [start: number, end: number]

export interface MaskedTimes {
  /** All of the call was transcribed, with times: what is outside of `spans` may be heard. */
  readonly isWhole: boolean
  /** Ascending, none over another. */
  readonly spans: readonly TimeSpan[]
}

/** A recogniser's times are of the middle of sounds rather than of their edges. */
const marginSeconds = 0.15

/** The transcript may have been stored under other rules, or under none. */
export function maskedTimes(
  { segments, unheard = [] }: Transcript,
  rules: readonly RedactionRule[],
): MaskedTimes {
  const redacted = redact(segments, { rules: new Set(rules), isOpen: false })
  const spans = redacted
    .flatMap(({ redactions }) => redactions)
    .map(({ start, end }): TimeSpan => [Math.max(0, start - marginSeconds), end + marginSeconds])
  const hasTimes = segments.every(({ start, end }) => end > start)
  return { isWhole: hasTimes && unheard.length === 0, spans: joined(spans) }
}

function joined(spans: readonly TimeSpan[]): readonly TimeSpan[] {
  const one: TimeSpan[] = []
  for (const [start, end] of [...spans].sort(([a], [b]) => a - b)) {
    const open = one.at(-1)
    if (open === undefined || start > open[1]) one.push([start, end])
    else one[one.length - 1] = [open[0], Math.max(open[1], end)]
  }
  return one
}
