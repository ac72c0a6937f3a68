/** Calls that have been kept for long enough are erased, and no others. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Retention } from '../../src/actors/retention.js'
import { limits } from '../../src/limits.js'
import { Calls, callId } from '../support/calls.js'

const day = 86_400_000

function keeping(calls: Calls, keepMs: number) {
  const story: string[] = []
  const retention = new Retention({
    clock: calls.clock,
    reader: calls.journal,
    keepMs,
    erase: (id, endedThrough) => calls.erase(id, endedThrough).promise,
    passed: (count) => story.push(`passed ${count}`),
    failed: (error) => story.push(`failed ${error}`),
  })
  return { retention, story }
}

describe('the retention', () => {
  test('erases calls by their end, and leaves those that are younger or have not ended', async () => {
    const calls = new Calls()
    await calls.bring(callId('archived'), 'ARCHIVED')
    await calls.bring(callId('failed'), 'FAILED')
    await calls.bring(callId('live'), 'IN_PROGRESS')
    await calls.bring(callId('waiting'), 'PROCESSING_AI')
    await calls.clock.advance(2 * day)
    await calls.bring(callId('young'), 'ARCHIVED')
    const oldest = calls.clock.now()
    const { retention, story } = keeping(calls, 3 * day)
    retention.start()
    await calls.clock.advance(day - limits.retentionLookMs)
    assert.deepEqual(calls.erasures, [])
    await calls.clock.advance(2 * limits.retentionLookMs)
    assert.deepEqual([...calls.erasures].sort(), ['archived', 'failed'])
    assert.deepEqual(story, ['passed 2'])
    assert.equal(retention.oldestEndedAt, oldest)
    const counts = await calls.journal.stateCounts()
    assert.deepEqual([counts.ARCHIVED, counts.FAILED, counts.IN_PROGRESS, counts.PROCESSING_AI], [1, 0, 1, 1])
    await retention.stop()
    assert.equal(calls.clock.timerCount, 0)
  })

  test('works a backlog off in bounded parts with pauses between them', async () => {
    const calls = new Calls()
    const count = limits.retentionPageCalls * 2 + 5
    for (let i = 0; i < count; i++) await calls.bring(callId(`c${i}`), 'ARCHIVED')
    await calls.clock.advance(day)
    const { retention, story } = keeping(calls, 1)
    retention.start()
    await calls.clock.advance(limits.retentionPauseMs - 1)
    assert.equal(calls.erasures.length, limits.retentionPageCalls)
    await calls.clock.advance(limits.retentionPauseMs * 2)
    assert.equal(calls.erasures.length, count)
    assert.deepEqual(story, [
      `passed ${limits.retentionPageCalls}`,
      `passed ${limits.retentionPageCalls}`,
      'passed 5',
    ])
    await retention.stop()
  })

  test('goes on at its next look when an erasure could not be stored', async () => {
    const calls = new Calls()
    await calls.bring(callId('c1'), 'ARCHIVED')
    await calls.clock.advance(day)
    const { retention, story } = keeping(calls, 1)
    calls.journal.failures = 1
    retention.start()
    await calls.clock.advance(1000)
    assert.equal(story.length, 1)
    assert.match(story[0] ?? '', /^failed .*could not be stored/)
    await calls.clock.advance(limits.retentionLookMs)
    assert.deepEqual(calls.erasures, ['c1'])
    await retention.stop()
  })
})
