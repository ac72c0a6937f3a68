/** Every state × every lifecycle entry: the table is written out, and complete. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createActor, transition } from 'xstate'
import { newCall, noAnalysis } from '../../src/actors/call-context.js'
import { type CallMachineSnapshot, callMachine } from '../../src/actors/call-machine.js'
import { TrackLogs } from '../../src/actors/track-logs.js'
import type { RaisedAlert } from '../../src/protocol/alert.js'
import type { CallState } from '../../src/protocol/call.js'
import { callStates } from '../../src/protocol/call-states.js'
import { textMedia } from '../../src/protocol/media.js'
import type { LifecycleEntry } from '../../src/store/journal.js'
import { analysed } from '../support/analysed.js'
import { callId, result } from '../support/calls.js'
import { holds } from '../support/property.js'

const at = 1_700_000_000_000

const firstLeg = {
  type: 'leg-started',
  at,
  leg: 'l1',
  dialect: 'twilio',
  run: 'r1',
  tracks: [{ track: 0, base: 0 }],
} as const

const firstAlert: RaisedAlert = {
  alert_id: 'noise:0:1',
  kind: 'noise',
  severity: 'notice',
  channel: 0,
  from_ms: 1000,
  since: '2023-11-14T22:13:20.000Z',
  certain: true,
}

/** In every state below a leg is open, an alert was raised, and one attempt was started, where the state can have one. */
const entries = {
  'completed, with a total': {
    type: 'completed',
    at,
    reason: 'completed',
    totalPackets: 3,
    dueAt: at + 3000,
  },
  'completed, without a total': {
    type: 'completed',
    at,
    reason: 'idle_timeout',
    totalPackets: null,
    dueAt: at + 3000,
  },
  'completed, with a total of 0': { type: 'completed', at, reason: 'no_audio', totalPackets: 0, dueAt: at },
  'no-audio': { type: 'no-audio', at },
  'grace-over': { type: 'grace-over', at },
  'attempt-started, the next one': { type: 'attempt-started', at, attempt: 2, provider: 'fake' },
  'attempt-started, the one that is known': { type: 'attempt-started', at, attempt: 1, provider: 'fake' },
  'attempt-started, one too far': { type: 'attempt-started', at, attempt: 3, provider: 'fake' },
  'attempt-failed, the running one': {
    type: 'attempt-failed',
    at,
    attempt: 1,
    error: 'no',
    spentMs: 5,
    nextAttemptAt: at + 1000,
  },
  'attempt-failed, another one': {
    type: 'attempt-failed',
    at,
    attempt: 2,
    error: 'no',
    spentMs: 5,
    nextAttemptAt: at + 1000,
  },
  analysed: await analysed(result, at),
  'analysis-failed': { type: 'analysis-failed', at, error: 'no' },
  heard: {
    type: 'heard',
    at: at + 8,
    digest: { beginning: 'Hello.', isTruncated: false, bytes: 9 },
    text: '{}',
  },
  'attempt-released, the running one': { type: 'attempt-released', at: at + 7, attempt: 1, error: 'down' },
  'attempt-released, another one': { type: 'attempt-released', at, attempt: 2, error: 'down' },
  'analysis-kept, by the running one': {
    type: 'analysis-kept',
    at,
    attempt: 1,
    key: 'k',
    text: 't',
    isStep: true,
  },
  'analysis-kept, by another one': {
    type: 'analysis-kept',
    at,
    attempt: 2,
    key: 'k',
    text: 't',
    isStep: true,
  },
  redriven: { type: 'redriven', at: at + 9 },
  described: { type: 'described', at, details: { media: textMedia, agent: 'maria' } },
  'leg-started, another one': { ...firstLeg, leg: 'l2' },
  'leg-started, the open one': firstLeg,
  'leg-ended, the open one': {
    type: 'leg-ended',
    at,
    leg: 'l1',
    why: 'stopped',
    totals: [7],
    dueAt: at + 2000,
  },
  'leg-ended, another one': { type: 'leg-ended', at, leg: 'l2', why: 'lost', totals: null, dueAt: null },
  'noted, of the open leg': { type: 'noted', at, note: { kind: 'dtmf', leg: 'l1' } },
  'noted, of another leg': { type: 'noted', at, note: { kind: 'dtmf', leg: 'l2' } },
  'alert-raised, another one': { type: 'alert-raised', at, alert: { ...firstAlert, alert_id: 'noise:0:2' } },
  'alert-raised, the known one': { type: 'alert-raised', at, alert: firstAlert },
  'alert-cleared, the open one': { type: 'alert-cleared', at, alertId: 'noise:0:1', toMs: 9000 },
  'alert-cleared, another one': { type: 'alert-cleared', at, alertId: 'noise:0:2', toMs: 9000 },
  'alert-acknowledged, the known one': {
    type: 'alert-acknowledged',
    at,
    alertId: 'noise:0:1',
    by: 'maria',
    note: null,
  },
  'alert-acknowledged, another one': {
    type: 'alert-acknowledged',
    at,
    alertId: 'noise:0:2',
    by: 'maria',
    note: null,
  },
} as const satisfies Record<string, LifecycleEntry>

