import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { everything } from '../../src/feed/event-filter.js'
import { type StreamStart, startOf } from '../../src/feed/event-stream.js'
import { limits } from '../../src/limits.js'
import { callId } from '../support/calls.js'
import { drain, FeedOnTrial } from '../support/feeds.js'
import { snapshotPart } from '../support/snapshot-parts.js'

const told = (messages: readonly { event: string }[]) => messages.map(({ event }) => event)
const part = (after: number, isLast: boolean) =>
  snapshotPart({ after, isLast, text: `{"event":"snapshot","after":${after},"is_last":${isLast}}` })

describe('a stream of events', () => {
  test('without `since` carries events and nothing else', () => {
    const trial = new FeedOnTrial()
    trial.packets(3)
    const stream = trial.stream({ kind: 'plain' })
    trial.packets(2)
    assert.deepEqual(told(drain(stream)), ['packet_received', 'packet_received'])
    assert.equal(stream.heartbeat(), null)
  })

  test('from now on says where it stands, and that it is live', () => {
    const trial = new FeedOnTrial()
    trial.packets(3)
    const stream = trial.stream({ kind: 'now' })
    const [hello, live] = drain(stream)
    assert.deepEqual([hello?.event, hello?.position], ['hello', 'epoch.3'])
    assert.deepEqual([live?.event, live?.position], ['live', 'epoch.3'])
    trial.packets(1)
    assert.deepEqual(told(drain(stream)), ['packet_received'])
  })

  // Guards against a hand-over: what is published while the missed events are read must come once, and in its place.
  test('resumes from every position without a gap or a repeat, whatever is published meanwhile', () => {
    const trial = new FeedOnTrial()
    trial.packets(50)
    for (let from = 0; from <= 50; from++) {
      const stream = trial.stream({ kind: 'after', offset: from })
      const positions: string[] = []
      for (let step = 0; step < 200; step++) {
        if (step % 7 === from % 7) trial.packets(1)
        const text = stream.next()
        if (text === null) continue
        const { event, position } = JSON.parse(text)
        if (event === 'packet_received') positions.push(position)
      }
      for (const message of drain(stream))
        if (message.event === 'packet_received') positions.push(message.position)
      const expected = Array.from({ length: trial.feed.offset - from }, (_, i) =>
        trial.feed.positionAt(from + 1 + i),
      )
      assert.deepEqual(positions, expected, `from ${from}`)
    }
  })

  test('takes every position for what it is', () => {
    const trial = new FeedOnTrial()
    trial.packets(limits.feedSlots + 10)
    const { feed } = trial
    const reset = (reason: string) => ({ kind: 'reset', reason }) as StreamStart
    assert.deepEqual(startOf(feed, ''), { kind: 'now' })
    assert.deepEqual(startOf(feed, feed.positionAt(feed.offset)), { kind: 'after', offset: feed.offset })
    assert.deepEqual(startOf(feed, feed.positionAt(10)), { kind: 'after', offset: 10 })
    assert.deepEqual(startOf(feed, feed.positionAt(9)), reset('evicted'))
    assert.deepEqual(startOf(feed, feed.positionAt(feed.offset + 1)), reset('future'))
    assert.deepEqual(startOf(feed, 'other.1'), reset('other_epoch'))
    assert.deepEqual(startOf(feed, 'snapshot'), reset('requested'))
    for (const text of [
      'x',
      'epoch',
      'epoch.',
      'epoch.-1',
      'epoch.01',
      'epoch.A',
      '.1',
      `epoch.${'z'.repeat(11)}`,
    ])
      assert.deepEqual(startOf(feed, text), reset('malformed'), text)
  })

  test('tells the parts of a snapshot at their places, and is live when the last one is through', () => {
    const trial = new FeedOnTrial()
    trial.packets(2)
    const stream = trial.stream({ kind: 'reset', reason: 'requested' })
    stream.addPart(part(2, false))
    trial.packets(2)
    stream.addPart(part(4, false))
    trial.packets(1)
    const first = drain(stream)
    assert.deepEqual(told(first), [
      'reset',
      'snapshot',
      'packet_received',
      'packet_received',
      'snapshot',
      'packet_received',
    ])
    stream.addPart(part(5, true))
    assert.deepEqual(told(drain(stream)), ['snapshot', 'live'])
    assert.equal(stream.queuedSnapshotBytes, 0)
  })

  test('that was cut off in its snapshot says so when it is read again, and goes on with its events', () => {
    const trial = new FeedOnTrial()
    let asked = 0
    const stream = trial.stream({ kind: 'reset', reason: 'requested' }, undefined, () => asked++)
    stream.addPart(part(0, false))
    stream.addPart(part(0, false))
    assert.notEqual(stream.cutSnapshot(), null)
    assert.deepEqual([stream.queuedSnapshotBytes, stream.hasMore, asked], [0, true, 0])
    trial.packets(1)
    assert.deepEqual(told(drain(stream)), ['reset', 'packet_received'])
    assert.deepEqual([stream.hasMore, asked], [false, 1])
    stream.addPart(part(1, true))
    assert.deepEqual(told(drain(stream)), ['snapshot', 'live'])
  })

  test('under a filter resumes with exactly what it would have been told', () => {
    const trial = new FeedOnTrial()
    const filter = { ...everything, calls: new Set(['wanted']) }
    const whole = trial.stream({ kind: 'now' }, filter)
    for (let i = 0; i < 300; i++) trial.packets(1, { callId: callId(i % 3 === 0 ? 'wanted' : 'other') })
    const all = drain(whole)
    assert.equal(all.filter(({ event }) => event === 'packet_received').length, 100)
    // The position of the last event seen and the one of a heartbeat both resume exactly.
    const middle = all.findIndex(({ event }) => event === 'packet_received') + 40
    const offset = Number.parseInt((all[middle]?.position ?? '').split('.')[1] ?? '', 36)
    const resumed = drain(trial.stream({ kind: 'after', offset }, filter))
    const rest = (messages: typeof all) =>
      messages.filter(({ event }) => event === 'packet_received').map(({ position }) => position)
    assert.deepEqual(rest(resumed), rest(all.slice(middle + 1)))
    assert.equal(JSON.parse(whole.heartbeat() ?? '').position, trial.feed.positionAt(trial.feed.offset))
  })

  test('looks at a bounded number of events at a time that its filter leaves out', () => {
    const trial = new FeedOnTrial()
    const stream = trial.stream({ kind: 'plain' }, { ...everything, calls: new Set(['none']) })
    trial.packets(limits.feedScanMax + 10)
    assert.equal(stream.next(), null)
    assert.equal(stream.hasMore, true)
    assert.equal(stream.next(), null)
    assert.equal(stream.hasMore, false)
  })

  test('that is blocked is not behind by what its filter leaves out', () => {
    const trial = new FeedOnTrial()
    const stream = trial.stream({ kind: 'plain' }, { ...everything, calls: new Set(['none']) })
    trial.packets(1000)
    assert(stream.lagBytes > 0)
    stream.skip()
    assert.equal(stream.lagBytes, 0)
  })

  test('knows when its place is lost', () => {
    const trial = new FeedOnTrial()
    trial.packets(1)
    const stream = trial.stream({ kind: 'plain' })
    trial.packets(limits.feedSlots)
    assert.equal(stream.isEvicted, false)
    trial.packets(1)
    assert.equal(stream.isEvicted, true)
    assert.throws(() => stream.next(), /lost its place/)
  })

  test('tells nobody of a call that was forgotten, who resumes or who lags', () => {
    const trial = new FeedOnTrial()
    const lagging = trial.stream({ kind: 'plain' })
    trial.packets(3, { callId: callId('gone') })
    trial.packets(2)
    assert.match(lagging.next() ?? '', /gone/)
    trial.feed.forget('gone')
    assert.equal(drain(lagging).length, 2)
    const resumed = drain(trial.stream({ kind: 'after', offset: 0 }))
    assert.deepEqual(told(resumed), ['hello', 'packet_received', 'packet_received', 'live'])
  })
})
