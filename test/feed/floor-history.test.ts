import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FloorHistory } from '../../src/feed/floor-history.js'
import { limits } from '../../src/limits.js'
import { FakeClock } from '../support/fake-clock.js'
import { packetFacts } from '../support/feeds.js'

function trial() {
  const clock = new FakeClock(1_700_000_000_000)
  const history = new FloorHistory({ clock, callsIn: (state) => (state === 'PROCESSING_AI' ? 7 : 1) })
  history.start()
  return { clock, history }
}

describe('the history of the floor', () => {
  test('counts each thing once, in the bucket of its time', async () => {
    const { clock, history } = trial()
    history.packet(packetFacts(0))
    history.packet(packetFacts(9, { skippedCount: 8 }))
    await clock.advance(limits.floorBucketMs)
    history.packet(packetFacts(3, { isLate: true }))
    history.packet(packetFacts(3, { status: 'duplicate' }))
    history.packet(packetFacts(5, { status: 'rejected' }))
    history.stateChanged(null, 'IN_PROGRESS', 0)
    history.stateChanged('COMPLETED', 'PROCESSING_AI', 4)
    history.stateChanged('PROCESSING_AI', 'ARCHIVED', 4)
    history.attemptEnded('failed')
    const [first, second] = history.buckets()
    assert.deepEqual([first?.packets, first?.skipped, first?.late], [2, 8, 0])
    const { at, calls_in_progress, ai_queue, ...counts } = second as NonNullable<typeof second>
    assert.deepEqual(counts, {
      packets: 1,
      duplicates: 1,
      rejected: 1,
      late: 1,
      skipped: 0,
      lost: 4,
      calls_started: 1,
      calls_archived: 1,
      calls_failed: 0,
      ai_attempts_succeeded: 0,
      ai_attempts_failed: 1,
    })
    assert.deepEqual([calls_in_progress, ai_queue], [1, 7])
    assert.equal(Date.parse(at) - Date.parse(first?.at ?? ''), limits.floorBucketMs)
  })

  test('holds an hour, without holes, and no more', async () => {
    const { clock, history } = trial()
    for (let minute = 0; minute < 65; minute++) {
      history.packet(packetFacts(minute))
      await clock.advance(60_000)
    }
    const buckets = history.buckets()
    assert.equal(buckets.length, limits.floorHistoryBuckets + 1)
    for (const [i, { at }] of buckets.entries())
      assert.equal(Date.parse(at), Date.parse(buckets[0]?.at ?? '') + i * limits.floorBucketMs)
    assert.equal(history.totals().last_hour.packets, 60)
  })

  test('tells the rates of the last seconds, and nothing of what was before', async () => {
    const { clock, history } = trial()
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 50; i++) history.packet(packetFacts(i))
      await clock.advance(1000)
    }
    assert.equal(history.totals().packets_per_second, 50)
    await clock.advance(10_000)
    assert.equal(history.totals().packets_per_second, 0)
    assert.equal(history.totals().ai_queue, 7)
  })
})
