/** Every state × every message to a call's actor: what it answers, what it journals, what it tells. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CallState } from '../../src/protocol/call.js'
import { callStates } from '../../src/protocol/call-states.js'
import { Calls, callId, graceMs, idleMs } from '../support/calls.js'

const id = callId('c1')

type Ask = (calls: Calls) => Promise<unknown>

/** Every call below has the packets 0 and 2, and 3 as its total once it is completed. */
const messages = {
  'a new packet': async (calls) => (await calls.packet(id, 1).promise).status,
  'a packet beyond the total': async (calls) => (await calls.packet(id, 7).promise).status,
  'a stored packet': async (calls) => (await calls.packet(id, 0).promise).status,
  'a completion with the total': (calls) => calls.complete(id, 3).promise,
  'a completion with another total': (calls) => calls.complete(id, 9).promise,
  'a deadline': async (calls) => (await calls.deadline(id).promise) ?? 'met',
  'a record of an attempt': (calls) =>
    calls.record(id, { type: 'attempt-started', at: 1, attempt: 1, provider: 'p' }).promise,
  'a retry': async (calls) => (await calls.redrive(id).promise).kind,
  'a start': async (calls) => (await calls.describe(id, { agent: 'maria' }).promise).kind,
  'a start with other media': async (calls) =>
    (await calls.describe(id, { media: { encoding: 'mulaw' } }).promise).kind,
  'a look': (calls) => calls.look(id, ({ value }) => value),
} as const satisfies Record<string, Ask>

type Answers = Record<keyof typeof messages, unknown>

const table: Record<CallState, Answers> = {
  IN_PROGRESS: {
    'a new packet': 'accepted',
    'a packet beyond the total': 'accepted',
    'a stored packet': 'duplicate',
    'a completion with the total': 'accepted',
    'a completion with another total': 'accepted',
    'a deadline': 'met',
    'a record of an attempt': false,
    'a retry': 'not-failed',
    'a start': 'described',
    'a start with other media': 'described',
    'a look': 'IN_PROGRESS',
  },
  COMPLETED: {
    'a new packet': 'accepted',
    'a packet beyond the total': 'accepted',
    'a stored packet': 'duplicate',
    'a completion with the total': 'accepted',
    'a completion with another total': 'conflict',
    'a deadline': 'met',
    'a record of an attempt': false,
    'a retry': 'not-failed',
    'a start': 'described',
    'a start with other media': 'described',
    'a look': 'COMPLETED',
  },
  PROCESSING_AI: {
    'a new packet': 'rejected',
    'a packet beyond the total': 'rejected',
    'a stored packet': 'duplicate',
    'a completion with the total': 'accepted',
    'a completion with another total': 'conflict',
    'a deadline': 'met',
    'a record of an attempt': true,
    'a retry': 'under-way',
    'a start': 'grace-period-over',
    'a start with other media': 'grace-period-over',
    'a look': 'PROCESSING_AI',
  },
  ARCHIVED: {
    'a new packet': 'rejected',
    'a packet beyond the total': 'rejected',
    'a stored packet': 'duplicate',
    'a completion with the total': 'accepted',
    'a completion with another total': 'conflict',
    'a deadline': 'met',
    'a record of an attempt': false,
    'a retry': 'not-failed',
    'a start': 'grace-period-over',
    'a start with other media': 'grace-period-over',
    'a look': 'ARCHIVED',
  },
  FAILED: {
    'a new packet': 'rejected',
    'a packet beyond the total': 'rejected',
    'a stored packet': 'duplicate',
    'a completion with the total': 'accepted',
    'a completion with another total': 'conflict',
    'a deadline': 'met',
    'a record of an attempt': false,
    'a retry': 'redriven',
    'a start': 'grace-period-over',
    'a start with other media': 'grace-period-over',
    'a look': 'FAILED',
  },
}

