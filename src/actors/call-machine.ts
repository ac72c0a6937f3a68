/**
 * The lifecycle of a call, as an XState machine whose events are the journal's lifecycle entries: living through a
 * call and replaying it are the same transitions (V5). It only moves forward, but for a retry by hand (V9).
 *
 *     IN_PROGRESS ──completed──▶ COMPLETED ──grace-over──▶ PROCESSING_AI ──analysed─────────▶ ARCHIVED
 *                                  ↺ completed (a total              ↺ attempt-started  └─analysis-failed─▶ FAILED
 *                                    after an idle timeout)          ├─no-audio──────────▶ ARCHIVED
 *                                                                    ↺ attempt-failed        │
 *                                                                    ↺ attempt-released      │
 *                                                                    ↺ analysis-kept, heard  │
 *                                                                    ▲                       │
 *                                                                    └───────redriven────────┘
 *
 * IN_PROGRESS and COMPLETED take `described`, too: what the PBX says of the call. So they do with `leg-started`, `leg-ended`
 * and `noted`, of the call's media streams.
 *
 * IN_PROGRESS takes `alert-raised` and `alert-cleared`; `completed` ends what is open. Every state takes `alert-acknowledged`.
 *
 * A state admits only the messages that it names (`snapshot.can`), and the caller is told so. No state is `final`,
 * because XState drops messages to a final actor silently. There are no timers in it: deadlines are journaled (V8).
 */
import { assign, type SnapshotFrom, setup } from 'xstate'
import type { CallState } from '../protocol/call.js'
import type { LifecycleFacts } from '../store/journal.js'
import {
  isNewAlert,
  isOpenAlert,
  isUnacknowledged,
  withAcknowledgement,
  withAlert,
  withClearedAlert,
  withEndedAlerts,
} from './call-alerts.js'
import { addsTotal, type CallContext, canCarry, expectTotal, fitsTotal, noAnalysis } from './call-context.js'
import { isOpenLeg, withLeg, withNote, withoutLeg } from './call-legs.js'

type Entry<Type extends LifecycleFacts['type']> = Extract<LifecycleFacts, { type: Type }>

const callSetup = setup({
  types: {
    context: {} as CallContext,
    events: {} as LifecycleFacts,
    input: {} as CallContext,
    tags: {} as 'receiving',
  },
  guards: {
    fitsTotal: ({ context }, entry: Entry<'completed'>) => fitsTotal(context, entry),
    addsTotal: ({ context }, entry: Entry<'completed'>) =>
      addsTotal(context, entry) && fitsTotal(context, entry),
    hasNoAudio: ({ context }) => context.logs.expectedTotal === 0,
    isOpenLeg: ({ context }, leg: string | undefined) => isOpenLeg(context, leg),
    isNewLeg: ({ context }, leg: string) => !isOpenLeg(context, leg),
    isNewAlert: ({ context }, entry: Entry<'alert-raised'>) => isNewAlert(context, entry.alert),
    isOpenAlert: ({ context }, alertId: string) => isOpenAlert(context, alertId),
    isUnacknowledged: ({ context }, alertId: string) => isUnacknowledged(context, alertId),
    fitsPackets: ({ context }, entry: Entry<'described'>) => canCarry(context, entry.details),
    isNextAttempt: ({ context }, attempt: number) => attempt === context.analysis.attempts + 1,
    isThisAttempt: ({ context }, attempt: number) => attempt === context.analysis.attempts,
  },
})

/** In every state: who has taken care of something says so whenever they come to it. */
const always = callSetup.createStateConfig({
  on: {
    'alert-acknowledged': {
      guard: { type: 'isUnacknowledged', params: ({ event }) => event.alertId },
      actions: assign(({ context, event }) => ({ alerts: withAcknowledgement(context, event) })),
    },
  },
}).on

/** Of what is heard while the call runs. */
const whileHeard = callSetup.createStateConfig({
  on: {
    'alert-raised': {
      guard: { type: 'isNewAlert', params: ({ event }) => event },
      actions: assign(({ context, event }) => ({ alerts: withAlert(context, event) })),
    },
    'alert-cleared': {
      guard: { type: 'isOpenAlert', params: ({ event }) => event.alertId },
      actions: assign(({ context, event }) => ({ alerts: withClearedAlert(context, event) })),
    },
  },
}).on

/** The messages of the PBX and its media streams while the call takes packets. */
const whileReceiving = callSetup.createStateConfig({
  on: {
    described: {
      guard: { type: 'fitsPackets', params: ({ event }) => event },
      actions: assign(({ event }) => ({ details: event.details, describedAt: event.at })),
    },
    'leg-started': {
      guard: { type: 'isNewLeg', params: ({ event }) => event.leg },
      actions: assign(({ context, event }) => ({ legs: withLeg(context, event) })),
    },
    'leg-ended': {
      guard: { type: 'isOpenLeg', params: ({ event }) => event.leg },
      actions: assign(({ context, event }) => ({
        legs: withoutLeg(context, event),
        dueAt: event.dueAt ?? context.dueAt,
      })),
    },
    noted: {
      guard: { type: 'isOpenLeg', params: ({ event }) => event.note.leg },
      actions: assign(({ context, event }) => ({ legs: withNote(context, event) })),
    },
  },
}).on

