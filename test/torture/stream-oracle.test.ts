/** Guards against an oracle that finds nothing, or faults where there are none. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FeedMessage } from '../../src/protocol/feed.js'
import { judgeStream } from './stream-oracle.js'

const head = { position: 'e.1', at: '2026-01-01T00:00:00.000Z' }

// Of rows and packets the oracle looks at nothing but these members.
const told = (total: number, sequence = total - 1) =>
  ({ event: 'packet_received', ...head, call_id: 'c', sequence, total_received: total }) as FeedMessage
const part = (is_last: boolean, ...totals: readonly number[]) =>
  ({
    event: 'snapshot',
    ...head,
    calls: totals.map((total_received) => ({ call_id: 'c', total_received })),
    is_last,
  }) as FeedMessage
const reset: FeedMessage = { event: 'reset', ...head, reason: 'other_epoch' }

const judged = (...messages: readonly FeedMessage[]) => judgeStream(messages, true)

describe('the oracle of a stream', () => {
  test('has nothing against packets that count up, also across a reset and around its rows', () => {
    assert.deepEqual(judged(told(1), told(2), reset, part(true, 7), told(8)).findings, [])
    assert.deepEqual(judged(reset, told(5), part(false, 5), told(6), part(true)).findings, [])
  })

  test('has nothing against a client that is cut off within a snapshot and begins anew', () => {
    assert.deepEqual(judged(reset, told(5), reset, part(true, 9), told(10)).findings, [])
  })

  test('finds a gap, at the beginning of a call too', () => {
    assert.match(judged(told(1), told(3)).findings.join(), /1 gaps, c\/2 counts 3 after 1/)
    assert.match(judged(told(4)).findings.join(), /1 gaps, c\/3 begins with 4/)
    assert.match(judged(reset, part(true, 7), told(9)).findings.join(), /1 gaps/)
  })

  test('finds a repeat, also of what a row has told', () => {
    assert.match(judged(told(1), told(2), told(2)).findings.join(), /1 repeats, c\/1 came twice/)
    assert.match(judged(reset, part(true, 7), told(7)).findings.join(), /1 repeats/)
  })

  test('finds a picture that lacks the row of a call', () => {
    assert.match(
      judged(reset, told(5), part(true)).findings.join(),
      /1 gaps, c\/4 begins with 5 and has no row/,
    )
  })
})