type EntryName = keyof typeof entries

/** '·' is "not admitted". COMPLETED stands twice: a call that the idle timeout completed still takes its total. */
const table: Record<CallState | 'COMPLETED without a total', Record<EntryName, CallState | '·'>> = {
  IN_PROGRESS: {
    'completed, with a total': 'COMPLETED',
    'completed, without a total': 'COMPLETED',
    'completed, with a total of 0': '·',
    'no-audio': '·',
    'grace-over': '·',
    'attempt-started, the next one': '·',
    'attempt-started, the one that is known': '·',
    'attempt-started, one too far': '·',
    'attempt-failed, the running one': '·',
    'attempt-failed, another one': '·',
    analysed: '·',
    'analysis-failed': '·',
    heard: '·',
    'attempt-released, the running one': '·',
    'attempt-released, another one': '·',
    'analysis-kept, by the running one': '·',
    'analysis-kept, by another one': '·',
    redriven: '·',
    described: 'IN_PROGRESS',
    'leg-started, another one': 'IN_PROGRESS',
    'leg-started, the open one': '·',
    'leg-ended, the open one': 'IN_PROGRESS',
    'leg-ended, another one': '·',
    'noted, of the open leg': 'IN_PROGRESS',
    'noted, of another leg': '·',
    'alert-raised, another one': 'IN_PROGRESS',
    'alert-raised, the known one': '·',
    'alert-cleared, the open one': 'IN_PROGRESS',
    'alert-cleared, another one': '·',
    'alert-acknowledged, the known one': 'IN_PROGRESS',
    'alert-acknowledged, another one': '·',
  },
  COMPLETED: {
    'completed, with a total': '·',
    'completed, without a total': '·',
    'completed, with a total of 0': '·',
    'no-audio': '·',
    'grace-over': 'PROCESSING_AI',
    'attempt-started, the next one': '·',
    'attempt-started, the one that is known': '·',
    'attempt-started, one too far': '·',
    'attempt-failed, the running one': '·',
    'attempt-failed, another one': '·',
    analysed: '·',
    'analysis-failed': '·',
    heard: '·',
    'attempt-released, the running one': '·',
    'attempt-released, another one': '·',
    'analysis-kept, by the running one': '·',
    'analysis-kept, by another one': '·',
    redriven: '·',
    described: 'COMPLETED',
    'leg-started, another one': 'COMPLETED',
    'leg-started, the open one': '·',
    'leg-ended, the open one': 'COMPLETED',
    'leg-ended, another one': '·',
    'noted, of the open leg': 'COMPLETED',
    'noted, of another leg': '·',
    'alert-raised, another one': '·',
    'alert-raised, the known one': '·',
    'alert-cleared, the open one': '·',
    'alert-cleared, another one': '·',
    'alert-acknowledged, the known one': 'COMPLETED',
    'alert-acknowledged, another one': '·',
  },
  'COMPLETED without a total': {
    'completed, with a total': 'COMPLETED',
    'completed, without a total': '·',
    'completed, with a total of 0': '·',
    'no-audio': '·',
    'grace-over': 'PROCESSING_AI',
    'attempt-started, the next one': '·',
    'attempt-started, the one that is known': '·',
    'attempt-started, one too far': '·',
    'attempt-failed, the running one': '·',
    'attempt-failed, another one': '·',
    analysed: '·',
    'analysis-failed': '·',
    heard: '·',
    'attempt-released, the running one': '·',
    'attempt-released, another one': '·',
    'analysis-kept, by the running one': '·',
    'analysis-kept, by another one': '·',
    redriven: '·',
    described: 'COMPLETED',
    'leg-started, another one': 'COMPLETED',
    'leg-started, the open one': '·',
    'leg-ended, the open one': 'COMPLETED',
    'leg-ended, another one': '·',
    'noted, of the open leg': 'COMPLETED',
    'noted, of another leg': '·',
    'alert-raised, another one': '·',
    'alert-raised, the known one': '·',
    'alert-cleared, the open one': '·',
    'alert-cleared, another one': '·',
    'alert-acknowledged, the known one': 'COMPLETED',
    'alert-acknowledged, another one': '·',
  },
  PROCESSING_AI: {
    'completed, with a total': '·',
    'completed, without a total': '·',
    'completed, with a total of 0': '·',
    'no-audio': '·',
    'grace-over': '·',
    'attempt-started, the next one': 'PROCESSING_AI',
    'attempt-started, the one that is known': '·',
    'attempt-started, one too far': '·',
    'attempt-failed, the running one': 'PROCESSING_AI',
    'attempt-failed, another one': '·',
    analysed: 'ARCHIVED',
    'analysis-failed': 'FAILED',
    heard: 'PROCESSING_AI',
    'attempt-released, the running one': 'PROCESSING_AI',
    'attempt-released, another one': '·',
    'analysis-kept, by the running one': 'PROCESSING_AI',
    'analysis-kept, by another one': '·',
    redriven: '·',
    described: '·',
    'leg-started, another one': '·',
    'leg-started, the open one': '·',
    'leg-ended, the open one': '·',
    'leg-ended, another one': '·',
    'noted, of the open leg': '·',
    'noted, of another leg': '·',
    'alert-raised, another one': '·',
    'alert-raised, the known one': '·',
    'alert-cleared, the open one': '·',
    'alert-cleared, another one': '·',
    'alert-acknowledged, the known one': 'PROCESSING_AI',
    'alert-acknowledged, another one': '·',
  },
  ARCHIVED: {
    'completed, with a total': '·',
    'completed, without a total': '·',
    'completed, with a total of 0': '·',
    'no-audio': '·',
    'grace-over': '·',
    'attempt-started, the next one': '·',
    'attempt-started, the one that is known': '·',
    'attempt-started, one too far': '·',
    'attempt-failed, the running one': '·',
    'attempt-failed, another one': '·',
    analysed: '·',
    'analysis-failed': '·',
    heard: '·',
    'attempt-released, the running one': '·',
    'attempt-released, another one': '·',
    'analysis-kept, by the running one': '·',
    'analysis-kept, by another one': '·',
    redriven: '·',
    described: '·',
    'leg-started, another one': '·',
    'leg-started, the open one': '·',
    'leg-ended, the open one': '·',
    'leg-ended, another one': '·',
    'noted, of the open leg': '·',
    'noted, of another leg': '·',
    'alert-raised, another one': '·',
    'alert-raised, the known one': '·',
    'alert-cleared, the open one': '·',
    'alert-cleared, another one': '·',
    'alert-acknowledged, the known one': 'ARCHIVED',
    'alert-acknowledged, another one': '·',
  },
  FAILED: {
    'completed, with a total': '·',
    'completed, without a total': '·',
    'completed, with a total of 0': '·',
    'no-audio': '·',
    'grace-over': '·',
    'attempt-started, the next one': '·',
    'attempt-started, the one that is known': '·',
    'attempt-started, one too far': '·',
    'attempt-failed, the running one': '·',
    'attempt-failed, another one': '·',
    analysed: '·',
    'analysis-failed': '·',
    heard: '·',
    'attempt-released, the running one': '·',
    'attempt-released, another one': '·',
    'analysis-kept, by the running one': '·',
    'analysis-kept, by another one': '·',
    redriven: 'PROCESSING_AI',
    described: '·',
    'leg-started, another one': '·',
    'leg-started, the open one': '·',
    'leg-ended, the open one': '·',
    'leg-ended, another one': '·',
    'noted, of the open leg': '·',
    'noted, of another leg': '·',
    'alert-raised, another one': '·',
    'alert-raised, the known one': '·',
    'alert-cleared, the open one': '·',
    'alert-cleared, another one': '·',
    'alert-acknowledged, the known one': 'FAILED',
    'alert-acknowledged, another one': '·',
  },
}

