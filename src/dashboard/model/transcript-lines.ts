/** A transcript as it is read: who, when, how it sounded, and how much of it was received. Pure. */
import type { Sentiment } from '../../protocol/analysis.js'
import type { CallTranscript } from '../../protocol/transcript.js'

export interface TranscriptLine {
  readonly start: number
  /** Null where a call has one channel: then it says nothing. */
  readonly channel: number | null
  readonly text: string
  /** What is to be known of its coverage, or null when all of it was received. */
  readonly doubt: Doubt | null
  /** Of the turn that begins with it, where that has any feeling. */
  readonly sentiment: Sentiment | null
}

export interface Doubt {
  readonly text: string
  /** So much is missing that words may be; a packet here and there is heard over. */
  readonly isGrave: boolean
}

const coverageOfUnderstood = 0.95

export function transcriptLinesOf({ segments, turns = [] }: CallTranscript): readonly TranscriptLine[] {
  const hasChannels = segments.some(({ channel }) => channel !== segments[0]?.channel)
  const sentiments = new Map(turns.map((turn) => [turn.first_segment, turn.sentiment]))
  return segments.map(({ start, channel, text, coverage }, index) => {
    const sentiment = sentiments.get(index) ?? 'neutral'
    return {
      start,
      channel: hasChannels ? channel : null,
      text,
      doubt: doubtOf(coverage, 'this'),
      sentiment: sentiment === 'neutral' ? null : sentiment,
    }
  })
}

/** The line that is heard at this time: the last one that has begun; −1 before the first. */
export function spokenLine(lines: readonly TranscriptLine[], seconds: number): number {
  // A player that was sent to the start of a line may stand a little before it.
  const at = seconds + 0.05
  return lines.reduce(
    (last, { start }, index) => (start <= at && start >= (lines[last]?.start ?? 0) ? index : last),
    -1,
  )
}

export function doubtOf(coverage: number, of: string): Doubt | null {
  if (coverage >= 1) return null
  return { text: doubtText(coverage, of), isGrave: coverage < coverageOfUnderstood }
}

/** Rounded down: what is not whole must not be called 100 %. */
function doubtText(coverage: number, of: string): string {
  if (coverage <= 0) return `nothing of ${of} was received`
  if (coverage < 0.01) return `less than 1 % of ${of} was received`
  // A share as 0.58 is 57.99 in hundredths.
  const percent = coverage * 100 + 1e-6
  return `only ${percent < 99 ? Math.floor(percent) : Math.min(99.9, Math.floor(percent * 10) / 10)} % of ${of} was received`
}

/** Null where all of it was transcribed. */
export function unheardText({ unheard = [] }: CallTranscript): string | null {
  if (unheard.length === 0) return null
  const spans = unheard
    .slice(0, unheardShown)
    .map(({ start, end }) => `${formatOffset(start)}–${formatOffset(end)}`)
  const more = unheard.length > unheardShown ? ` and ${unheard.length - unheardShown} more` : ''
  return `not transcribed: ${spans.join(', ')}${more}`
}

const unheardShown = 5

/** 0:07, 12:40, 1:02:40: seconds into the call. */
export function formatOffset(seconds: number): string {
  const whole = Math.floor(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  return hours === 0 ? `${minutes}:${two(whole % 60)}` : `${hours}:${two(minutes)}:${two(whole % 60)}`
}
