/** People in the lists: who is named and in which order, what each lens shows, and times that cannot be read as clocks. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAge, formatStart } from '../../src/dashboard/format.js'
import { Acknowledgements } from '../../src/dashboard/model/acknowledgements.js'
import { needsOf } from '../../src/dashboard/model/attention.js'
import { firstQuery, listOf, sortedBy } from '../../src/dashboard/model/call-list.js'
import { CallRecord } from '../../src/dashboard/model/call-record.js'
import { columnsOf } from '../../src/dashboard/model/columns.js'
import { concernKindsThrough, lenses, needsThrough } from '../../src/dashboard/model/lens.js'
import { namesOf, whoOf } from '../../src/dashboard/model/names.js'
import type { CallRow } from '../../src/protocol/floor.js'
import { callRowOf } from '../support/call-views.js'

const start = Date.parse('2026-01-01T10:00:00.000Z')
const time = (ms: number) => new Date(start + ms).toISOString()

const row = (callId: string, change: Partial<CallRow> = {}): CallRow =>
  callRowOf(callId, { created_at: time(0), last_packet_at: time(0), ...change })
const record = (callId: string, change: Partial<CallRow> = {}) =>
  new CallRecord(row(callId, change), start, 1)

describe('who is on a call', () => {
  test('is told with the agent first, and by the id only where nobody is named', () => {
    const parties = { caller: '+4930231250', callee: '+442079460101', agent: 'Maria', queue: 'Billing' }
    assert.deepEqual(namesOf(row('a', parties)), ['Maria', 'Billing', '+4930231250'])
    assert.deepEqual(namesOf(row('a', { queue: 'Billing' })), ['Billing'])
    assert.deepEqual(namesOf(row('a')), [])
    assert.equal(whoOf(row('a', { agent: 'Maria' })), 'Maria')
    assert.equal(whoOf(row('a')), 'call a')
  })
})

describe('the list of calls', () => {
  const calls = [
    record('c-1', { agent: 'zoë', created_at: time(1000) }),
    record('c-2', { agent: 'Émile', created_at: time(3000) }),
    record('c-3', { created_at: time(2000) }),
    record('c-4', { agent: 'anna 10' }),
    record('c-5', { agent: 'Anna 9' }),
  ]
  const idsBy = (query: typeof firstQuery) => listOf(calls, query, start).map(({ id }) => id)

  test('shows the calls that started last first', () => {
    assert.deepEqual(idsBy(firstQuery).slice(0, 3), ['c-2', 'c-3', 'c-1'])
  })

  test('sorts names as people do, and those without one come last', () => {
    // Guards against the order of character codes: Anna, Zed, anna, Émile.
    assert.deepEqual(idsBy(sortedBy(firstQuery, 'agent')), ['c-5', 'c-4', 'c-2', 'c-1', 'c-3'])
  })

  test('has people first and the id last, through each lens', () => {
    for (const lens of lenses) {
      const keys = columnsOf(lens).map(({ key }) => key)
      assert.deepEqual([keys[0], keys[1], keys.at(-1)], ['agent', 'queue', 'call'])
    }
  })
})

describe('a lens', () => {
  test('shows each concern through one of them', () => {
    const both = lenses.flatMap((lens) => concernKindsThrough(lens))
    assert.deepEqual([...both].sort(), [...concernKindsThrough(null)].sort())
  })

  test('leaves out the concerns of the other one', () => {
    const ended = { state: 'ARCHIVED', ended_at: time(0), completed_at: time(0) } as const
    const needs = needsOf(
      [record('unhappy', { ...ended, sentiment: 'negative' }), record('silent')],
      start + 3000,
    )
    const ids = (lens: (typeof lenses)[number] | null) => needsThrough(needs, lens).map(({ call }) => call.id)
    assert.deepEqual(ids(null), ['silent', 'unhappy'])
    assert.deepEqual(ids('conversations'), ['unhappy'])
    assert.deepEqual(ids('transport'), ['silent'])
  })

  test('keeps what was acknowledged through the other one', () => {
    const seen = new Acknowledgements(null)
    const [need] = needsOf([record('a')], start + 3000)
    assert(need !== undefined)
    const since = need.concerns[0].since
    const later = { kind: 'losing', level: 1, reason: '', since } as const
    seen.add(need)
    seen.add({ call: need.call, concerns: [later] })
    assert(seen.covers({ call: need.call, concerns: [need.concerns[0], later] }))
  })
})

describe('times', () => {
  test('how long something is ago cannot be read as a clock', () => {
    assert.deepEqual([4200, 45_000, 729_000, 3 * 3_600_000, 50 * 3_600_000].map(formatAge), [
      '4.2 s',
      '45 s',
      '12 min',
      '3 h',
      '2 d',
    ])
  })

  test('a call of another day says its day', () => {
    assert.match(formatStart(start, start + 1000), /^\d\d:\d\d:\d\d$/)
    assert.match(formatStart(start, start + 3 * 86_400_000), /1 Jan/)
  })

  test('a call lasted until its end, and the time in which the service waited for more is not counted', () => {
    assert.equal(record('a').durationMs(start + 5000), 5000)
    const ended = { state: 'ARCHIVED', ended_at: time(60_000), last_packet_at: time(9000) } as const
    const completed = record('a', { ...ended, completed_at: time(10_000), reason: 'completed' })
    assert.equal(completed.durationMs(start + 90_000), 10_000)
    const idle = record('a', { ...ended, completed_at: time(40_000), reason: 'idle_timeout' })
    assert.equal(idle.durationMs(start + 90_000), 9000)
  })
})
