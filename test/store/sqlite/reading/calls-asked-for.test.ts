/**
 * Which calls a query goes through, in a file with enough of them that each way of finding is taken: few calls that are sorted, few texts
 * side by side, and calls that are asked one by one.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Database from 'better-sqlite3'
import { limits } from '../../../../src/limits.js'
import type { DetailFilter } from '../../../../src/protocol/call-details.js'
import type { CallQuery } from '../../../../src/store/journal.js'
import { createTables } from '../../../../src/store/sqlite/files/schema.js'
import { CallsAskedFor } from '../../../../src/store/sqlite/reading/calls-asked-for.js'

const count = 3 * limits.callsLookedAtMax
const at = 1_700_000_000_000
const minute = 60_000

interface Made {
  readonly key: number
  readonly state: string
  readonly createdAt: number
  readonly details: Readonly<Record<string, string>>
}

const made: readonly Made[] = Array.from({ length: count }, (_, i) => ({
  key: i + 1,
  state: i % 1000 === 7 ? 'FAILED' : 'ARCHIVED',
  createdAt: at + i * minute,
  details: {
    agent: i === 4321 ? 'Rare Bird' : `Agent ${i % 40}`,
    queue: i < count / 2 ? 'Old Queue' : `Queue ${i % 2}`,
    caller: `+49${String(i).padStart(7, '0')}`,
    callee: i % 500 === 3 ? '+4900000' : '+44',
    sentiment: i % 3 === 0 ? 'negative' : 'neutral',
  },
}))

function databaseOf(calls: readonly Made[]): Database.Database {
  const db = new Database(':memory:')
  createTables(db)
  const call = db.prepare("INSERT INTO calls VALUES (?, ?, 1, ?, ?, NULL, NULL, 1, '{}', 0)")
  const detail = db.prepare('INSERT INTO details VALUES (?, ?, ?, 0)')
  db.transaction(() => {
    for (const { key, state, createdAt, details } of calls) {
      call.run(key, `c${key}`, state, createdAt)
      for (const [name, value] of Object.entries(details)) detail.run(key, name, value)
    }
  })()
  return db
}

const isText = (names: string[], text: string): DetailFilter => ({ names, text, isPrefix: false })
const begins = (names: string[], text: string): DetailFilter => ({ names, text, isPrefix: true })
const number = ['caller', 'callee']

/** By nothing but the calls themselves. */
const cases: readonly (readonly [what: string, query: Partial<CallQuery>, fits: (call: Made) => boolean])[] =
  [
    ['all', {}, () => true],
    ['a state', { state: 'FAILED' }, ({ state }) => state === 'FAILED'],
    [
      'an agent',
      { details: [isText(['agent'], 'Agent 3')] },
      ({ details }) => details['agent'] === 'Agent 3',
    ],
    [
      'few calls of a beginning',
      { details: [begins(['agent'], 'rare')] },
      ({ details }) => details['agent'] === 'Rare Bird',
    ],
    ['many calls of a few texts', { details: [begins(['queue'], 'queue ')] }, ({ key }) => key > count / 2],
    ['many calls of many texts', { details: [begins(number, '+490')] }, () => true],
    [
      'few calls of many texts',
      { details: [begins(number, '+490001')] },
      ({ key }) => key > 1000 && key <= 2000,
    ],
    [
      'a number of either side',
      { details: [isText(number, '+4900000')] },
      ({ details }) => details['callee'] === '+4900000',
    ],
    [
      'two that seldom meet',
      { state: 'FAILED', details: [isText(['agent'], 'Agent 7'), isText(['sentiment'], 'negative')] },
      ({ state, details }) =>
        state === 'FAILED' && details['agent'] === 'Agent 7' && details['sentiment'] === 'negative',
    ],
    [
      'a range of time',
      { from: at + 100 * minute, before: at + 200 * minute },
      ({ createdAt }) => createdAt >= at + 100 * minute && createdAt < at + 200 * minute,
    ],
    [
      'a range of time and a queue',
      { from: at + 100 * minute, before: at + 200 * minute, details: [begins(['queue'], 'old')] },
      ({ createdAt }) => createdAt >= at + 100 * minute && createdAt < at + 200 * minute,
    ],
  ]

function fitting(asked: CallsAskedFor, query: CallQuery): readonly number[] {
  const { keys, fits } = asked.find(query, null)
  return [...keys].filter(fits)
}

describe('the calls that are asked for', () => {
  const db = databaseOf(made)
  const asked = new CallsAskedFor(db)
  const queryOf = (query: Partial<CallQuery>): CallQuery => ({
    state: null,
    cursor: null,
    limit: 50,
    ...query,
  })

  for (const [what, partial, fits] of cases)
    for (const order of ['newest', 'oldest'] as const)
      test(`${what}, ${order} first, are those that fit, each once`, () => {
        const query = queryOf({ ...partial, order })
        const expected = made.filter(fits).map(({ key }) => key)
        if (order === 'newest') expected.reverse()
        const found = fitting(asked, query)
        assert(
          expected.length > 0 && found.length === expected.length,
          `${found.length} of ${expected.length}`,
        )
        assert.deepEqual(found, expected)
        const middle = expected[Math.floor(expected.length / 2)] as number
        const rest = fitting(asked, { ...query, cursor: middle })
        assert.deepEqual(rest, expected.slice(expected.indexOf(middle) + 1), 'behind a cursor')
      })

  test('are led by the rarest of the filters', () => {
    const looked = (partial: Partial<CallQuery>) => [...asked.find(queryOf(partial), null).keys].length
    const common = isText(['sentiment'], 'neutral')
    assert.equal(looked({ details: [common, begins(['agent'], 'rare')] }), 1)
    assert.equal(looked({ state: 'FAILED', details: [common] }), count / 1000)
    assert(looked({ from: at + 100 * minute, before: at + 110 * minute, details: [common] }) < 30)
    assert(looked({ state: 'ARCHIVED', details: [isText(['agent'], 'Agent 3')] }) === count / 40)
  })

  test('with so many different names that none leads are asked one by one', () => {
    const many = made.slice(0, limits.namesLookedAtMax + 10)
    const crowded = new CallsAskedFor(
      databaseOf(many.map((call) => ({ ...call, details: { agent: `Agent ${call.key}` } }))),
    )
    const query = queryOf({ details: [begins(['agent'], 'agent 200')] })
    const found = fitting(crowded, query)
    assert.deepEqual(found, [2009, 2008, 2007, 2006, 2005, 2004, 2003, 2002, 2001, 2000, 200])
  })
})
