import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import type { ReceiptFacts } from '../../src/actors/call-settlements.js'
import { EventFeed, type FeedSubscriber, type LifecycleEvent } from '../../src/actors/event-feed.js'
import { SupervisorEvent } from '../../src/protocol/event.js'
import { callId } from '../support/calls.js'

const eventCheck = Compile(SupervisorEvent)

const facts = (sequence: number): ReceiptFacts => ({
  status: 'accepted',
  callId: callId('c1'),
  sequence,
  totalReceived: 1,
  missingSequences: [3, 4],
  missingCount: 2,
  receivedAt: Date.UTC(2026, 0, 1),
  state: 'COMPLETED',
})

const stateChange: LifecycleEvent = {
  event: 'state_changed',
  at: '2026-01-01T00:00:00.000Z',
  call_id: 'c1',
  from_state: 'IN_PROGRESS',
  to_state: 'COMPLETED',
  reason: 'completed',
}

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
    for (let i = 0; i < 40; i++) feed.publishPacket(facts(i))
    const reader = new Reader()
    feed.subscribe(reader)
    feed.publishPacket(facts(40))
    feed.publish(stateChange)
    const positions = reader.texts.map((text) => JSON.parse(text).position)
    assert.deepEqual(positions, ['epoch.15', 'epoch.16'], '41 and 42 to the base 36')
    assert.equal(feed.offset, 42)
  })

  test('hands every subscriber the same text, in order, and flushes once a turn', () => {
    const { feed, soon, endTurn } = feedOf()
    const readers = [new Reader(), new Reader()]
    for (const reader of readers) feed.subscribe(reader)
    for (let i = 0; i < 3; i++) feed.publishPacket(facts(i))
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
    feed.publishPacket(facts(3))
    endTurn()
    assert.equal(readers[0]?.flushes, 2)
  })

  test('leaves out who has gone, and costs nothing when nobody is left', () => {
    const { feed, soon } = feedOf()
    const reader = new Reader()
    const leave = feed.subscribe(reader)
    assert.equal(feed.subscriberCount, 1)
    leave()
    feed.publishPacket(facts(0))
    assert.deepEqual([feed.subscriberCount, reader.texts.length, soon.length], [0, 0, 0])
  })

  test('writes out packets and changes of state alike, with name and position first', () => {
    const { feed } = feedOf()
    const reader = new Reader()
    feed.subscribe(reader)
    feed.publishPacket(facts(7))
    feed.publish(stateChange)
    assert.deepEqual(
      reader.texts.map((text) => JSON.parse(text)),
      [
        {
          event: 'packet_received',
          position: 'epoch.1',
          at: '2026-01-01T00:00:00.000Z',
          call_id: 'c1',
          sequence: 7,
          total_received: 1,
          missing_sequences: [3, 4],
          missing_count: 2,
        },
        { ...stateChange, position: 'epoch.2' },
      ],
    )
    for (const text of reader.texts) assert.match(text, /^\{"event":"\w+","position":"epoch\.\d","at":/)
  })

  test('writes out every packet as its schema says', () => {
    const { feed } = feedOf()
    const reader = new Reader()
    feed.subscribe(reader)
    const all = ['accepted', 'duplicate', 'rejected'] as const
    for (const status of all) feed.publishPacket({ ...facts(1), status })
    const names = reader.texts.map((text) => {
      const event = JSON.parse(text)
      assert.equal(eventCheck.Check(event), true, text)
      return event.event
    })
    assert.deepEqual(names, ['packet_received', 'packet_duplicate', 'packet_rejected'])
  })
})
