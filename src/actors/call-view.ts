/** The view of a call, live or stored. Pure. */
import { type Millis, rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import type { FindingsState } from '../protocol/analysis.js'
import type { CallState, CallView, DamagedCall, TrackView, WaitingFor } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallRow } from '../protocol/floor.js'
import { mediaOf } from '../protocol/media.js'
import { type HeardCall, insightView, rowAlerts } from './alert-view.js'
import type { CallLegs } from './call-context.js'
import type { CallMachineSnapshot } from './call-machine.js'
import { ReceiveLog } from './receive-log.js'

/**
 * `waitingFor` of a call whose analysis is not over; the journal does not know it. A retry whose time has come waits for
 * something else, and after a restart one may still wait in the journal.
 */
export function callView(
  state: CallMachineSnapshot,
  waitingFor: WaitingFor | null = null,
  now: Millis = 0,
  heard: HeardCall | null = null,
): CallView {
  const { logs, analysis, details, legs, alerts, ...call } = state.context
  const retryAt = (analysis.nextAttemptAt ?? 0) > now ? analysis.nextAttemptAt : null
  const { ranges } = logs.first.missingRanges(0, limits.gapRangesListedMax)
  return {
    call_id: call.callId,
    state: state.value,
    reason: call.reason,
    total_received: logs.totalReceived,
    expected_total_packets: logs.expectedTotal,
    highest_sequence: logs.highestSequence,
    missing_count: logs.missingCount,
    missing_ranges: ranges.map(({ first, last }) => [first, last] as [number, number]),
    surplus_count: logs.surplusCount,
    late_count: logs.lateCount,
    duplicate_count: call.duplicateCount,
    created_at: rfc3339(call.createdAt),
    last_packet_at: logs.totalReceived === 0 ? null : rfc3339(call.lastPacketAt),
    completed_at: time(call.completedAt),
    ended_at: time(call.endedAt),
    media: details.media,
    direction: details.direction ?? null,
    caller: details.caller ?? null,
    callee: details.callee ?? null,
    agent: details.agent ?? null,
    queue: details.queue ?? null,
    metadata: details.metadata ?? {},
    ...tracksView(state),
    ...legsView(legs),
    insight: insightView(alerts, heard),
    ai: {
      attempts: analysis.attempts,
      attempts_total: analysis.attemptsTotal,
      redrives: analysis.redrives,
      waiting_for: state.value === 'PROCESSING_AI' ? (retryAt === null ? waitingFor : 'retry') : null,
      next_attempt_at: time(retryAt),
      provider: analysis.provider,
      transcription: analysis.digest?.beginning ?? null,
      ...(analysis.digest?.isTruncated === true ? { truncated: true as const } : {}),
      ...(analysis.digest?.isIncomplete === true ? { incomplete: true as const } : {}),
      findings: findingsOf(state),
      sentiment: analysis.digest?.sentiment ?? null,
      confidence: analysis.digest?.confidence ?? null,
      error: analysis.error,
    },
  }
}

/** Null where there is nothing to find: the call goes on, or had no audio. */
export function findingsOf({ value, context }: CallMachineSnapshot): FindingsState | null {
  if (value === 'PROCESSING_AI') return 'pending'
  if (value === 'FAILED') return 'failed'
  return context.analysis.digest === null ? null : 'done'
}

/** Of a call that has more than track 0, or names for its tracks. */
function tracksView({ context: { logs, details } }: CallMachineSnapshot): Pick<CallView, 'tracks'> {
  if (!logs.hasOthers && details.tracks === undefined) return {}
  const numbers = new Set([
    ...logs.all().map(({ track }) => track),
    ...(details.tracks ?? []).map(({ track }) => track),
  ])
  const tracks = [...numbers]
    .sort((a, b) => a - b)
    .map((track): TrackView => {
      const log = logs.of(track) ?? emptyLog
      const { ranges } = log.missingRanges(0, limits.gapRangesListedMax)
      return {
        track,
        name: details.tracks?.find((other) => other.track === track)?.name ?? null,
        media: mediaOf(details, track),
        total_received: log.totalReceived,
        expected_total_packets: log.expectedTotal,
        highest_sequence: log.highestSequence,
        missing_count: log.missingCount,
        missing_ranges: ranges.map(({ first, last }) => [first, last] as [number, number]),
        late_count: log.lateCount,
      }
    })
  return { tracks }
}

const emptyLog = new ReceiveLog()

function legsView({ legs, notes, digits }: CallLegs): Pick<CallView, 'legs' | 'notes' | 'digits'> {
  if (legs.length === 0 && notes.length === 0) return {}
  return {
    legs: legs.map(({ leg, dialect, startedAt, endedAt, why, tracks }) => ({
      leg,
      dialect,
      started_at: rfc3339(startedAt),
      ended_at: time(endedAt),
      ended_by: why,
      tracks: tracks.map(({ track, base }) => ({ track, first_sequence: base })),
    })),
    notes: notes.map(({ at, kind, leg, track, text, packets }) => ({
      at: rfc3339(at),
      kind,
      ...(leg === undefined ? {} : { leg }),
      ...(track === undefined ? {} : { track }),
      ...(text === undefined ? {} : { text }),
      ...(packets === undefined ? {} : { packets }),
    })),
    digits,
  }
}

/** The call in a line: what a list of thousands shows. */
export function callRow(state: CallMachineSnapshot): CallRow {
  const { logs, analysis, details, ...call } = state.context
  return {
    call_id: call.callId,
    state: state.value,
    reason: call.reason,
    created_at: rfc3339(call.createdAt),
    last_packet_at: logs.totalReceived === 0 ? null : rfc3339(call.lastPacketAt),
    completed_at: time(call.completedAt),
    ended_at: time(call.endedAt),
    caller: details.caller ?? null,
    callee: details.callee ?? null,
    agent: details.agent ?? null,
    queue: details.queue ?? null,
    total_received: logs.totalReceived,
    expected_total_packets: logs.expectedTotal,
    missing_count: logs.missingCount,
    late_count: logs.lateCount,
    duplicate_count: call.duplicateCount,
    sentiment: analysis.digest?.sentiment ?? null,
    ...rowAlerts(state.context.alerts),
    ai: {
      attempts: analysis.attempts,
      next_attempt_at: time(analysis.nextAttemptAt),
      error: analysis.error,
    },
  }
}

/** In the place of the row or the view of a call that cannot be read as it was written. */
export function damagedCall(callId: CallId, state: CallState | null): DamagedCall {
  return { call_id: callId, state, damaged: true }
}

function time(at: Millis | null): string | null {
  return at === null ? null : rfc3339(at)
}
