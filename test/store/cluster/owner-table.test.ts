/** The table of owners follows from the log alone. Guards against a node that takes what is not given, in a place that fences nobody. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Control } from '../../../src/store/cluster/message-head.js'
import { OwnerTable } from '../../../src/store/cluster/owner-table.js'
import { firstOf } from '../../../src/store/cluster/ranking.js'
import { trimmableThrough } from '../../../src/store/cluster/trimming.js'
import { partitions } from '../../../src/store/partitions.js'

const hello: Control = { kind: 'hello', reads: [1], url: 'http://a' }

function tableOf(
  ...messages: readonly (readonly [subject: string, node: string, ...control: Control[]])[]
): OwnerTable {
  const table = new OwnerTable()
  for (const [index, [subject, node, ...control]] of messages.entries())
    table.apply({
      sequence: index + 1,
      subject: `vs.log.${subject}`,
      id: `r.${index}`,
      node,
      run: 'r',
      control,
    })
  return table
}

const claim = (from: string, ...claimed: number[]): Control => ({ kind: 'claim', from, partitions: claimed })
const grant = (to: string, ...granted: number[]): Control => ({ kind: 'grant', to, partitions: granted })

describe('the table of owners', () => {
  test('gives a partition that nobody has to who claims it first', () => {
    const table = tableOf(['none', 'a', claim('none', 1, 2)], ['none', 'b', claim('none', 2, 3)])
    assert.deepEqual(
      [0, 1, 2, 3].map((each) => table.ownerOf(each)),
      ['none', 'a', 'a', 'b'],
    )
    assert.deepEqual(
      [1, 3].map((each) => table.sinceOf(each)),
      [1, 2],
    )
  })

  test('moves by a claim on the subject of its owner, and by a grant of its owner', () => {
    const table = tableOf(
      ['none', 'a', claim('none', 1, 2, 3)],
      ['a', 'b', claim('a', 1)],
      ['a', 'a', grant('c', 2)],
    )
    assert.deepEqual(
      [1, 2, 3].map((each) => table.ownerOf(each)),
      ['b', 'c', 'a'],
    )
  })

  test('moves by nothing else', () => {
    const taken = ['none', 'a', claim('none', 1)] as const
    for (const [what, message] of Object.entries({
      'a claim on the subject of who claims': ['b', 'b', claim('a', 1)],
      'a claim from who does not own it': ['c', 'b', claim('c', 1)],
      'a grant on the subject of another node': ['a', 'b', grant('b', 1)],
      'a grant of who does not own it': ['b', 'b', grant('b', 1)],
      'a leave': ['a', 'a', { kind: 'leave' }],
    } as const))
      assert.equal(tableOf(taken, ['a', 'a', hello], message as never).ownerOf(1), 'a', what)
  })

  test('knows nodes by what they say on their own subjects alone', () => {
    const table = tableOf(
      ['a', 'a', hello],
      ['a', 'b', { kind: 'leave' }],
      ['a', 'a', { kind: 'tick', synced: 1 }],
      ['b', 'a', hello],
    )
    const known = { run: 'r', reads: [1], url: 'http://a', since: 1, synced: 1, hasLeft: false }
    assert.deepEqual([...table.nodes], [['a', known]])
    assert.deepEqual(
      ['a', 'b', 'c'].map((each) => table.lastOf(`vs.log.${each}`)),
      [3, 4, 0],
    )
    assert.equal(tableOf(['a', 'a', hello], ['a', 'a', { kind: 'leave' }]).nodes.get('a')?.hasLeft, true)
  })

  test('is restored as it was', () => {
    const table = tableOf(['b', 'b', hello], ['none', 'b', claim('none', 5, 63)], ['a', 'a', hello])
    const restored = OwnerTable.restore(table.snapshot())
    assert.equal(restored.snapshot(), table.snapshot())
    assert.deepEqual(
      [5, 6].map((each) => restored.ownerOf(each)),
      ['b', 'none'],
    )
  })
})

test('the ranking gives each node its share, and moves only what a node that comes or goes has', () => {
  const shareOf = (nodes: readonly string[]) =>
    Array.from({ length: partitions }, (_, partition) => firstOf(partition, nodes))
  const three = shareOf(['a', 'b', 'c'])
  assert.deepEqual(shareOf(['c', 'a', 'b']), three)
  for (const node of ['a', 'b', 'c']) assert(three.filter((each) => each === node).length > 10, node)
  const two = shareOf(['a', 'b'])
  for (const [partition, node] of three.entries()) if (node !== 'c') assert.equal(two[partition], node)
  assert.equal(firstOf(1, []), null)
})

describe('the log may be trimmed', () => {
  const synced = (node: string, through: number) =>
    [node, node, hello, { kind: 'tick', synced: through }] as [string, string, ...Control[]]

  test('through what all that are waited for have synced, at least two of them', () => {
    const table = tableOf(
      synced('a', 0),
      synced('a', 9),
      synced('b', 7),
      synced('c', 1),
      ['a', 'a'],
      ['b', 'b'],
    )
    assert.equal(trimmableThrough(table, ['a']), 0)
    assert.equal(trimmableThrough(table, ['a', 'b', 'c']), 1)
    assert.equal(trimmableThrough(table, ['a', 'unknown']), 0)
  })

  test('but not what one of them wrote last, because its subject would take its next message for an old one', () => {
    const table = tableOf(
      synced('a', 9),
      ['b', 'b', hello, { kind: 'tick', synced: 9 }],
      ['b', 'b'],
      ['a', 'a'],
    )
    assert.equal(trimmableThrough(table, ['a', 'b']), 2)
  })
})
