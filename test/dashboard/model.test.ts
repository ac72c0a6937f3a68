import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Acknowledgements } from '../../src/dashboard/model/acknowledgements.js'
import { Arrivals } from '../../src/dashboard/model/arrivals.js'
import { needsOf } from '../../src/dashboard/model/attention.js'
import { CallRecord } from '../../src/dashboard/model/call-record.js'
import { FloorPicture } from '../../src/dashboard/model/floor-picture.js'
import { freshnessOf, ServiceClock } from '../../src/dashboard/model/freshness.js'
import { MissingRanges, missingByColumn } from '../../src/dashboard/model/missing-ranges.js'
import type { CallRow } from '../../src/protocol/floor.js'
import { callRowOf } from '../support/call-views.js'

const start = Date.parse('2026-01-01T10:00:00.000Z')
const time = (ms: number) => new Date(start + ms).toISOString()

const row = (callId: string, change: Partial<CallRow> = {}): CallRow =>
  callRowOf(callId, { created_at: time(0), last_packet_at: time(0), ...change })

const record = (callId: string, change: Partial<CallRow> = {}) =>
  new CallRecord(row(callId, change), start, 1)
const needsAt = (ms: number, ...calls: CallRecord[]) => needsOf(calls, start + ms)

test('a live call that was silent for 2 s needs attention, and urgently after 10 s', () => {
  assert.deepEqual(needsAt(1999, record('a')), [])
  assert.equal(needsAt(2000, record('a'))[0]?.concerns[0].level, 2)
  assert.equal(needsAt(10_000, record('a'))[0]?.concerns[0].level, 3)
})

test('a call that ended is not silent', () => {
  assert.deepEqual(needsAt(60_000, record('a', { state: 'ARCHIVED', ended_at: time(0) })), [])
})

test('urgent calls come first, then serious ones, and among equals who has waited longest', () => {
  const order = needsAt(
    12_000,
    record('negative', { state: 'ARCHIVED', ended_at: time(0), sentiment: 'negative' }),
    record('failed', { state: 'FAILED', ended_at: time(0) }),
    record('silent', { last_packet_at: time(1000) }),
    record('silent-longer', { last_packet_at: time(0) }),
  ).map(({ call }) => call.id)
  assert.deepEqual(order, ['silent-longer', 'silent', 'failed', 'negative'])
})

test('a call whose sound has an alert needs attention until somebody has acknowledged it, whoever it was', () => {
  const worst = {
    alert_id: 'one_way:1:1',
    kind: 'one_way',
    severity: 'critical',
    channel: 1,
    since: time(500),
    acknowledged_by: null,
    acknowledged_at: null,
  } as const
  const live = { last_packet_at: time(1000), alerts: 1 }
  const [need] = needsAt(1500, record('a', { ...live, worst }))
  assert.deepEqual(need?.concerns, [
    { kind: 'talk', level: 3, reason: 'One side is not heard (voice 2)', since: start + 500 },
  ])
  const [noisy] = needsAt(1500, record('a', { ...live, worst: { ...worst, kind: 'noise', channel: null } }))
  assert.deepEqual([noisy?.concerns[0].kind, noisy?.concerns[0].reason], ['sound', 'Noise on the line'])
  const acknowledged = { ...worst, acknowledged_by: 'maria', acknowledged_at: time(900) }
  assert.deepEqual(needsAt(1500, record('a', { ...live, worst: acknowledged })), [])
  const over = { ...live, worst, state: 'ARCHIVED', ended_at: time(1200) } as const
  assert.deepEqual(needsAt(1500, record('a', over)), [])
})

test('a call that is analysed again waits from then on, not from the end of its packets', () => {
  // Guards against "waiting long, 24 h" a moment after the button was pressed.
  const day = 24 * 3_600_000
  const ended = { completed_at: time(1000), ended_at: time(2000) }
  const call = record('a', { ...ended, state: 'FAILED' })
  const again = row('a', { ...ended, ended_at: null, state: 'PROCESSING_AI' })
  call.update(again, start + day, 1)
  assert.deepEqual(needsAt(day + 59_000, call), [])
  call.update(again, start + day + 59_500, 1)
  const [need] = needsAt(day + 60_000, call)
  assert.equal(need?.concerns[0].kind, 'waiting')
  assert.equal(need?.concerns[0].since, start + day)
  const unseen = record('b', { completed_at: time(1000), state: 'PROCESSING_AI' })
  assert.equal(needsAt(61_000, unseen)[0]?.concerns[0].since, start + 1000)
})

test('a call that ended twice ended the second time, though what was between was not seen', () => {
  const call = record('a', { state: 'FAILED', ended_at: time(1000) })
  const day = 24 * 3_600_000
  call.update(row('a', { state: 'ARCHIVED', ended_at: time(day), sentiment: 'negative' }), start + day, 1)
  assert.equal(needsAt(day + 1000, call)[0]?.concerns[0].since, start + day)
  call.update(row('a', { state: 'PROCESSING_AI' }), start + day, 1)
  assert.equal(call.endedAt, null)
})

