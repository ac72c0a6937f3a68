/** Decides the effect of a lifecycle message in the call's present state. Pure; the call carries it out. */
import type { Millis } from '../clock.js'
import { unreachable } from '../errors.js'
import { limits } from '../limits.js'
import { type ExpectedTotals, totalsOf } from '../protocol/call.js'
import { completeDetails, isSameDetails, type StartBody } from '../protocol/media.js'
import type { LegEnd, LifecycleEntry, Note } from '../store/journal.js'
import { canCarry } from './call-context.js'
import { openLegs } from './call-legs.js'
import type { CallMachineSnapshot } from './call-machine.js'
import type { AcknowledgeAnswer, CompletionAnswer, DescribeAnswer, RedriveAnswer } from './call-messages.js'
import { legsEnd } from './leg-decisions.js'

export interface Decision<Answer> {
  /** Events that the call lives through before it answers; none when nothing changes. */
  readonly entries: readonly LifecycleEntry[]
  readonly answer: Answer
}

export type DeadlineDecision =
  | { readonly kind: 'live'; readonly entry: LifecycleEntry }
  /** Packets moved the deadline without journaling it: it is journaled now, so that it is found again (V8). */
  | { readonly kind: 'postpone'; readonly dueAt: Millis }
  /** The journal says so already. */
  | { readonly kind: 'wait'; readonly dueAt: Millis }
  | { readonly kind: 'analyse' }
  | { readonly kind: 'nothing-due' }

export interface DeadlineTerms {
  readonly graceMs: Millis
  readonly idleMs: Millis
  /** After the end of the last leg another one may come for so long. */
  readonly legGraceMs: Readonly<Record<LegEnd, Millis>>
  /** Of this process. */
  readonly run: string
}

/** A leg's end may bring the end of the call nearer. */
export function legEnd(
  state: CallMachineSnapshot,
  { leg, why, totals }: Pick<Extract<LifecycleEntry, { type: 'leg-ended' }>, 'leg' | 'why' | 'totals'>,
  now: Millis,
  { run, legGraceMs }: DeadlineTerms,
): Decision<boolean> {
  const others = openLegs(state.context).filter((other) => other.run === run && other.leg !== leg)
  const isLast = state.value === 'IN_PROGRESS' && others.length === 0
  const dueAt = isLast ? now + legGraceMs[why] : null
  const entry = { type: 'leg-ended', at: now, leg, why, totals, dueAt } as const
  return state.can(entry) ? { entries: [entry], answer: true } : { entries: [], answer: false }
}

export function note(state: CallMachineSnapshot, said: Note, now: Millis): Decision<boolean> {
  const entry = { type: 'noted', at: now, note: said } as const
  const isKept = state.context.legs.notes.length < limits.notesMax && state.can(entry)
  return { entries: isKept ? [entry] : [], answer: isKept }
}

export function completion(
  state: CallMachineSnapshot,
  { totalPackets, totals }: ExpectedTotals,
  now: Millis,
  graceMs: Millis,
): Decision<CompletionAnswer> {
  const said = totalsOf({ totalPackets, ...(totals === undefined ? {} : { totals }) })
  const { logs } = state.context
  const isKnown = said.every((total, track) => total === null || logs.of(track)?.expectedTotal === total)
  // A sender without a total can only end a call that goes on.
  const saysNothing = said.every((total) => total === null)
  if (isKnown && (!saysNothing || state.value !== 'IN_PROGRESS')) return { entries: [], answer: 'accepted' }
  if (said.every((total) => total === 0)) return emptyCompletion(state, now)
  const entry = {
    type: 'completed',
    at: now,
    reason: 'completed',
    totalPackets,
    ...(totals === undefined ? {} : { totals }),
    dueAt: now + graceMs,
  } as const
  return state.can(entry) ? { entries: [entry], answer: 'accepted' } : { entries: [], answer: 'conflict' }
}

/** The call goes to its end at once: no packet can come, and a provider would get no audio. */
function emptyCompletion(state: CallMachineSnapshot, at: Millis): Decision<CompletionAnswer> {
  const entry = { type: 'completed', at, reason: 'no_audio', totalPackets: 0, dueAt: at } as const
  if (!state.can(entry)) return { entries: [], answer: 'not-empty' }
  return { entries: [entry, { type: 'grace-over', at }, { type: 'no-audio', at }], answer: 'accepted' }
}

