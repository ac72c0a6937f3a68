/** A call's partition decides who may write it, for ever. Guards against a hash that changes, or that leaves nodes idle. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partitionOf, partitions } from '../../src/store/partitions.js'

test('a call belongs to the partition that it always had', () => {
  const known = ['c1', 'c2', 'a84b4c76e66710@pc33.atlanta.com', 'x', '2026-11-28/0001'].map(partitionOf)
  assert.deepEqual(known, [46, 54, 29, 44, 60])
})

test('calls are shared out evenly, also where their names differ in a counter alone', () => {
  for (const prefix of ['', 'call-', 'a84b4c76e66710@pbx-', '2026-11-28T10:00:00.000Z/']) {
    const counts = new Array<number>(partitions).fill(0)
    for (let n = 0; n < 64_000; n++) {
      const partition = partitionOf(`${prefix}${n}`)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    for (const [partition, count] of counts.entries())
      assert(count > 800 && count < 1200, `${prefix}: partition ${partition} has ${count} of 64,000 calls`)
  }
})
