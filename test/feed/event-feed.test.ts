import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { SupervisorEvent } from '../../src/protocol/event.js'
import { drain, FeedOnTrial, packetFacts, stateChange } from '../support/feeds.js'

const eventCheck = Compile(SupervisorEvent)

describe('the event feed', () => {
  test('gives every event the next position, whether anybody listens or not', () => {
    const trial = new FeedOnTrial()
    trial.packets(40)
    const stream = trial.stream({ kind: 'plain' })
    trial.packets(1)
    trial.feed.publish(stateChange)
    const positions = drain(stream).map(({ position }) => position)
    assert.deepEqual(positions, ['epoch.15', 'epoch.16'], '41 and 42 to the base 36')
    assert.equal(trial.feed.offset, 42)
  })

  test('makes one text for all who read it, in order', () => {
    const trial = new FeedOnTrial()
    const streams = [0, 1].map(() => trial.stream({ kind: 'plain' }))
    trial.packets(3)
    const [texts, others] = streams.map((stream) => [stream.next(), stream.next(), stream.next()])
    assert.deepEqual(texts, others)
    assert.deepEqual(
      texts?.map((text) => JSON.parse(text ?? '').sequence),
      [0, 1, 2],
    )
    for (const stream of streams) assert.equal(stream.next(), null)
  })

  test('pumps its readers once a turn, and nobody when nobody is left', () => {
    const { feed, turn } = new FeedOnTrial()
    let pumped = 0
    const reader = {
      pump: () => {
        pumped++
        return false
      },
    }
    const leave = feed.add(reader)
    for (let i = 0; i < 3; i++) feed.publishPacket(packetFacts(i))
    turn.end()
    assert.equal(pumped, 1)
    feed.publishPacket(packetFacts(3))
    turn.end()
    assert.equal(pumped, 2)
    leave()
    feed.publishPacket(packetFacts(4))
    assert.deepEqual([feed.readerCount, turn.taskCount, pumped], [0, 0, 2])
  })

  test('writes out packets and changes of state alike, with name and position first', () => {
    const { feed } = new FeedOnTrial()
    feed.publishPacket(packetFacts(7, { missingSequences: [3, 4], missingCount: 2, totalReceived: 6 }))
    feed.publish(stateChange)
    const texts = [1, 2].map((offset) => feed.textAt(offset) ?? '')
    assert.deepEqual(
      texts.map((text) => JSON.parse(text)),
      [
        {
          event: 'packet_received',
          position: 'epoch.1',
          at: '2026-01-01T00:00:00.000Z',
          call_id: 'c1',
          sequence: 7,
          total_received: 6,
          missing_sequences: [3, 4],
          missing_count: 2,
        },
        { ...stateChange, position: 'epoch.2' },
      ],
    )
    for (const text of texts) assert.match(text, /^\{"event":"\w+","position":"epoch\.\d","at":/)
  })

  test('writes out every packet as its schema says, the largest numbers too', () => {
    const { feed } = new FeedOnTrial()
    const all = ['accepted', 'duplicate', 'rejected'] as const
    for (const status of all)
      feed.publishPacket(
        packetFacts(2 ** 31 - 1, { status, totalReceived: 2 ** 31, missingCount: 2 ** 31, state: 'FAILED' }),
      )
    const events = all.map((_, i) => JSON.parse(feed.textAt(i + 1) ?? ''))
    for (const event of events) assert.equal(eventCheck.Check(event), true, JSON.stringify(event))
    assert.deepEqual(
      events.map(({ event }) => event),
      ['packet_received', 'packet_duplicate', 'packet_rejected'],
    )
    assert.deepEqual(
      [events[0].sequence, events[0].total_received, events[0].missing_count],
      [2 ** 31 - 1, 2 ** 31, 2 ** 31],
    )
    assert.equal(events[2].state, 'FAILED')
  })
})