export function description(
  state: CallMachineSnapshot,
  body: StartBody,
  now: Millis,
): Decision<DescribeAnswer> {
  const { details: known, describedAt } = state.context
  const said = completeDetails(body, known.media)
  // As of `media`, what is left out of the tracks stays as it was.
  const { tracks } = known
  const details = body.tracks === undefined && tracks !== undefined ? { ...said, tracks } : said
  const { media } = details
  const answer = { kind: 'described', media } as const
  if (describedAt !== null && isSameDetails(known, details)) return { entries: [], answer }
  const entry = { type: 'described', at: now, details } as const
  if (state.can(entry)) return { entries: [entry], answer }
  const refusal: DescribeAnswer = canCarry(state.context, details)
    ? { kind: 'grace-period-over', state: state.value }
    : { kind: 'media-is-fixed', media: known.media }
  return { entries: [], answer: refusal }
}

export function acknowledgement(
  state: CallMachineSnapshot,
  alertId: string,
  by: string | null,
  note: string | null,
  now: Millis,
): Decision<AcknowledgeAnswer> {
  const isKnown = state.context.alerts.some(({ alert_id }) => alert_id === alertId)
  if (!isKnown) return { entries: [], answer: 'unknown-alert' }
  const entry: LifecycleEntry = { type: 'alert-acknowledged', at: now, alertId, by, note }
  // The first one counts.
  return { entries: state.can(entry) ? [entry] : [], answer: 'acknowledged' }
}

export function redrive(state: CallMachineSnapshot, now: Millis): Decision<RedriveAnswer> {
  const entry = { type: 'redriven', at: now } as const
  const { redrives } = state.context.analysis
  if (state.can(entry)) return { entries: [entry], answer: { kind: 'redriven', redrives: redrives + 1 } }
  const answer: RedriveAnswer =
    state.value === 'PROCESSING_AI'
      ? { kind: 'under-way', redrives }
      : { kind: 'not-failed', state: state.value }
  return { entries: [], answer }
}

/** The analysis of the call that was created then reports; the answer says whether this is it, where that can happen. */
export function record(
  state: CallMachineSnapshot,
  { createdAt, entry }: { readonly createdAt: Millis; readonly entry: LifecycleEntry },
): Decision<boolean> {
  const isAdmitted = state.context.createdAt === createdAt && state.can(entry)
  return { entries: isAdmitted ? [entry] : [], answer: isAdmitted }
}

export function deadline(
  { value, context }: CallMachineSnapshot,
  now: Millis,
  { graceMs, idleMs, legGraceMs, run }: DeadlineTerms,
): DeadlineDecision {
  switch (value) {
    case 'IN_PROGRESS': {
      const end = legsEnd(context, run, legGraceMs)
      if (end !== null) {
        if (now < end.dueAt) return { kind: 'postpone', dueAt: end.dueAt }
        const reason = end.why === 'lost' ? 'stream_lost' : 'completed'
        const entry = { type: 'completed', at: now, reason, ...end.totals, dueAt: now + graceMs } as const
        return { kind: 'live', entry }
      }
      // Nothing may come for hours on a leg that is open: its socket says when it is gone.
      if (openLegs(context).length > 0) return { kind: 'postpone', dueAt: now + idleMs }
      const idleAt = context.lastPacketAt + idleMs
      // A last packet in the future is from before the wall clock was set back: the deadline was clamped at the start.
      if (context.lastPacketAt <= now && now < idleAt) return { kind: 'postpone', dueAt: idleAt }
      const dueAt = now + graceMs
      const entry = { type: 'completed', at: now, reason: 'idle_timeout', totalPackets: null, dueAt } as const
      return { kind: 'live', entry }
    }
    case 'COMPLETED':
      if (context.dueAt !== null && now < context.dueAt) return { kind: 'wait', dueAt: context.dueAt }
      return { kind: 'live', entry: { type: 'grace-over', at: now } }
    case 'PROCESSING_AI':
      return { kind: 'analyse' }
    case 'ARCHIVED':
    case 'FAILED':
      return { kind: 'nothing-due' }
    default:
      return unreachable(value)
  }
}
