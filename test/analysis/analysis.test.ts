/** The analysis of ended calls: one outcome each (V10), and slots for attempts only. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noAnalysis } from '../../src/actors/call-context.js'
import { Analyses, type AnalysisPorts } from '../../src/analysis/analysis.js'
import { type AnalysisRequest, ProviderRejected, ProviderUnavailable } from '../../src/analysis/provider.js'
import { limits } from '../../src/limits.js'
import { ownsAll } from '../../src/store/owners.js'
import { AnalysedCalls } from '../support/analysed-calls.js'
import { callId, result } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'

const id = callId('c1')
const other = callId('c2')
const down = () => Promise.reject(new ProviderUnavailable('503'))
const hang = () => new Promise<never>(() => {})

describe('a call that has ended', () => {
  test('is analysed once after its grace period and archived with the result', async (t) => {
    const requests: AnalysisRequest[] = []
    const calls = new AnalysedCalls(async (request) => {
      requests.push(request)
      return result
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(600_000)
    assert.equal(requests.length, 1)
    const view = await calls.view(id)
    assert.equal(view?.state, 'ARCHIVED')
    assert.deepEqual(view.ai, {
      attempts: 1,
      attempts_total: 1,
      redrives: 0,
      waiting_for: null,
      next_attempt_at: null,
      provider: 'fake',
      findings: 'done',
      ...result,
      error: null,
    })
    assert.equal(calls.events.filter(({ event }) => event === 'ai_completed').length, 1)
    assert.deepEqual(calls.attempts, ['succeeded'])
    calls.deadlines.stop()
  })

  test('is described to the provider: its packets in order, what is missing, attempt and key', async (t) => {
    // Guards against a key a try: the provider would take, and bill, each attempt as a new call.
    const requests: AnalysisRequest[] = []
    const read: number[][] = []
    const calls = new AnalysedCalls(async (request) => {
      requests.push(request)
      const sequences: number[] = []
      for (const track of request.tracks)
        for await (const page of track.packetPages()) sequences.push(...page.map(({ sequence }) => sequence))
      read.push(sequences)
      if (requests.length < 3) return down()
      return result
    })
    calls.clock.takeOverTimeouts(t)
    const createdAt = calls.clock.now()
    await calls.end(id)
    await calls.clock.advance(60_000)
    assert.deepEqual(
      requests.map(({ attempt }) => attempt),
      [1, 2, 3],
    )
    const keys = [...new Set(requests.map(({ idempotencyKey }) => idempotencyKey))]
    assert.deepEqual(keys, [`voicestream:c1#${createdAt}`])
    for (const { callId, packetCount, missingCount, missingRanges } of requests)
      assert.deepEqual([callId, packetCount, missingCount, missingRanges], ['c1', 2, 1, [[1, 1]]])
    assert.deepEqual(read, [
      [0, 2],
      [0, 2],
      [0, 2],
    ])
    calls.deadlines.stop()
  })

  test('is FAILED once every attempt was in vain, and says why', async (t) => {
    let asked = 0
    const calls = new AnalysedCalls(() => {
      asked++
      return down()
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(3000)
    const waiting = await calls.view(id)
    assert.equal(waiting?.state, 'PROCESSING_AI')
    assert.equal(waiting.ai.error, '503')
    assert.notEqual(waiting.ai.next_attempt_at, null)
    await calls.clock.advance(600_000)
    const view = await calls.view(id)
    assert.equal(view?.state, 'FAILED')
    assert.deepEqual([asked, view.ai.attempts, view.ai.error, view.ai.next_attempt_at], [5, 5, '503', null])
    assert.equal(calls.events.filter(({ event }) => event === 'ai_failed').length, 1)
    calls.deadlines.stop()
  })

  test('is FAILED at the first permanent error', async (t) => {
    const calls = new AnalysedCalls(() => Promise.reject(new ProviderRejected('no audio')))
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    const view = await calls.view(id)
    assert.deepEqual([view?.state, view?.ai.attempts, view?.ai.error], ['FAILED', 1, 'no audio'])
    calls.deadlines.stop()
  })

  test('is tried again when the answer is not a result', async (t) => {
    // p-retry does not retry a TypeError, which is what a `null` body makes of most adapters.
    const answers = [null, 'text', { ...result, confidence: 7 }, { ...result, sentiment: 'angry' }, result]
    const calls = new AnalysedCalls(async () => answers.shift())
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    await calls.clock.advance(60_000)
    const view = await calls.view(id)
    assert.deepEqual([view?.state, view?.ai.attempts], ['ARCHIVED', 5])
    assert.deepEqual(calls.attempts, ['failed', 'failed', 'failed', 'failed', 'succeeded'])
    calls.deadlines.stop()
  })
})

describe('a slot', () => {
  test('is held by an attempt and by no wait, so that waiting calls cost nothing', async (t) => {
    // Guards against one broken call that keeps all others from being analysed while it waits.
    const begins: [string, number, number][] = []
    let underWay = 0
    let most = 0
    const calls = new AnalysedCalls(async ({ callId, attempt }) => {
      begins.push([callId, attempt, calls.clock.now() - ended])
      most = Math.max(most, ++underWay)
      await new Promise<void>((resolve) => void calls.clock.after(100, resolve))
      underWay--
      if (callId === id) return down()
      return result
    }, 1)
    calls.clock.takeOverTimeouts(t)
    const ended = calls.clock.now() + 3000
    await calls.end(id, other)
    await calls.clock.advance(60_000)
    assert.equal(most, 1)
    assert.deepEqual(begins, [
      ['c1', 1, 0],
      ['c2', 1, 100],
      ['c1', 2, 1100],
      ['c1', 3, 3200],
      ['c1', 4, 7300],
      ['c1', 5, 15_400],
    ])
    calls.deadlines.stop()
  })
})

describe('the analyses', () => {
  test('run one at a time for a call, however often its deadline rings', async (t) => {
    let asked = 0
    const calls = new AnalysedCalls(() => {
      asked++
      return hang()
    })
    calls.clock.takeOverTimeouts(t)
    await calls.end(id)
    for (let i = 0; i < 5; i++) await calls.deadline(id).promise
    await turns()
    assert.deepEqual([asked, calls.analyses.runningCount], [1, 1])
    await calls.analyses.stop()
    calls.analyses.start({ callId: id, createdAt: 0 }, noAnalysis)
    assert.equal(calls.analyses.runningCount, 0, 'nothing starts after the stop')
    calls.deadlines.stop()
  })

  test('beyond their bound wait in the journal and not in memory (V7)', () => {
    const postponed: [string, number][] = []
    const analyses = new Analyses({
      provider: { name: 'fake', analyse: hang },
      owners: ownsAll,
      retry: hang,
      postpone: (callId: string, delayMs: number) => postponed.push([callId, delayMs]),
    } as unknown as AnalysisPorts)
    for (let i = 0; i <= limits.analysesMax; i++)
      analyses.start({ callId: callId(`c${i}`), createdAt: 0 }, noAnalysis)
    assert.equal(analyses.runningCount, limits.analysesMax)
    assert.deepEqual(postponed, [[`c${limits.analysesMax}`, limits.analysisRetryMs]])
  })
})
