import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventFeed, type FeedSubscriber, type UnplacedEvent } from '../../src/actors/event-feed.js'

const event = (sequence: number): UnplacedEvent => ({
  event: 'packet_received',
  at: '2026-01-01T00:00:00.000Z',
  call_id: 'c1',
  sequence,
  total_received: 1,
  missing_sequences: [],
  missing_count: 0,
})

class Reader implements FeedSubscriber {
  readonly texts: string[] = []
  flushes = 0

  take(text: string): void {
    this.texts.push(text)
  }

  flush(): void {
    this.flushes++
  }
}

function feedOf() {
  const soon: (() => void)[] = []
  const feed = new EventFeed('epoch', (task) => soon.push(task))
  const endTurn = () => {
    for (const task of soon.splice(0)) task()
  }
  return { feed, soon, endTurn }
}

describe('the event feed', () => {
  test('gives every event the next position, whether anybody listens or not', () => {
    const { feed } = feedOf()
    for (let i = 0; i < 40; i++) feed.publish(event(i))
    const reader = new Reader()
    feed.subscribe(reader)
    feed.publish(event(40))
    feed.publish(event(41))
    const positions = reader.texts.map((text) => JSON.parse(text).position)
    assert.deepEqual(positions, ['epoch.15', 'epoch.16'], '41 and 42 to the base 36')
    assert.equal(feed.offset, 42)
  })

  test('hands every subscriber the same text, in order, and flushes once a turn', () => {
    const { feed, soon, endTurn } = feedOf()
    const readers = [new Reader(), new Reader()]
    for (const reader of readers) feed.subscribe(reader)
    for (let i = 0; i < 3; i++) feed.publish(event(i))
    assert.equal(soon.length, 1)
    endTurn()
    for (const { texts, flushes } of readers) {
      assert.deepEqual(
        texts.map((text) => JSON.parse(text).sequence),
        [0, 1, 2],
      )
      assert.equal(flushes, 1)
    }
    assert.equal(readers[0]?.texts[0], readers[1]?.texts[0])
    feed.publish(event(3))
    endTurn()
    assert.equal(readers[0]?.flushes, 2)
  })

  test('leaves out who has gone, and costs nothing when nobody is left', () => {
    const { feed, soon } = feedOf()
    const reader = new Reader()
    const leave = feed.subscribe(reader)
    assert.equal(feed.subscriberCount, 1)
    leave()
    feed.publish(event(0))
    assert.deepEqual([feed.subscriberCount, reader.texts.length, soon.length], [0, 0, 0])
  })

  test('keeps the members of the event as they were given, with its name and position first', () => {
    const { feed } = feedOf()
    const reader = new Reader()
    feed.subscribe(reader)
    feed.publish(event(7))
    const { position, ...rest } = JSON.parse(reader.texts[0] as string)
    assert.equal(position, 'epoch.1')
    assert.deepEqual(rest, event(7))
    assert.match(reader.texts[0] as string, /^\{"event":"packet_received","position":"epoch\.1",/)
  })
})