function begin(): CallMachineSnapshot {
  const context = newCall(callId('c1'), at, at + 900_000, new TrackLogs())
  const started = move(callMachine.resolveState({ value: 'IN_PROGRESS', context }), firstLeg)
  return move(started, { type: 'alert-raised', at, alert: firstAlert })
}

const roads: Record<keyof typeof table, readonly EntryName[]> = {
  IN_PROGRESS: [],
  COMPLETED: ['completed, with a total'],
  'COMPLETED without a total': ['completed, without a total'],
  PROCESSING_AI: ['completed, with a total', 'grace-over', 'attempt-started, the one that is known'],
  ARCHIVED: ['completed, with a total', 'grace-over', 'attempt-started, the one that is known', 'analysed'],
  FAILED: [
    'completed, with a total',
    'grace-over',
    'attempt-started, the one that is known',
    'analysis-failed',
  ],
}

function move(state: CallMachineSnapshot, entry: LifecycleEntry): CallMachineSnapshot {
  return transition(callMachine, state, entry)[0]
}

function bring(name: keyof typeof table): CallMachineSnapshot {
  return roads[name].reduce((state, entry) => move(state, entries[entry]), begin())
}

const order: Record<CallState, number> = {
  IN_PROGRESS: 0,
  COMPLETED: 1,
  PROCESSING_AI: 2,
  ARCHIVED: 3,
  FAILED: 3,
}