export const callMachine = callSetup.createMachine({
  id: 'call',
  initial: 'IN_PROGRESS',
  context: ({ input }) => input,
  states: {
    IN_PROGRESS: {
      tags: 'receiving',
      on: {
        ...always,
        ...whileHeard,
        ...whileReceiving,
        completed: {
          guard: { type: 'fitsTotal', params: ({ event }) => event },
          target: 'COMPLETED',
          actions: assign(({ context, event }) => {
            expectTotal(context, event)
            return {
              reason: event.reason,
              completedAt: event.at,
              dueAt: event.dueAt,
              alerts: withEndedAlerts(context),
            }
          }),
        },
      },
    },
    COMPLETED: {
      tags: 'receiving',
      on: {
        ...always,
        ...whileReceiving,
        completed: {
          guard: { type: 'addsTotal', params: ({ event }) => event },
          actions: assign(({ context, event }) => {
            expectTotal(context, event)
            return event.reason === 'no_audio' ? { reason: event.reason } : {}
          }),
        },
        'grace-over': {
          target: 'PROCESSING_AI',
          actions: assign(({ event }) => ({ dueAt: event.at })),
        },
      },
    },
    PROCESSING_AI: {
      on: {
        ...always,
        'attempt-started': {
          guard: { type: 'isNextAttempt', params: ({ event }) => event.attempt },
          actions: assign(({ context, event }) => ({
            analysis: {
              ...context.analysis,
              attempts: event.attempt,
              attemptsTotal: context.analysis.attemptsTotal + 1,
              provider: event.provider,
              nextAttemptAt: null,
            },
          })),
        },
        'attempt-failed': {
          guard: { type: 'isThisAttempt', params: ({ event }) => event.attempt },
          actions: assign(({ context, event }) => ({
            dueAt: event.nextAttemptAt,
            analysis: {
              ...context.analysis,
              error: event.error,
              isAwaitingProvider: false,
              spentMs: context.analysis.spentMs + event.spentMs,
              nextAttemptAt: event.nextAttemptAt,
            },
          })),
        },
        'attempt-released': {
          guard: { type: 'isThisAttempt', params: ({ event }) => event.attempt },
          // The deadline stays as early as it was, so that after a restart those who know come first.
          actions: assign(({ context, event }) => ({
            analysis: {
              ...context.analysis,
              attempts: event.attempt - 1,
              error: event.error,
              isAwaitingProvider: true,
              nextAttemptAt: null,
            },
          })),
        },
        'analysis-kept': {
          guard: { type: 'isThisAttempt', params: ({ event }) => event.attempt },
          // Kept results stay in the journal: they may be megabytes, and only the next attempt needs them.
          actions: assign(({ context, event }) =>
            event.isStep ? { analysis: { ...context.analysis, attempts: 1, spentMs: 0 } } : {},
          ),
        },
        'no-audio': {
          guard: 'hasNoAudio',
          target: 'ARCHIVED',
          actions: assign(({ context, event }) => ({
            endedAt: event.at,
            dueAt: null,
            analysis: { ...context.analysis, nextAttemptAt: null },
          })),
        },
        heard: {
          actions: assign(({ context, event }) => ({
            analysis: { ...context.analysis, digest: event.digest },
          })),
        },
        analysed: {
          target: 'ARCHIVED',
          actions: assign(({ context, event }) => ({
            endedAt: event.at,
            dueAt: null,
            analysis: {
              ...context.analysis,
              digest: event.digest,
              error: null,
              isAwaitingProvider: false,
              nextAttemptAt: null,
            },
          })),
        },
        'analysis-failed': {
          target: 'FAILED',
          actions: assign(({ context, event }) => ({
            endedAt: event.at,
            dueAt: null,
            analysis: {
              ...context.analysis,
              error: event.error,
              isAwaitingProvider: false,
              nextAttemptAt: null,
            },
          })),
        },
      },
    },
    ARCHIVED: { on: { ...always } },
    FAILED: {
      on: {
        ...always,
        redriven: {
          target: 'PROCESSING_AI',
          actions: assign(({ context, event }) => ({
            endedAt: null,
            dueAt: event.at,
            analysis: {
              ...noAnalysis,
              attemptsTotal: context.analysis.attemptsTotal,
              redrives: context.analysis.redrives + 1,
              digest: context.analysis.digest,
            },
          })),
        },
      },
    },
  },
})

export type CallMachineSnapshot = SnapshotFrom<typeof callMachine>

const shapes = new Map<CallState, CallMachineSnapshot>()

/** A call in that state. What says the same of every call in it (its tags and nodes, 0.3 KB) is there once for all. */
export function stateOf(value: CallState, context: CallContext): CallMachineSnapshot {
  let shape = shapes.get(value)
  if (shape === undefined) {
    shape = callMachine.resolveState({ value, context })
    // XState makes new ones where it changes them; if it ever did not, it would have to be seen.
    for (const shared of [shape.children, shape.historyValue, shape._nodes]) Object.freeze(shared)
    shapes.set(value, shape)
  }
  return { ...shape, context } as CallMachineSnapshot
}
