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
 * IN_PROGRESS and COMPLETED take `described`, too: what the PBX says of the call.
 *
 * What a state does not name, it does not admit (`snapshot.can`), and the caller is told so. No state is `final`,
 * because XState drops messages to a final actor silently. There are no timers in it: deadlines are journaled (V8).
 */
import { assign, type SnapshotFrom, setup } from 'xstate'
import type { Millis } from '../clock.js'
import type { AnalysisDigest, WordsDigest } from '../protocol/analysis.js'
import type { CallState, CompletionReason } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import { type CallDetails, isSameMedia, type Media, textMedia } from '../protocol/media.js'
import type { LifecycleFacts } from '../store/journal.js'
import type { ReceiveLog } from './receive-log.js'

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

export interface CallContext {
  readonly callId: CallId
  readonly createdAt: Millis
  /** Changed in place by packets, as the counts below and the log are: they never pass through a transition. */
  lastPacketAt: Millis
  duplicateCount: number
  readonly log: ReceiveLog
  readonly details: CallDetails
  /** When the PBX said so; null while nobody has, and the settings speak for it. */
  readonly describedAt: Millis | null
  readonly reason: CompletionReason | null
  readonly completedAt: Millis | null
  readonly endedAt: Millis | null
  /** The next deadline as journaled. An idle deadline may lie earlier than it is: the call looks again then. */
  readonly dueAt: Millis | null
  readonly analysis: AnalysisFacts
}

type Entry<Type extends LifecycleFacts['type']> = Extract<LifecycleFacts, { type: Type }>

export const callMachine = setup({
  types: {
    context: {} as CallContext,
    events: {} as LifecycleFacts,
    input: {} as CallContext,
    tags: {} as 'receiving',
  },
  guards: {
    fitsTotal: ({ context }, entry: Entry<'completed'>) => fitsTotal(context, entry),
    hasNoTotal: ({ context }, entry: Entry<'completed'>) =>
      context.log.expectedTotal === null && entry.totalPackets !== null && fitsTotal(context, entry),
    hasNoAudio: ({ context }) => context.log.expectedTotal === 0,
    fitsPackets: ({ context }, entry: Entry<'described'>) => canCarry(context, entry.details.media),
    isNextAttempt: ({ context }, attempt: number) => attempt === context.analysis.attempts + 1,
    isThisAttempt: ({ context }, attempt: number) => attempt === context.analysis.attempts,
  },
}).createMachine({
  id: 'call',
  initial: 'IN_PROGRESS',
  context: ({ input }) => input,
  states: {
    IN_PROGRESS: {
      tags: 'receiving',
      on: {
        described: {
          guard: { type: 'fitsPackets', params: ({ event }) => event },
          actions: assign(({ event }) => ({ details: event.details, describedAt: event.at })),
        },
        completed: {
          guard: { type: 'fitsTotal', params: ({ event }) => event },
          target: 'COMPLETED',
          actions: assign(({ context, event }) => {
            expectTotal(context, event)
            return { reason: event.reason, completedAt: event.at, dueAt: event.dueAt }
          }),
        },
      },
    },
    COMPLETED: {
      tags: 'receiving',
      on: {
        described: {
          guard: { type: 'fitsPackets', params: ({ event }) => event },
          actions: assign(({ event }) => ({ details: event.details, describedAt: event.at })),
        },
        completed: {
          guard: { type: 'hasNoTotal', params: ({ event }) => event },
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
          // What is kept stays in the journal: it may be megabytes, and nobody needs it but the next attempt.
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
    ARCHIVED: {},
    FAILED: {
      on: {
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

/** A total of 0 says that the call was never answered: so it must have been started, and nothing must have come. */
function fitsTotal({ log, describedAt }: CallContext, { totalPackets }: Entry<'completed'>): boolean {
  return totalPackets !== 0 || (describedAt !== null && log.totalReceived === 0)
}

/**
 * The log is changed in place, like everything else that packets count; so this stands inside an `assign`, which runs
 * in a pure transition too (a replay), where other actions are only handed back.
 */
function expectTotal(context: CallContext, entry: Entry<'completed'>): void {
  if (entry.totalPackets !== null) context.log.expect(entry.totalPackets)
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

/** What packets carry cannot be said anew once some are stored; before anybody has said it, it was only assumed. */
export function canCarry({ describedAt, details, log }: CallContext, media: Media): boolean {
  return describedAt === null || log.totalReceived === 0 || isSameMedia(details.media, media)
}

export function newCall(
  callId: CallId,
  createdAt: Millis,
  dueAt: Millis,
  log: ReceiveLog,
  media: Media = textMedia,
): CallContext {
  return {
    callId,
    createdAt,
    lastPacketAt: createdAt,
    duplicateCount: 0,
    log,
    details: { media },
    describedAt: null,
    reason: null,
    completedAt: null,
    endedAt: null,
    dueAt,
    analysis: noAnalysis,
  }
}
