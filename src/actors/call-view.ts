/** The view of a call, live or stored. Pure. */
import { type Millis, rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import type { FindingsState } from '../protocol/analysis.js'
import type { CallState, CallView, DamagedCall, WaitingFor } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallRow } from '../protocol/floor.js'
import type { CallMachineSnapshot } from './call-machine.js'

/**
 * `waitingFor` of a call whose analysis is not over; the journal does not know it. A retry whose time has come waits for
 * something else, and after a restart one may still wait in the journal.
 */
export function callView(
  state: CallMachineSnapshot,
  waitingFor: WaitingFor | null = null,
  now: Millis = 0,
): CallView {
  const { log, analysis, details, ...call } = state.context
  const retryAt = (analysis.nextAttemptAt ?? 0) > now ? analysis.nextAttemptAt : null
  const { ranges } = log.missingRanges(0, limits.gapRangesListedMax)
  return {
    call_id: call.callId,
    state: state.value,
    reason: call.reason,
    total_received: log.totalReceived,
    expected_total_packets: log.expectedTotal,
    highest_sequence: log.highestSequence,
    missing_count: log.missingCount,
    missing_ranges: ranges.map(({ first, last }) => [first, last] as [number, number]),
    surplus_count: log.surplusCount,
    late_count: log.lateCount,
    duplicate_count: call.duplicateCount,
    created_at: rfc3339(call.createdAt),
    last_packet_at: log.totalReceived === 0 ? null : rfc3339(call.lastPacketAt),
    completed_at: time(call.completedAt),
    ended_at: time(call.endedAt),
    media: details.media,
    direction: details.direction ?? null,
    caller: details.caller ?? null,
    callee: details.callee ?? null,
    agent: details.agent ?? null,
    queue: details.queue ?? null,
    metadata: details.metadata ?? {},
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

/** The call in a line: what a list of thousands shows. */
export function callRow(state: CallMachineSnapshot): CallRow {
  const { log, analysis, details, ...call } = state.context
  return {
    call_id: call.callId,
    state: state.value,
    reason: call.reason,
    created_at: rfc3339(call.createdAt),
    last_packet_at: log.totalReceived === 0 ? null : rfc3339(call.lastPacketAt),
    completed_at: time(call.completedAt),
    ended_at: time(call.endedAt),
    agent: details.agent ?? null,
    queue: details.queue ?? null,
    total_received: log.totalReceived,
    expected_total_packets: log.expectedTotal,
    missing_count: log.missingCount,
    late_count: log.lateCount,
    duplicate_count: call.duplicateCount,
    sentiment: analysis.digest?.sentiment ?? null,
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