describe('the table of the call machine', () => {
  test('has every state and every entry of the machine, and no other', () => {
    const states = Object.keys(table).map((name) => name.split(' ')[0])
    assert.deepEqual(new Set(states), new Set(callStates))
    assert.deepEqual(new Set(Object.keys(callMachine.states)), new Set(callStates))
    assert.deepEqual(new Set(Object.values(entries).map(({ type }) => type)), new Set(callMachine.events))
    for (const row of Object.values(table)) assert.deepEqual(Object.keys(row), Object.keys(entries))
  })

  for (const [name, row] of Object.entries(table) as [keyof typeof table, (typeof table)['FAILED']][])
    for (const [entryName, answer] of Object.entries(row) as [EntryName, CallState | '·'][])
      test(`says that in ${name} the entry “${entryName}” ${answer === '·' ? 'is not admitted' : `leads to ${answer}`}`, () => {
        // Guards against: a transition backwards (V9), a second outcome (V10), a total that changes, an attempt counted twice.
        const state = bring(name)
        const entry = entries[entryName]
        assert.equal(state.can(entry), answer !== '·')
        const next = move(state, entry)
        assert.equal(next.value, answer === '·' ? state.value : answer)
        if (answer === '·') assert.deepEqual(next.context, state.context)
        assert.equal(next.status, 'active')
      })
})

