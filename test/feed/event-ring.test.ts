import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { everything } from '../../src/feed/event-filter.js'
import { EventRing } from '../../src/feed/event-ring.js'
import { limits } from '../../src/limits.js'
import { textMedia } from '../../src/protocol/media.js'
import { callId } from '../support/calls.js'
import { packetFacts, stateChange } from '../support/feeds.js'

const started = { event: 'call_started', at: stateChange.at, call_id: 'c1', media: textMedia } as const

const filled = (ring: EventRing, count: number, weightOf = 0) => {
  const missingSequences = Array.from({ length: weightOf }, (_, i) => i)
  for (let i = 0; i < count; i++) ring.addPacket(packetFacts(ring.head, { missingSequences }))
  return ring
}

const sequenceAt = (ring: EventRing, offset: number) => {
  const held = ring.get(offset)
  return held?.kind === 'packet' ? held.facts.sequence : null
}

describe('the ring of events', () => {
  test('holds the newest of each count around its size, and gives each back as it was', () => {
    for (const count of [0, 1, 7, 8, 9, 15, 16, 17, 100]) {
      const ring = filled(new EventRing(8), count)
      assert.equal(ring.head, count)
      assert.equal(ring.evictedThrough, Math.max(0, count - 8))
      for (let offset = ring.evictedThrough + 1; offset <= count; offset++)
        assert.equal(sequenceAt(ring, offset), offset - 1)
    }
  })

  test('says so when it is asked for what it no longer holds', () => {
    const ring = filled(new EventRing(8), 9)
    assert.throws(() => ring.get(1), /held/)
    assert.throws(() => ring.get(10), /held/)
  })

  test('is bounded by weight, and always holds the newest', () => {
    const ring = filled(new EventRing(64, 10_000), 40, 100)
    const eachWeighs = 256 + 8 * 100
    assert.equal(ring.head - ring.evictedThrough, Math.floor(10_000 / eachWeighs))
    filled(ring, 1, 2000)
    assert.equal(ring.head - ring.evictedThrough, 1)
    assert.equal(sequenceAt(ring, ring.head), 40)
  })

  test('holds 65,536 of the wordiest packets as it is configured', () => {
    const missingSequences = Array.from({ length: limits.missingListedMax }, (_, i) => i)
    const ring = new EventRing()
    for (let i = 0; i < 100_000; i++) ring.addPacket(packetFacts(i, { missingSequences }))
    assert(ring.head - ring.evictedThrough >= 65_536, `${ring.head - ring.evictedThrough}`)
  })

  test('is bounded by the bytes of events of any kind, as they are held', () => {
    // Guards against details and texts that weigh as much as a packet: 30,000 starts of 16 KB held 971 MB for 96 MiB.
    for (const letter of ['x', 'ü', '日']) {
      const metadata = Object.fromEntries(
        Array.from({ length: 32 }, (_, i) => [`${i}`.padEnd(64, '_'), letter.repeat(256)]),
      )
      const event = { ...started, metadata }
      const ring = new EventRing(64, 1_000_000)
      for (let i = 0; i < 200; i++) ring.addLifecycle(event)
      const characters = JSON.stringify(event).length
      const bytes = letter === '日' ? 2 * characters : characters
      const held = ring.head - ring.evictedThrough
      assert(held * bytes <= 1_000_000, `${held} of ${bytes} bytes are held`)
      assert(
        held >= Math.min(64, Math.floor(1_000_000 / (bytes + 512))),
        `${held} of ${bytes} bytes are held`,
      )
    }
    const ring = new EventRing(64, 1_000_000)
    for (let i = 0; i < 200; i++)
      ring.addLifecycle({ event: 'ai_failed', at: started.at, call_id: 'c1', reason: 'no '.repeat(100_000) })
    assert.equal(ring.head - ring.evictedThrough, 3)
  })

  test('tells the weight behind an offset, of the evicted ones too', () => {
    const ring = filled(new EventRing(8), 20)
    assert.equal(ring.weightAfter(20), 0)
    assert.equal(ring.weightAfter(19), 256)
    assert.equal(ring.weightAfter(12), 8 * 256)
    assert.equal(ring.weightAfter(0), 8 * 256)
  })

  test('forgets a call, and neither moves nor touches the events of others', () => {
    const ring = new EventRing(8)
    for (const id of ['gone', 'kept', 'gone', 'kept']) ring.addPacket(packetFacts(1, { callId: callId(id) }))
    ring.addLifecycle({ ...stateChange, call_id: 'gone' })
    ring.forget('gone')
    ring.addPacket(packetFacts(1, { callId: callId('gone') }))
    const ids = () =>
      [1, 2, 3, 4, 5, 6].map((offset) => {
        const held = ring.get(offset)
        return held?.kind === 'packet' ? held.facts.callId : held
      })
    // The last one is of a call that came later: guards against a name that stays forgotten.
    assert.deepEqual(ids(), [null, 'kept', null, 'kept', null, 'gone'])
    assert.equal(ring.admits(everything, 1), false)
    ring.sweep()
    assert.deepEqual(ids(), [null, 'kept', null, 'kept', null, 'gone'])
    assert.equal(ring.admits(everything, 1), false)
    assert.equal(ring.admits(everything, 6), true)
    assert.equal(ring.head, 6)
  })

  test('sweeps itself before more calls are forgotten than it may remember', () => {
    // Guards against names that go before their holes are empty.
    const ring = new EventRing(8)
    ring.addPacket(packetFacts(1, { callId: callId('gone') }))
    for (let i = 0; i < limits.feedForgottenMax; i++) ring.forget(i === 0 ? 'gone' : `other-${i}`)
    ring.forget('another')
    assert.equal(ring.get(1), null)
  })

  test('admits by call, event and state; a change of state by either side', () => {
    const ring = new EventRing(8)
    ring.addPacket(packetFacts(1, { state: 'COMPLETED' }))
    ring.addLifecycle(stateChange)
    ring.addLifecycle({ event: 'ai_failed', at: stateChange.at, call_id: 'c2', reason: 'no' })
    const admitted = (filter: Partial<typeof everything>) =>
      [1, 2, 3].filter((offset) => ring.admits({ ...everything, ...filter }, offset))
    assert.deepEqual(admitted({}), [1, 2, 3])
    assert.deepEqual(admitted({ calls: new Set(['c2']) }), [3])
    assert.deepEqual(admitted({ events: new Set(['state_changed', 'ai_failed']) }), [2, 3])
    assert.deepEqual(admitted({ events: new Set(['packet_duplicate']) }), [])
    assert.deepEqual(admitted({ states: new Set(['COMPLETED']) }), [1, 2])
    assert.deepEqual(admitted({ states: new Set(['IN_PROGRESS']) }), [2])
    assert.deepEqual(admitted({ states: new Set(['FAILED']) }), [3])
  })
})
