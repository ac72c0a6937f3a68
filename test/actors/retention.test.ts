/** Calls that have been kept for long enough are erased, and no others. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Retention } from '../../src/actors/retention.js'
import { VoiceStreamError } from '../../src/errors.js'
import { limits } from '../../src/limits.js'
import { Calls, callId } from '../support/calls.js'
import { isOfLowerHalf, SomeOwners } from '../support/some-owners.js'

const day = 86_400_000

function keeping(calls: Calls, keepMs: number) {
  const story: string[] = []
  /** Calls that cannot be erased. */
  const stuck = new Set<string>()
  const owners = new SomeOwners()
  const retention = new Retention({
    clock: calls.clock,
    reader: calls.journal,
    owners,
    keepMs,
    erase: (id, endedThrough) =>
      stuck.has(id)
        ? Promise.reject(new VoiceStreamError('read_failed', 'the call could not be replayed'))
        : calls.erase(id, endedThrough).promise,
    passed: (count) => story.push(`passed ${count}`),
    kept: (count, error) => story.push(`kept ${count}: ${error}`),
    failed: (error) => story.push(`failed ${error}`),
  })
  return { retention, story, stuck, owners }
}

const allOf = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`)

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

  test('goes past calls that cannot be erased, counts them, and tries them again at its next walk', async () => {
    // Guards against one damaged call in the first page, for which everything behind it waited ten minutes a page.
    const calls = new Calls()
    const { retention, story, stuck } = keeping(calls, 1)
    const count = limits.retentionPageCalls * 4
    for (let i = 0; i < count; i++) await calls.bring(callId(`c${i}`), 'ARCHIVED')
    // One here and there, and more of them side by side than a page holds.
    const isStuck = (i: number) => i === 0 || i === 70 || (i >= 80 && i < 80 + 2 * limits.retentionPageCalls)
    for (let i = 0; i < count; i++) if (isStuck(i)) stuck.add(`c${i}`)
    await calls.clock.advance(day)
    retention.start()
    await calls.clock.advance(2 * limits.retentionPauseMs)
    assert.deepEqual(story.slice(0, 2), [
      'kept 1: VoiceStreamError: the call could not be replayed',
      `passed ${limits.retentionPageCalls - 1}`,
    ])
    // A page of which nothing could be erased may be the store's fault: the next one comes at the next look.
    await calls.clock.advance(3 * limits.retentionLookMs)
    assert.deepEqual(new Set(calls.erasures), new Set(allOf(count).filter((id) => !stuck.has(id))))
    assert(story.filter((line) => line.startsWith('kept ')).length > 3)
    assert.equal(story.filter((line) => line.startsWith('failed ')).length, 0)
    stuck.clear()
    await calls.clock.advance(5 * limits.retentionLookMs)
    assert.equal(new Set(calls.erasures).size, count)
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
    assert.match(story[0] ?? '', /^kept 1: .*could not be stored/)
    await calls.clock.advance(limits.retentionLookMs)
    assert.deepEqual(calls.erasures, ['c1'])
    await retention.stop()
  })

  test('erases the calls that this node owns, behind any number of others', async () => {
    // Guards against a page of other nodes' calls that is taken for a fault of the store: the rest waited ten minutes a page.
    const calls = new Calls()
    const all = allOf(4 * limits.retentionPageCalls)
    const isOther = (id: string) => !isOfLowerHalf(id)
    const [others, own] = [all.filter(isOther), all.filter(isOfLowerHalf)]
    assert(others.length > limits.retentionPageCalls && own.length > 0)
    for (const id of [...others, ...own]) await calls.bring(callId(id), 'ARCHIVED')
    await calls.clock.advance(day)
    const { retention, story, owners } = keeping(calls, 1)
    owners.isHalf = true
    retention.start()
    await calls.clock.advance(4 * limits.retentionPauseMs)
    assert.deepEqual([...calls.erasures].sort(), own.sort())
    assert(story.every((line) => line.startsWith('passed ')))
    owners.isHalf = false
    await calls.clock.advance(2 * limits.retentionLookMs)
    assert.deepEqual([...calls.erasures].sort(), all.sort())
    await retention.stop()
  })
})