describe('the lifecycle', () => {
  test('has no final state, so that no message is dropped silently', () => {
    for (const name of Object.keys(table) as (keyof typeof table)[])
      assert.equal(bring(name).status, 'active')
    for (const state of Object.values(callMachine.states)) assert.notEqual(state.type, 'final')
  })

  test('has no timers and no children: deadlines are journaled times (V8)', () => {
    // XState does not arm `after` again on a restart, and calls an invoked provider twice.
    for (const state of Object.values(callMachine.states)) {
      assert.deepEqual(state.after, [])
      assert.deepEqual(state.invoke, [])
    }
  })

  test('only moves forward, whatever comes in whatever order, but for a retry of what has failed (V9)', async (t) => {
    const all: readonly LifecycleEntry[] = Object.values(entries)
    // What takes a call all the way, because chance alone seldom does.
    const road: readonly LifecycleEntry[] = roads.FAILED.map((name) => entries[name])
    const steps = fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...all).map((entry) => [entry]) },
      { weight: 1, arbitrary: fc.constant([...road, entries.redriven]) },
    )
    let moves = 0
    let retries = 0
    await holds(t, fc.array(steps, { maxLength: 30 }), 300, (sequence) => {
      const actor = createActor(callMachine, { snapshot: begin(), input: begin().context }).start()
      let before = actor.getSnapshot()
      for (const entry of sequence.flat()) {
        actor.send(entry)
        const after = actor.getSnapshot()
        if (before.value === 'FAILED' && entry.type === 'redriven') {
          assert.equal(after.value, 'PROCESSING_AI')
          retries++
        } else {
          assert(order[after.value] >= order[before.value], `${before.value} → ${after.value}`)
          if (order[before.value] === 3) assert.equal(after.value, before.value)
        }
        assert(order[after.value] - order[before.value] <= 1, 'no state is skipped')
        assert(after.context.analysis.attempts - before.context.analysis.attempts <= 1)
        if (after.value !== before.value) moves++
        before = after
      }
      actor.stop()
    })
    assert(moves > 100, `${moves} moves`)
    assert(retries > 10, `${retries} retries`)
  })

  test('keeps the total, the reason and the deadline of its first completion', () => {
    const idle = bring('COMPLETED without a total')
    const late = move(idle, { ...entries['completed, with a total'], at: at + 1, dueAt: at + 9999 })
    assert.equal(late.context.logs.expectedTotal, 3)
    assert.equal(late.context.reason, 'idle_timeout')
    assert.equal(late.context.completedAt, at)
    assert.equal(late.context.dueAt, at + 3000)
  })

  test('adds up what attempts have used and forgets their error once one succeeds', () => {
    let state = bring('PROCESSING_AI')
    state = move(state, entries['attempt-failed, the running one'])
    assert.equal(state.context.analysis.spentMs, 5)
    assert.equal(state.context.dueAt, at + 1000)
    assert.equal(state.context.analysis.nextAttemptAt, at + 1000)
    state = move(state, entries['attempt-started, the next one'])
    assert.equal(state.context.analysis.nextAttemptAt, null)
    state = move(state, { ...entries['attempt-failed, another one'], spentMs: 7 })
    assert.equal(state.context.analysis.spentMs, 12)
    state = move(state, entries.analysed)
    assert.deepEqual(state.context.analysis.digest, entries.analysed.digest)
    assert.equal(state.context.analysis.error, null)
    assert.equal(state.context.dueAt, null)
    assert.equal(state.context.endedAt, at)
  })

  test('gives an attempt back that was the provider’s fault, with its budget and its early deadline', () => {
    // Guards against an outage that uses up what calls have.
    const before = bring('PROCESSING_AI')
    const after = move(before, entries['attempt-released, the running one'])
    assert.deepEqual(after.context.analysis, {
      ...before.context.analysis,
      attempts: 0,
      error: 'down',
      isAwaitingProvider: true,
    })
    assert.equal(after.context.dueAt, before.context.dueAt)
    const again = move(after, entries['attempt-started, the one that is known'])
    assert.deepEqual([again.context.analysis.attempts, again.context.analysis.attemptsTotal], [1, 2])
    const counted = move(again, entries['attempt-failed, the running one'])
    assert.equal(counted.context.analysis.isAwaitingProvider, false)
  })

  test('takes a total of 0 for a call that was started and has no packets, and ends it without an analysis', () => {
    const started = move(begin(), entries.described)
    assert.equal(started.can(entries['no-audio']), false)
    const path = ['completed, with a total of 0', 'grace-over', 'no-audio'] as const
    const ended = path.reduce((state, entry) => {
      assert(state.can(entries[entry]), entry)
      return move(state, entries[entry])
    }, started)
    assert.deepEqual([ended.value, ended.context.reason, ended.context.endedAt], ['ARCHIVED', 'no_audio', at])
    assert.deepEqual([ended.context.dueAt, ended.context.logs.expectedTotal], [null, 0])
    assert.deepEqual(ended.context.analysis, noAnalysis)

    const withPacket = move(begin(), entries.described)
    withPacket.context.logs.first.mark(0)
    assert.equal(withPacket.can(entries['completed, with a total of 0']), false)
    assert.equal(begin().can(entries['completed, with a total of 0']), false, 'nobody has started it')
  })

  test('begins a redrive with everything fresh but what its whole life counts', () => {
    let state = bring('PROCESSING_AI')
    state = move(state, entries['attempt-failed, the running one'])
    state = move(state, entries['analysis-failed'])
    state = move(state, entries.redriven)
    const { analysis, endedAt, dueAt, completedAt } = state.context
    assert.deepEqual(analysis, { ...noAnalysis, attemptsTotal: 1, redrives: 1 })
    assert.deepEqual([endedAt, dueAt, completedAt], [null, at + 9, at])
  })
})
