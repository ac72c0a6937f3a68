/** An erasure among the other messages of a call: what came before goes, what comes after is another call. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Analyses } from '../../src/actors/analysis.js'
import { callStates } from '../../src/protocol/call-states.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { Calls, callId, result } from '../support/calls.js'
import { HeldJournal } from '../support/held-journal.js'
import { randomNumbers, seed } from '../support/property.js'

const id = callId('c1')

describe('a call that is erased', () => {
  for (const state of callStates)
    test(`in ${state}, in memory or not, leaves the registry and the counts`, async () => {
      for (const isSilent of [false, true]) {
        const calls = new Calls()
        await calls.bring(id, state)
        if (isSilent) await calls.fallSilent()
        assert.equal(await calls.erase(id).promise, 'erased')
        assert.equal(calls.registry.isActive(id), false)
        assert.equal(await calls.view(id), null)
        assert.deepEqual(calls.erasedIn, [state])
        assert.equal(await calls.erase(id).promise, 'unknown-call')
        assert.deepEqual(calls.erasures, [id])
        assert.equal(await calls.complete(id, 3).promise, 'unknown-call')
      }
    })

  test('in the turn of its packets answers each of them, and only those behind it begin anew', async () => {
    const calls = new Calls()
    const told = [calls.packet(id, 0), calls.packet(id, 1), calls.packet(id, 1)]
    const erased = calls.erase(id)
    const later = [calls.packet(id, 1), calls.packet(id, 2)]
    await Promise.all([...told, erased, ...later].map(({ promise }) => promise))
    assert.deepEqual(
      told.map(({ answer }) => answer?.status),
      ['accepted', 'accepted', 'duplicate'],
    )
    assert.deepEqual(
      later.map(({ answer }) => [answer?.status, answer?.totalReceived]),
      [
        ['accepted', 1],
        ['accepted', 2],
      ],
    )
  })

  test('shares no idempotency key with a call of the same name after it', async (t) => {
    // Guards against a provider that answers the new call with the transcript of the one that was to be forgotten.
    const keys: string[] = []
    const calls = new AnalysedCalls(async ({ idempotencyKey }) => {
      keys.push(idempotencyKey)
      return result
    })
    calls.clock.takeOverTimeouts(t)
    for (let life = 0; life < 2; life++) {
      await calls.end(id)
      await calls.clock.advance(1000)
      assert.equal((await calls.view(id))?.state, 'ARCHIVED')
      await calls.erase(id).promise
    }
    assert.equal(new Set(keys).size, 2, keys.join(' '))
    calls.alarm.stop()
    await calls.analyses.stop()
  })

  test('but whose erasure fails stays as it was (V6)', async () => {
    const calls = new Calls()
    await calls.bring(id, 'ARCHIVED')
    calls.journal.failures = 1
    await assert.rejects(calls.erase(id).promise, { code: 'commit_failed' })
    assert.equal((await calls.view(id))?.state, 'ARCHIVED')
    assert.deepEqual(calls.erasures, [])
    calls.journal.isFull = true
    await assert.rejects(calls.erase(id).promise, { code: 'overloaded' })
    assert.equal((await calls.view(id))?.total_received, 2)
  })

  test('is not said to be unknown before it is gone', async () => {
    // Guards against a 404 for what waited behind an erasure that is not stored in the end.
    const calls = new Calls()
    await calls.bring(id, 'IN_PROGRESS')
    await calls.fallSilent()
    calls.journal.failures = 1
    const erased = calls.erase(id)
    const completed = calls.complete(id, 3)
    await assert.rejects(erased.promise, { code: 'commit_failed' })
    assert.equal(await completed.promise, 'accepted')
    assert.equal((await calls.view(id))?.state, 'COMPLETED')
  })

  test('by its age only when it has ended by then', async () => {
    const calls = new Calls()
    await calls.bring(id, 'ARCHIVED')
    const endedAt = calls.clock.now()
    assert.equal(await calls.erase(id, endedAt - 1).promise, 'kept')
    assert.equal(await calls.erase(id, endedAt).promise, 'erased')
    await calls.bring(id, 'PROCESSING_AI')
    assert.equal(await calls.erase(id, Number.MAX_SAFE_INTEGER).promise, 'kept')
  })

  test('is forgotten by its analysis, which ends without a word', async (t) => {
    // Guards against a run that keeps the name: the next call of that name would never be analysed.
    const asked: AbortSignal[] = []
    const calls = new AnalysedCalls((_, signal) => {
      asked.push(signal)
      return asked.length === 1
        ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        : Promise.resolve(result)
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    assert.equal(calls.analyses.runningCount, 1)
    await calls.erase(id).promise
    calls.analyses.forget(id)
    assert.equal(asked[0]?.aborted, true)
    assert.equal(calls.analyses.runningCount, 0)
    await calls.end(id)
    await calls.clock.advance(60_000)
    assert.equal((await calls.view(id))?.state, 'ARCHIVED')
    assert.deepEqual(calls.interruptions, [])
    assert(calls.analyses instanceof Analyses)
    calls.alarm.stop()
  })

  test('at random, among packets, failures, silences and restarts, is what the answers say', async (t) => {
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const random = randomNumbers(41)
    const journal = new HeldJournal()
    let calls = new Calls(journal)
    const account = new Map<string, Set<number>>()
    let erased = 0
    for (let round = 0; round < 120; round++) {
      const told: Promise<unknown>[] = []
      if (random() < 0.2) journal.failures = 1
      for (let i = 0; i < 30; i++) {
        const name = `c${Math.floor(random() * 4)}`
        const sequence = Math.floor(random() * 40)
        const kept = () => account.get(name) ?? new Set()
        if (random() < 0.08)
          told.push(
            calls.erase(callId(name)).promise.then((answer) => {
              if (answer === 'erased') erased++
              account.set(name, new Set())
            }),
          )
        else
          told.push(
            calls.packet(callId(name), sequence).promise.then(({ status }) => {
              assert.equal(status, kept().has(sequence) ? 'duplicate' : 'accepted')
              account.set(name, kept().add(sequence))
            }),
          )
        if (random() < 0.1) await Promise.allSettled(told)
      }
      for (const outcome of await Promise.allSettled(told))
        if (outcome.status === 'rejected')
          assert.match(String(outcome.reason.code), /^(commit_failed|version_conflict)$/)
      journal.failures = 0
      if (random() < 0.2) await calls.fallSilent()
      if (random() < 0.1) {
        await calls.registry.passivation.passivateAll()
        calls = new Calls(journal, calls.clock)
      }
    }
    assert(erased > 50, `${erased} erasures`)
    for (const [name, sequences] of account) {
      const { packets } = await journal.packets(callId(name), 0, 100)
      assert.deepEqual(
        packets.map(({ sequence }) => sequence),
        [...sequences].sort((a, b) => a - b),
        name,
      )
      assert.equal((await calls.view(callId(name)))?.total_received ?? 0, sequences.size)
    }
    assert.deepEqual(calls.activationFailures, [])
  })
})
