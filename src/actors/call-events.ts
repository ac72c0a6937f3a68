/** Makes supervisor events from lifecycle entries. Pure. */
import { rfc3339 } from '../clock.js'
import { unreachable } from '../errors.js'
import type { AnalysisDigest } from '../protocol/analysis.js'
import type { CallId } from '../protocol/call-id.js'
import type { SupervisorEvent } from '../protocol/event.js'
import type { LifecycleEntry } from '../store/journal.js'
import { endedAlerts } from './call-alerts.js'
import type { CallMachineSnapshot } from './call-machine.js'

/** Distributes over the union, so that each event keeps its own members. */
type Unplaced<Event> = Event extends unknown ? Omit<Event, 'position'> : never
export type UnplacedEvent = Unplaced<SupervisorEvent>
export type LifecycleEvent = Exclude<UnplacedEvent, { readonly event: `packet_${string}` }>

export function eventsOf(
  before: CallMachineSnapshot,
  after: CallMachineSnapshot,
  entry: LifecycleEntry,
): readonly LifecycleEvent[] {
  const head = { at: rfc3339(entry.at), call_id: after.context.callId }
  const change = { event: 'state_changed', ...head, from_state: before.value, to_state: after.value } as const
  switch (entry.type) {
    case 'described':
      return [{ event: 'call_started', ...head, ...entry.details }]
    case 'completed':
      if (before.value === after.value) return []
      return [...alertsOver(before, head), { ...change, reason: entry.reason }]
    case 'grace-over':
      return [{ ...change, reason: 'grace_period_over' }]
    case 'no-audio':
      return [{ ...change, reason: 'no_audio' }]
    case 'analysed':
      return [
        { ...change, reason: 'analysed' },
        { event: 'ai_completed', ...head, ...said(entry.digest) },
      ]
    case 'analysis-failed':
      return [
        { ...change, reason: 'analysis_failed' },
        { event: 'ai_failed', ...head, reason: entry.error },
      ]
    case 'redriven':
      return [{ ...change, reason: 'retried' }]
    case 'attempt-failed': {
      const { attempt, error, nextAttemptAt } = entry
      const wait = { next_attempt_at: rfc3339(nextAttemptAt), wait_ms: nextAttemptAt - entry.at }
      return [{ event: 'ai_attempt_failed', ...head, attempt, error, ...wait }]
    }
    case 'attempt-released': {
      const { attempt, error } = entry
      return [{ event: 'ai_attempt_failed', ...head, attempt, error, next_attempt_at: null, wait_ms: null }]
    }
    case 'alert-raised':
      return [{ event: 'alert_raised', ...head, alert: entry.alert }]
    case 'alert-cleared':
      return [{ event: 'alert_cleared', ...head, alert_id: entry.alertId, to_ms: entry.toMs }]
    case 'alert-acknowledged': {
      const { alertId, by, note } = entry
      return [{ event: 'alert_acknowledged', ...head, alert_id: alertId, acknowledged_by: by, note }]
    }
    case 'leg-started':
    case 'leg-ended':
    case 'noted':
    case 'attempt-started':
    case 'analysis-kept':
    case 'heard':
      return []
    default:
      return unreachable(entry)
  }
}

/** Those that the end of the call ends. */
function alertsOver(
  before: CallMachineSnapshot,
  head: { readonly at: string; readonly call_id: CallId },
): readonly LifecycleEvent[] {
  return endedAlerts(before.context).map(({ alert_id, toMs }) => ({
    event: 'alert_cleared',
    ...head,
    alert_id,
    to_ms: toMs ?? 0,
  }))
}

/** An event is told to every supervisor and kept for those who come back: it has the beginning, the transcript has all. */
function said({ beginning, isTruncated, sentiment, confidence }: AnalysisDigest) {
  const truncated = isTruncated ? ({ truncated: true } as const) : {}
  return { transcription: beginning, ...truncated, sentiment, confidence }
}
