/** The result of a run, from its calls and their audits. Pure. */
import type { Difference } from './account.js'
import type { Audit } from './call-auditor.js'
import type { SimulatedCall } from './simulated-call.js'

/** A line of the table; the counts are the simulator's own. */
export interface CallRow {
  readonly callId: string
  /** Packets sent and answered, repetitions counted. */
  readonly sent: number
  readonly accepted: number
  readonly duplicate: number
  readonly late: number
  readonly missing: number
  /** The final state, or a dash when it is not known. */
  readonly state: string
  /** The transcript, or the error of a failed analysis. */
  readonly transcript: string
}

export type Outcome = 'exact' | 'differs' | 'unfinished' | 'interrupted'

export interface Verdict {
  readonly outcome: Outcome
  readonly found: readonly { readonly callId: string; readonly difference: Difference }[]
  readonly comparedCount: number
  /** Reason → the calls whose accounts were not compared in full. */
  readonly notCompared: ReadonlyMap<string, readonly string[]>
  /** The calls that were played, waited for, and did not end. */
  readonly unended: readonly string[]
  readonly rejectedCount: number
  readonly unansweredTries: number
}

export function rowOf({ callId, counts }: SimulatedCall, audit: Audit | undefined): CallRow {
  const view = audit?.view ?? null
  const { sent, accepted, duplicate, late, missing } = counts
  return {
    callId,
    sent,
    accepted,
    duplicate,
    late,
    missing,
    state: view?.state ?? '–',
    transcript: view?.transcription ?? view?.error ?? '',
  }
}

/** A difference weighs most: it is a fault of the service even in a run that was cut short. */
export function judge(run: {
  calls: readonly SimulatedCall[]
  audits: ReadonlyMap<string, Audit>
  waitsForEnds: boolean
  isInterrupted: boolean
}): Verdict {
  const { calls, audits, waitsForEnds, isInterrupted } = run
  const found: { callId: string; difference: Difference }[] = []
  const notCompared = new Map<string, string[]>()
  const unended: string[] = []
  for (const { callId, playing } of calls) {
    const audit = audits.get(callId)
    for (const difference of audit?.differences ?? []) found.push({ callId, difference })
    const reason = audit === undefined ? 'not audited' : audit.notCompared
    if (reason !== null) notCompared.set(reason, [...(notCompared.get(reason) ?? []), callId])
    if (waitsForEnds && playing.kind === 'played' && !audit?.isEnded) unended.push(callId)
  }
  const notComparedCount = [...notCompared.values()].reduce((sum, callIds) => sum + callIds.length, 0)
  const isUnfinished = notComparedCount > 0 || unended.length > 0
  const fallback: Outcome = isInterrupted ? 'interrupted' : isUnfinished ? 'unfinished' : 'exact'
  return {
    outcome: found.length > 0 ? 'differs' : fallback,
    found,
    comparedCount: calls.length - notComparedCount,
    notCompared,
    unended,
    rejectedCount: calls.reduce((sum, { counts }) => sum + counts.rejected, 0),
    unansweredTries: calls.reduce((sum, { counts }) => sum + counts.unansweredTries, 0),
  }
}