test('loss is told while it lasts: not before it can be known, and not after it is over', () => {
  const call = record('a')
  const losingAt = (second: number, received: number, missing: number) => {
    const last_packet_at = time(second * 1000)
    call.update(
      row('a', { total_received: received, missing_count: missing, last_packet_at }),
      start + second * 1000,
      1,
    )
    return needsAt(second * 1000, call).some(
      ({ concerns }) => concerns[0].kind === 'losing' && concerns[0].level > 1,
    )
  }
  assert.equal(losingAt(1, 20, 4), false, 'twenty packets tell nothing')
  assert.equal(losingAt(4, 180, 20), true)
  assert.equal(losingAt(5, 230, 20), true)
  assert.equal(losingAt(20, 1000, 20), false)
})

test('what is acknowledged comes back when it gets worse, and when it was over in between', () => {
  const seen = new Acknowledgements(null)
  const call = record('a')
  const at = (ms: number) => {
    const needs = needsAt(ms, call)
    seen.settle(needs)
    return needs
  }
  const [first] = at(3000)
  assert(first !== undefined)
  seen.add(first)
  assert.equal(
    at(4000).every((need) => seen.covers(need)),
    true,
  )
  assert.equal(
    at(11_000).every((need) => seen.covers(need)),
    false,
    'worse',
  )
  const [worse] = at(11_000)
  assert(worse !== undefined)
  seen.add(worse)
  call.update(row('a', { last_packet_at: time(11_500) }), start + 11_500, 1)
  assert.deepEqual(at(11_600), [])
  assert.equal(
    at(14_000).every((need) => seen.covers(need)),
    false,
    'silent again',
  )
})

test('storage that holds something else, or none of it, is no reason to fail', () => {
  for (const stored of ['', 'null', '{}', '[1]', '[["a"]]', '[["a",{"silent":"x"}]]', '[["a",null]]', 'x'])
    assert.doesNotThrow(() => new Acknowledgements({ getItem: () => stored, setItem: () => {} }))
  const full = new Acknowledgements({
    getItem: () => {
      throw new Error('forbidden')
    },
    setItem: () => {
      throw new Error('full')
    },
  })
  const [need] = needsAt(3000, record('a'))
  assert(need !== undefined)
  full.add(need)
  assert.equal(full.covers(need), true)
})

test('after a reconnect calls that the new picture does not have are gone, but only once it is whole', () => {
  const picture = new FloorPicture()
  picture.begin()
  picture.take([row('a'), row('b')], start)
  picture.complete()
  picture.begin()
  picture.take([row('b')], start)
  assert.deepEqual([...picture.calls.keys()], ['a', 'b'])
  assert.equal(picture.isComplete, false)
  picture.complete()
  assert.deepEqual([...picture.calls.keys()], ['b'])
})

test('silence makes the picture stale, and the service’s time stands still', () => {
  const clock = new ServiceClock()
  const whole = { isComplete: true }
  clock.heard(start, 1000)
  assert.equal(freshnessOf(true, whole, clock, 2000).kind, 'live')
  assert.equal(clock.now(2000), start + 1000)
  assert.deepEqual(freshnessOf(true, whole, clock, 60_000), { kind: 'stale', since: 1000 })
  assert.deepEqual(freshnessOf(false, whole, clock, 60_000), { kind: 'offline', since: 1000 })
  assert(
    clock.now(60_000) < start + 5000,
    'a tab that slept for a minute does not know of a minute of silence',
  )
})

test('a line that falters makes no call silent', () => {
  // Guards against a list full of silent calls two seconds after the viewer's network went.
  const clock = new ServiceClock()
  clock.heard(start + 250, 1000)
  for (const localNow of [2000, 3000, 4400, 60_000])
    assert.deepEqual(needsOf([record('a')], clock.now(localNow)), [], `${localNow}`)
  clock.heard(start + 2100, 2850)
  assert.equal(needsOf([record('a')], clock.now(2850)).length, 1)
})

test('a message that was long under way is not live', () => {
  const clock = new ServiceClock()
  clock.heard(start, 1000)
  clock.heard(start + 1000, 9000)
  assert.equal(freshnessOf(true, { isComplete: true }, clock, 9000).kind, 'catching-up')
})

test('gaps open, split, shrink and close like those of the service, in any order of arrival', () => {
  const missing = new MissingRanges()
  assert.equal(missing.arrive(0), 'next')
  assert.equal(missing.arrive(9), 'next')
  assert.deepEqual(missing.ranges, [[1, 8]])
  assert.equal(missing.arrive(4), 'late')
  assert.equal(missing.arrive(4), 'known')
  assert.deepEqual(missing.ranges, [
    [1, 3],
    [5, 8],
  ])
  for (const sequence of [5, 8, 1, 3, 2, 7, 6]) assert.equal(missing.arrive(sequence), 'late')
  assert.deepEqual(missing.ranges, [])
})

test('a column shows the share of it that is missing', () => {
  assert.deepEqual([...missingByColumn([[0, 4]], 20, 2)], [0.5, 0])
  assert.deepEqual([...missingByColumn([[5, 14]], 20, 2)], [0.5, 0.5])
  assert.deepEqual([...missingByColumn([[19, 19]], 20, 20)].at(-1), 1)
})

test('packets are late when a higher one was here before them, and count once', () => {
  const arrivals = new Arrivals()
  for (const [sequence, at] of [
    [0, 1000],
    [2, 1020],
    [1, 2040],
    [1, 2050],
    [3, 2060],
  ] as const)
    arrivals.add(sequence, at, false)
  arrivals.findLate()
  assert.deepEqual([...arrivals.late], [1])
  assert.deepEqual(arrivals.perSecond(3000, 60), [
    [1, 2],
    [2, 2],
  ])
})
