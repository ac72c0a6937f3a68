/** Who speaks on simulated calls: names that the service takes, and enough of them to fill a list. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { StartBody } from '../../src/protocol/media.js'
import { partiesOf } from '../../src/simulate/parties.js'

const calls = Array.from({ length: 200 }, (_, callIndex) => partiesOf(callIndex))
const countOf = (pick: (parties: (typeof calls)[number]) => string) => new Set(calls.map(pick)).size

describe('the parties of simulated calls', () => {
  test('are what a start may say', () => {
    const check = Compile(StartBody)
    for (const parties of calls) assert(check.Check(parties), JSON.stringify(parties))
  })

  test('are the same in every run', () => {
    assert.deepEqual(partiesOf(7), partiesOf(7))
  })

  test('are several queues with several agents each, and many callers', () => {
    assert.equal(
      countOf(({ queue }) => queue),
      4,
    )
    assert.equal(
      countOf(({ agent }) => agent),
      10,
    )
    assert(countOf(({ caller }) => caller) > 60)
    const agentsOf = (name: string) =>
      new Set(calls.filter(({ queue }) => queue === name).map(({ agent }) => agent))
    assert(agentsOf('Sales').size > 1)
  })

  test('have numbers that are kept for fiction', () => {
    for (const { caller } of calls)
      assert.match(caller, /^\+(?:447700900\d{3}|120255501\d\d|4930231250\d\d|331990000\d\d|61491570\d{3})$/)
  })
})
