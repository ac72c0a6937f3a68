/** What is read back of a call, live or stored: pure. */
import { type Millis, rfc3339 } from '../clock.js'
import { limits } from '../limits.js'
import type { CallView } from '../protocol/call.js'
import type { CallMachineSnapshot } from './call-machine.js'

export function callView(state: CallMachineSnapshot): CallView {
  const { log, analysis, ...call } = state.context
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
    last_packet_at: rfc3339(call.lastPacketAt),
    completed_at: time(call.completedAt),
    ended_at: time(call.endedAt),
    ai: {
      attempts: analysis.attempts,
      next_attempt_at: time(analysis.nextAttemptAt),
      provider: analysis.provider,
      transcription: analysis.result?.transcription ?? null,
      sentiment: analysis.result?.sentiment ?? null,
      confidence: analysis.result?.confidence ?? null,
      error: analysis.error,
    },
  }
}

function time(at: Millis | null): string | null {
  return at === null ? null : rfc3339(at)
}
