/** What breaks an analysis off, and what is left of it: an outcome is neither lost nor made up. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { noAnalysis } from '../../src/actors/call-context.js'
import { ProviderUnavailable } from '../../src/analysis/provider.js'
import { limits } from '../../src/limits.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { callId, result } from '../support/calls.js'
import { isOfLowerHalf } from '../support/some-owners.js'

const id = callId('c1')
const other = callId('c2')
const down = () => Promise.reject(new ProviderUnavailable('503'))
const hang = () => new Promise<never>(() => {})

/** The first append of such an entry is lost in a failed commit. */
function losesFirst(t: TestContext, calls: AnalysedCalls, type: string): void {
  const append = calls.journal.append.bind(calls.journal)
  let isLost = false
  t.mock.method(calls.journal, 'append', (...given: Parameters<typeof append>) => {
    append(...given)
    if (given[2][0]?.type !== type || isLost) return
    isLost = true
    calls.journal.failures = 1
  })
  t.after(() => assert.equal(isLost, true, `no ${type} was lost`))
}

describe('an analysis is interrupted without an outcome, and goes on a second later,', () => {
  test('when the start of an attempt cannot be stored', async (t) => {
    // Guards against a full disk that makes calls FAILED for ever, and against a call of the provider that nobody counts.
    let asked = 0
    const calls = new AnalysedCalls(async () => {
      asked++
      return result
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    assert.equal((await calls.view(id))?.state, 'ARCHIVED')

    await calls.packet(other, 0).promise
    await calls.complete(other, 1).promise
    await calls.clock.advance(2999)
    const appends = calls.journal.appends.length
    // The end of the grace period is stored, the start of the attempt is not.
    const stored = calls.journal.commit.bind(calls.journal)
    let commits = 0
    t.mock.method(calls.journal, 'commit', () => (++commits === 2 ? calls.journal.fail() : stored()))
    await calls.clock.advance(1)
    assert.equal(calls.journal.appends[appends + 1]?.entries[0]?.type, 'attempt-started')
    assert.equal(asked, 1)
    assert.equal(calls.interruptions.length, 1)
    assert.equal((await calls.view(other))?.state, 'PROCESSING_AI')
    await calls.clock.advance(999)
    assert.equal(asked, 1)
    await calls.clock.advance(1)
    assert.deepEqual(
      [(await calls.view(other))?.state, (await calls.view(other))?.ai.attempts],
      ['ARCHIVED', 1],
    )
    assert.equal(asked, 2)
    calls.deadlines.stop()
  })

  test('when the failure of an attempt cannot be stored', async (t) => {
    let asked = 0
    const calls = new AnalysedCalls(async () => (++asked === 1 ? down() : result))
    calls.clock.takeOverTimeouts(t)
    losesFirst(t, calls, 'attempt-failed')
    await calls.end(id)
    assert.equal((await calls.view(id))?.state, 'PROCESSING_AI')
    assert.equal(calls.interruptions.length, 1)
    await calls.clock.advance(60_000)
    const view = await calls.view(id)
    assert.deepEqual([view?.state, view?.ai.attempts, asked], ['ARCHIVED', 2, 2])
    calls.deadlines.stop()
  })

  test('when the service stops, at once, even while an attempt hangs', async (t) => {
    const calls = new AnalysedCalls(hang)
    calls.clock.takeOverTimeouts(t)
    await calls.end(id, other)
    assert.equal(calls.analyses.runningCount, 2)
    const begin = calls.clock.now()
    await calls.analyses.stop()
    assert.equal(calls.clock.now(), begin)
    assert.equal(calls.analyses.runningCount, 0)
    assert.equal((await calls.view(id))?.state, 'PROCESSING_AI')
    calls.deadlines.stop()

    const next = await calls.restart(async () => result)
    await next.clock.advance(1)
    const view = await next.view(id)
    assert.deepEqual([view?.state, view?.ai.attempts], ['ARCHIVED', 2], 'the attempt that hung counts')
    next.deadlines.stop()
  })
})

describe('the analyses of a node that owns half of the calls', () => {
  const all = Array.from({ length: 12 }, (_, i) => callId(`c${i}`))
  const own = all.filter(isOfLowerHalf)
  assert(own.length > 0 && own.length < all.length)

  test('are not begun for the others, and are once it owns them', async (t) => {
    const asked: string[] = []
    const calls = new AnalysedCalls(async ({ callId: analysed }) => {
      asked.push(analysed)
      return result
    })
    calls.clock.takeOverTimeouts(t)
    for (const each of all) await calls.packet(each, 0).promise
    for (const each of all) await calls.complete(each, 1).promise
    await calls.clock.advance(1000)
    // What was armed for them is due when they are another node's.
    calls.owners.isHalf = true
    await calls.clock.advance(600_000)
    // A call may still be in memory here, and say that its analysis can begin.
    for (const each of all) calls.analyses.start({ callId: each, createdAt: 0 }, noAnalysis)
    assert.equal(calls.analyses.runningCount, own.length)
    await calls.clock.advance(limits.analysisRetryMs)
    assert.deepEqual([...new Set(asked)].sort(), own.sort())
    calls.owners.isHalf = false
    calls.deadlines.gained()
    await calls.clock.advance(1000)
    assert.deepEqual([...new Set(asked)].sort(), [...all].sort())
    for (const each of all) assert.equal((await calls.view(each))?.state, 'ARCHIVED')
    calls.deadlines.stop()
  })

  test('are broken off for those that it loses, without an outcome, and go on once it owns them again', async (t) => {
    const asked: string[] = []
    const aborted: string[] = []
    let isDone = false
    const calls = new AnalysedCalls(({ callId: analysed }, signal) => {
      asked.push(analysed)
      if (isDone) return Promise.resolve(result)
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          aborted.push(analysed)
          reject(signal.reason)
        }),
      )
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(...all)
    assert.equal(calls.analyses.runningCount, all.length)
    calls.owners.isHalf = true
    calls.analyses.lost()
    await calls.clock.advance(1)
    assert.equal(calls.analyses.runningCount, own.length)
    assert.deepEqual(aborted.sort(), all.filter((each) => !isOfLowerHalf(each)).sort())
    assert.deepEqual(calls.interruptions, [])
    for (const each of all) assert.equal((await calls.view(each))?.state, 'PROCESSING_AI')
    isDone = true
    calls.owners.isHalf = false
    calls.deadlines.gained()
    await calls.clock.advance(1000)
    for (const each of aborted) assert.equal((await calls.view(callId(each)))?.state, 'ARCHIVED')
    assert.deepEqual(asked.sort(), [...all, ...aborted].sort())
    await calls.analyses.stop()
    calls.deadlines.stop()
  })
})

describe('an outcome that cannot be stored', () => {
  test('is offered again until it is, and the provider is not asked again', async (t) => {
    // Guards against a result that is lost with the fifth attempt: the call would be FAILED although it was analysed.
    let asked = 0
    const calls = new AnalysedCalls(async () => {
      asked++
      return result
    })
    calls.clock.takeOverTimeouts(t)
    losesFirst(t, calls, 'analysed')
    await calls.end(id)
    assert.equal((await calls.view(id))?.state, 'PROCESSING_AI')
    await calls.clock.advance(limits.analysisRetryMs)
    const view = await calls.view(id)
    assert.deepEqual([view?.state, view?.ai.attempts, asked], ['ARCHIVED', 1, 1])
    assert.equal(calls.events.filter(({ event }) => event === 'ai_completed').length, 1)
    assert.deepEqual(calls.interruptions, [])
    calls.deadlines.stop()
  })

  test('does not keep the service from stopping', async (t) => {
    const calls = new AnalysedCalls(async () => result)
    calls.clock.takeOverTimeouts(t)
    losesFirst(t, calls, 'analysed')
    await calls.end(id)
    calls.journal.failures = Number.POSITIVE_INFINITY
    let isStopped = false
    const stopped = calls.analyses.stop().then(() => {
      isStopped = true
    })
    await calls.clock.advance(limits.analysisRetryMs)
    assert.equal(isStopped, true)
    await stopped
    calls.deadlines.stop()
  })
})
