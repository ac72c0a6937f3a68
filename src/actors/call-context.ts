/** The memory of a call, and the rules for its totals and its media. */
import type { Millis } from '../clock.js'
import type { RaisedAlert } from '../protocol/alert.js'
import type { AnalysisDigest, WordsDigest } from '../protocol/analysis.js'
import { type CompletionReason, type ExpectedTotals, totalsOf } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import { type CallDetails, isSameMedia, type Media, mediaOf, textMedia } from '../protocol/media.js'
import type { LegEnd, Note } from '../store/journal.js'
import type { TrackLogs } from './track-logs.js'

export interface AnalysisFacts {
  /** Attempts that were started and count, over all restarts, since the last step that was kept or the last redrive. */
  readonly attempts: number
  /** Everything that was started in the call's life. */
  readonly attemptsTotal: number
  readonly redrives: number
  /** The last attempt was released: the provider was down for everybody. */
  readonly isAwaitingProvider: boolean
  /** Milliseconds of the budget that attempts and waits have used, since the same. */
  readonly spentMs: number
  /** Of a retry. Null for a call that waits for a slot or for its provider: nobody knows when. */
  readonly nextAttemptAt: Millis | null
  readonly provider: string | null
  readonly error: string | null
  /** Without a meaning where only the words are known. */
  readonly digest:
    | AnalysisDigest
    | (WordsDigest & { readonly [Name in 'sentiment' | 'confidence']?: never })
    | null
}

export interface Leg {
  readonly leg: string
  readonly dialect: string
  /** The run of the process that had its socket. */
  readonly run: string
  readonly startedAt: Millis
  readonly tracks: readonly { readonly track: number; readonly base: number }[]
  readonly endedAt: Millis | null
  readonly why: LegEnd | null
  /** Packets of each of its tracks, where the platform has proved it. */
  readonly totals: readonly (number | null)[] | null
}

export interface CallLegs {
  readonly legs: readonly Leg[]
  /** Notes of their events, oldest first. */
  readonly notes: readonly (Note & { readonly at: Millis })[]
  readonly digits: number
}

export interface CallAlert extends RaisedAlert {
  /** Null while it is open. */
  readonly toMs: number | null
  readonly acknowledgedAt: Millis | null
  /** The name of a credential; null where there are none. */
  readonly acknowledgedBy: string | null
  readonly note: string | null
}

export const noAlerts: readonly CallAlert[] = Object.freeze([])

export const noLegs: CallLegs = Object.freeze({ legs: [], notes: [], digits: 0 })

export interface CallContext {
  readonly callId: CallId
  readonly createdAt: Millis
  /** Changed in place by packets, as the counts below and the log are: they never pass through a transition. */
  lastPacketAt: Millis
  duplicateCount: number
  readonly logs: TrackLogs
  readonly details: CallDetails
  /** When the PBX said so; null while nobody has, and the settings speak for it. */
  readonly describedAt: Millis | null
  readonly reason: CompletionReason | null
  readonly completedAt: Millis | null
  readonly endedAt: Millis | null
  /** The next deadline as journaled. An idle deadline may lie earlier than it is: the call looks again then. */
  readonly dueAt: Millis | null
  readonly analysis: AnalysisFacts
  readonly legs: CallLegs
  /** Oldest first. */
  readonly alerts: readonly CallAlert[]
}

export const noAnalysis: AnalysisFacts = {
  attempts: 0,
  attemptsTotal: 0,
  redrives: 0,
  isAwaitingProvider: false,
  spentMs: 0,
  nextAttemptAt: null,
  provider: null,
  error: null,
  digest: null,
}

/** A total of 0 says that the call was never answered: so it must have been started, and nothing must have come. */
export function fitsTotal({ logs, describedAt }: CallContext, entry: ExpectedTotals): boolean {
  const isEmpty = totalsOf(entry).every((total) => total === 0)
  return !isEmpty || (describedAt !== null && logs.totalReceived === 0)
}

/** Nothing that was said is changed, and something is said that was not known. */
export function addsTotal({ logs }: CallContext, entry: ExpectedTotals): boolean {
  const known = (track: number) => logs.of(track)?.expectedTotal ?? null
  const said = totalsOf(entry).flatMap((total, track) =>
    total === null ? [] : [{ total, before: known(track) }],
  )
  return (
    said.some(({ before }) => before === null) &&
    said.every(({ total, before }) => before === null || before === total)
  )
}

/**
 * The log is changed in place, like everything else that packets count; so this stands inside an `assign`, which runs
 * in a pure transition too (a replay), where other actions are only handed back.
 */
export function expectTotal(context: CallContext, entry: ExpectedTotals): void {
  for (const [track, total] of totalsOf(entry).entries()) {
    if (total === null) continue
    const log = context.logs.open(track)
    if (log.expectedTotal === null) log.expect(total)
  }
}

/** The media of packets cannot change once some are stored, unless they were only assumed until then. */
export function canCarry({ describedAt, details, logs }: CallContext, said: CallDetails): boolean {
  if (describedAt === null) return true
  return logs
    .all()
    .every(
      ({ track, log }) =>
        log.totalReceived === 0 || isSameMedia(mediaOf(details, track), mediaOf(said, track)),
    )
}

export function newCall(
  callId: CallId,
  createdAt: Millis,
  dueAt: Millis,
  logs: TrackLogs,
  media: Media = textMedia,
): CallContext {
  return {
    callId,
    createdAt,
    lastPacketAt: createdAt,
    duplicateCount: 0,
    logs,
    details: { media },
    describedAt: null,
    reason: null,
    completedAt: null,
    endedAt: null,
    dueAt,
    analysis: noAnalysis,
    legs: noLegs,
    alerts: noAlerts,
  }
}
