/**
 * Pure: from snapshot and entries to the state that a call starts from, and from a call to its snapshot. Replaying a
 * call gives the same receive log and lifecycle as living through it (V5).
 */
import assert from 'node:assert/strict'
import { transition } from 'xstate'
import type { CallId } from '../protocol/call-id.js'
import { type Media, textMedia } from '../protocol/media.js'
import type { CallSnapshot, ReplayEntry } from '../store/journal.js'
import { type AnalysisFacts, type CallContext, noAlerts, noAnalysis, noLegs } from './call-context.js'
import { type CallMachineSnapshot, callMachine, stateOf } from './call-machine.js'
import { TrackLogs } from './track-logs.js'

type Body = Omit<
  CallContext,
  | 'callId'
  | 'logs'
  | 'createdAt'
  | 'dueAt'
  | 'endedAt'
  | 'analysis'
  | 'details'
  | 'describedAt'
  | 'legs'
  | 'alerts'
> & {
  /** By track, as `TrackLogs` writes them. */
  readonly logs: readonly (string | null)[]
  /** Without what was unknown when it was written. */
  readonly analysis: Partial<AnalysisFacts>
} & Partial<Pick<CallContext, 'details' | 'describedAt' | 'legs' | 'alerts'>>

export function snapshotOf(state: CallMachineSnapshot, isSettled: boolean): CallSnapshot {
  const { callId: _, logs, createdAt, dueAt, endedAt, legs, alerts, ...rest } = state.context
  const body: Body = {
    ...rest,
    logs: logs.snapshot(),
    ...(legs === noLegs ? {} : { legs }),
    ...(alerts.length === 0 ? {} : { alerts }),
  }
  return { state: state.value, createdAt, dueAt, endedAt, isSettled, body: JSON.stringify(body) }
}

/** `media` of a call that was stored before anybody could say it. */
export function restoreSnapshot(
  callId: CallId,
  snapshot: CallSnapshot,
  media: Media = textMedia,
): CallMachineSnapshot {
  // The body is our own, written by `snapshotOf`; the journal's checksum answers for it.
  const { logs, analysis, ...rest }: Body = JSON.parse(snapshot.body)
  const context: CallContext = {
    details: { media },
    describedAt: null,
    legs: noLegs,
    alerts: noAlerts,
    ...rest,
    // Before there were redrives, what counted was all there was.
    analysis: { ...noAnalysis, attemptsTotal: analysis.attempts ?? 0, ...analysis },
    callId,
    createdAt: snapshot.createdAt,
    dueAt: snapshot.dueAt,
    endedAt: snapshot.endedAt,
    logs: TrackLogs.restore(logs),
  }
  return stateOf(snapshot.state, context)
}

export function replay(start: CallMachineSnapshot, entries: readonly ReplayEntry[]): CallMachineSnapshot {
  let state = start
  for (const entry of entries) {
    if (entry.type === 'packet') {
      const { track = 0, sequence, count = 1 } = entry
      const log = state.context.logs.open(track)
      let isNew = false
      // One that stands twice was never told to be stored twice: the first stays, and the store drops the other.
      for (let number = sequence; number < sequence + count; number++)
        if (log.mark(number) !== 'duplicate') isNew = true
      if (isNew) state.context.lastPacketAt = entry.receivedAt
    } else if (entry.type !== 'dropped') {
      assert(state.can(entry), `a journaled ${entry.type} follows from ${state.value}`)
      state = transition(callMachine, state, entry)[0]
    }
  }
  return state
}
