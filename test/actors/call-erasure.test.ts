/** An erasure among the other messages of a call: what came before goes, what comes after is another call. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Analyses } from '../../src/analysis/analysis.js'
import { limits } from '../../src/limits.js'
import { callStates } from '../../src/protocol/call-states.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { Calls, callId, graceMs, result } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'
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
    calls.deadlines.stop()
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
    calls.deadlines.stop()
  })

  test('gives no words to the next call of its name, which is under analysis, too', async (t) => {
    // Guards against a look at the abort before a wait and not after it: the words of the erased call came back.
    let asked = 0
    const words = { ...result, transcription: 'words of the call that was erased' }
    const calls = new AnalysedCalls(() => (++asked === 1 ? Promise.resolve(words) : new Promise(() => {})))
    calls.clock.takeOverTimeouts(t)
    const append = calls.journal.append.bind(calls.journal)
    let lost = 0
    t.mock.method(calls.journal, 'append', (...given: Parameters<typeof append>) => {
      append(...given)
      if (given[2][0]?.type !== 'analysed' || lost > 0) return
      lost++
      calls.journal.failures = 1
    })
    await calls.end(id)
    assert.deepEqual([asked, lost], [1, 1], 'what was found waits to be stored')
    await calls.erase(id).promise
    calls.analyses.forget(id)
    await calls.clock.advance(1)
    await calls.bring(id, 'PROCESSING_AI')
    await calls.deadline(id).promise
    await turns()
    assert.equal(asked, 2)
    await calls.clock.advance(2 * limits.analysisRetryMs)
    const { state, ai } = (await calls.view(id)) ?? {}
    assert.deepEqual([state, ai?.transcription], ['PROCESSING_AI', null])
    calls.deadlines.stop()
  })

  test('has an analysis whose record the next call of its name does not take (V10)', async () => {
    const calls = new Calls()
    await calls.bring(id, 'PROCESSING_AI')
    const createdAt = calls.clock.now()
    await calls.erase(id).promise
    await calls.clock.advance(1)
    await calls.bring(id, 'PROCESSING_AI')
    const entry = { type: 'attempt-started', at: 1, attempt: 1, provider: 'p' } as const
    assert.equal(await calls.record(id, entry, createdAt).promise, false)
    assert.equal(await calls.record(id, entry, createdAt + 1).promise, true)
  })

  test('sends no packets of the next call of its name to its own provider', async (t) => {
    // Guards against an adapter that reads on after the erasure: it would read another call's words.
    const read: string[] = []
    let goOn = () => {}
    const calls = new AnalysedCalls(async ({ tracks: [track] }) => {
      for await (const page of track?.packetPages() ?? []) {
        read.push(...page.map(({ data }) => Buffer.from(data).toString()))
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      }
      return result
    })
    calls.clock.takeOverTimeouts(t)
    for (let sequence = 0; sequence < 4; sequence++) await calls.packet(id, sequence, 'old').promise
    await calls.complete(id, 4).promise
    await calls.clock.advance(graceMs)
    assert.deepEqual(read, ['old', 'old'], 'one page of two')
    await calls.erase(id).promise
    calls.analyses.forget(id)
    for (let sequence = 0; sequence < 4; sequence++) await calls.packet(id, sequence, 'new').promise
    goOn()
    await turns()
    assert.deepEqual(read, ['old', 'old'])
    calls.deadlines.stop()
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