describe('a call', () => {
  test('has an answer for every message in every state', () => {
    assert.deepEqual(Object.keys(table), [...callStates])
    for (const row of Object.values(table)) assert.deepEqual(Object.keys(row), Object.keys(messages))
  })

  for (const [state, row] of Object.entries(table) as [CallState, Answers][])
    for (const [name, answer] of Object.entries(row) as [keyof typeof messages, unknown][])
      test(`that is ${state} answers ${JSON.stringify(answer)} to ${name}`, async () => {
        const calls = new Calls()
        await calls.bring(id, state)
        assert.deepEqual(await messages[name](calls), answer)
      })

  test('is not journaled by what changes nothing', async () => {
    // Guards against duplicates that cost a write, and against a 4xx with a side effect.
    for (const state of callStates) {
      const calls = new Calls()
      await calls.bring(id, state)
      const view = await calls.view(id)
      const appends = calls.journal.appends.length
      await calls.packet(id, 0, 'other content').promise
      if (state !== 'IN_PROGRESS') {
        await calls.complete(id, 3).promise
        await calls.complete(id, 9).promise
      }
      if (state === 'PROCESSING_AI' || state === 'ARCHIVED' || state === 'FAILED')
        await calls.packet(id, 1).promise
      assert.equal(calls.journal.appends.length, appends, state)
      assert.deepEqual({ ...(await calls.view(id)), duplicate_count: 0 }, view)
      // After the grace period it is compared before the answer, and is no duplicate.
      const isReceiving = state === 'IN_PROGRESS' || state === 'COMPLETED'
      assert.deepEqual(calls.duplicates, isReceiving ? [0] : [], state)
    }
  })

  test('that was never heard of is found by nothing but a packet', async () => {
    const calls = new Calls()
    assert.equal(await calls.complete(id, 3).promise, 'unknown-call')
    assert.equal(await calls.deadline(id).promise, undefined)
    assert.equal(await calls.record(id, { type: 'grace-over', at: 1 }).promise, false)
    assert.equal(await calls.view(id), null)
    assert.equal(calls.registry.activeCount, 0)
    assert.equal(calls.journal.appends.length, 0)
    assert.equal((await calls.packet(id, 3).promise).status, 'accepted')
  })
})

describe('a deadline of a call', () => {
  test('that packets have moved is journaled anew and met later', async () => {
    // Guards against a call that is completed in spite of a packet a second ago, and one that is never completed (V8).
    const calls = new Calls()
    await calls.packet(id, 0).promise
    assert.deepEqual(calls.armed, [{ callId: id, dueAt: calls.clock.now() + idleMs }])
    await calls.clock.advance(idleMs - 1)
    await calls.packet(id, 1).promise
    await calls.clock.advance(1)
    await calls.deadline(id).promise
    assert.equal(await calls.look(id, ({ value }) => value), 'IN_PROGRESS')
    const dueAt = calls.clock.now() - 1 + idleMs
    assert.deepEqual(calls.armed.at(-1), { callId: id, dueAt })
    assert.equal((await calls.journal.call(id))?.snapshot.dueAt, dueAt)

    await calls.clock.advance(idleMs - 1)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.reason, 'idle_timeout')
    assert.deepEqual(calls.armed.at(-1), { callId: id, dueAt: calls.clock.now() + graceMs })
  })

  test('that comes early leaves the grace period as it is', async () => {
    const calls = new Calls()
    await calls.bring(id, 'COMPLETED')
    await calls.clock.advance(graceMs - 1)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.state, 'COMPLETED')
    await calls.clock.advance(1)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.state, 'PROCESSING_AI')
    assert.equal(calls.analysesAsked.length, 0, 'the analysis waits for the commit and its own deadline')
    assert.deepEqual(calls.armed.at(-1), { callId: id, dueAt: calls.clock.now() })
    await calls.deadline(id).promise
    assert.equal(calls.analysesAsked.length, 1)
  })

  test('leaves a call that the idle timeout completed open for its total during the grace period', async () => {
    const calls = new Calls()
    await calls.packet(id, 0).promise
    await calls.clock.advance(idleMs)
    await calls.deadline(id).promise
    assert.equal(await calls.complete(id, 5).promise, 'accepted')
    assert.equal(await calls.complete(id, 6).promise, 'conflict')
    const view = await calls.view(id)
    assert.equal(view?.reason, 'idle_timeout')
    assert.equal(view?.expected_total_packets, 5)
    assert.equal(view?.missing_count, 4)

    const other = callId('c2')
    await calls.packet(other, 0).promise
    await calls.clock.advance(idleMs)
    await calls.deadline(other).promise
    await calls.clock.advance(graceMs)
    await calls.deadline(other).promise
    assert.equal(await calls.complete(other, 5).promise, 'conflict')
  })
})

describe('the events of a call', () => {
  test('tell its whole life once, in order', async () => {
    const calls = new Calls()
    await calls.bring(id, 'ARCHIVED')
    await calls.packet(id, 0).promise
    await calls.packet(id, 1).promise
    const names = calls.events.map((event) =>
      event.event === 'state_changed' ? `${event.from_state}→${event.to_state} ${event.reason}` : event.event,
    )
    assert.deepEqual(names, [
      'packet_received',
      'packet_received',
      'IN_PROGRESS→COMPLETED completed',
      'COMPLETED→PROCESSING_AI grace_period_over',
      'PROCESSING_AI→ARCHIVED analysed',
      'ai_completed',
      'packet_duplicate',
      'packet_rejected',
    ])
    assert.deepEqual(calls.stateChanges, [
      { from: null, to: 'IN_PROGRESS' },
      { from: 'IN_PROGRESS', to: 'COMPLETED' },
      { from: 'COMPLETED', to: 'PROCESSING_AI' },
      { from: 'PROCESSING_AI', to: 'ARCHIVED' },
    ])
  })
})
