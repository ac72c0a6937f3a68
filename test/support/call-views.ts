import type { CallView } from '../../src/protocol/call.js'
import type { CallRow } from '../../src/protocol/floor.js'

/** The view of a call of which nothing is known but its name. */
export const emptyCallView: CallView = {
  call_id: 'a',
  state: 'IN_PROGRESS',
  reason: null,
  total_received: 0,
  expected_total_packets: null,
  highest_sequence: null,
  missing_count: 0,
  missing_ranges: [],
  surplus_count: 0,
  late_count: 0,
  duplicate_count: 0,
  created_at: '2026-01-01T10:00:00.000Z',
  last_packet_at: null,
  completed_at: null,
  ended_at: null,
  media: { encoding: 'text', sample_rate: 8000, channels: 1 },
  direction: null,
  caller: null,
  callee: null,
  agent: null,
  queue: null,
  metadata: {},
  insight: null,
  ai: {
    attempts: 0,
    attempts_total: 0,
    redrives: 0,
    waiting_for: null,
    next_attempt_at: null,
    provider: null,
    transcription: null,
    findings: null,
    sentiment: null,
    confidence: null,
    error: null,
  },
}

/** Of a call that has begun, and of which nobody has said anything. */
export function callRowOf(callId: string, change: Partial<CallRow> = {}): CallRow {
  return {
    call_id: callId,
    state: 'IN_PROGRESS',
    reason: null,
    created_at: emptyCallView.created_at,
    last_packet_at: null,
    completed_at: null,
    ended_at: null,
    caller: null,
    callee: null,
    agent: null,
    queue: null,
    total_received: 1,
    expected_total_packets: null,
    missing_count: 0,
    late_count: 0,
    duplicate_count: 0,
    sentiment: null,
    alerts: 0,
    worst: null,
    ai: { attempts: 0, next_attempt_at: null, error: null },
    ...change,
  }
}
