/** Keys of calls, also over nodes. Guards against two calls with one key, and lists that are not newest first. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CallKeys } from '../../src/store/call-keys.js'
import { partitionOf, partitions } from '../../src/store/partitions.js'
import { holds } from '../support/property.js'

test('a key has the partition of its call, and none is 0', () => {
  const keys = new CallKeys(0)
  for (const callId of ['c1', 'c2', 'a84b4c76e66710@pc33.atlanta.com']) {
    const key = keys.next(callId)
    assert.equal(key % partitions, partitionOf(callId))
    assert(key >= partitions)
  }
})

test('keys go on behind every last one', () => {
  for (const last of [0, 1, 63, 64, 65, 127, 4095, 2 ** 31 - 1, 2 ** 31, 2 ** 51]) {
    const keys = new CallKeys(last)
    let before = last
    for (let n = 0; n < 100; n++) {
      const key = keys.next(`c${n}`)
      assert(key > before && Number.isSafeInteger(key), `${key} came after ${before}`)
      before = key
    }
  }
})

test('nodes whose partitions move give no key twice, and a node gives none below what it has applied', async (t) => {
  // A node applies what others gave when it likes, but all of it before it gets a partition.
  const steps = fc.array(
    fc.record({ call: fc.nat(40), node: fc.nat(2), kind: fc.constantFrom('give', 'apply', 'take') }),
    { minLength: 1, maxLength: 120 },
  )
  let moved = 0
  await holds(t, steps, 200, (each) => {
    const nodes = [0, 1, 2].map(() => ({ keys: new CallKeys(0), applied: 0, highest: 0 }))
    const owners = new Array<number>(partitions).fill(0)
    const log: number[] = []
    const catchUp = (at: number) => {
      const node = nodes[at]
      assert(node !== undefined)
      for (const key of log.slice(node.applied)) {
        node.keys.applied(key)
        node.highest = Math.max(node.highest, key)
      }
      node.applied = log.length
    }
    for (const { call, node: at, kind } of each) {
      const callId = `c${call}`
      const partition = partitionOf(callId)
      if (kind === 'apply') catchUp(at)
      if (kind === 'take' && owners[partition] !== at) {
        catchUp(at)
        owners[partition] = at
        moved++
      }
      if (kind !== 'give') continue
      const owner = nodes[owners[partition] as number]
      assert(owner !== undefined)
      const key = owner.keys.next(callId)
      assert(!log.includes(key), `${key} was given twice`)
      assert(key > owner.highest, `${key} came after ${owner.highest}`)
      owner.highest = key
      log.push(key)
    }
  })
  assert(moved > 100, `${moved} partitions moved`)
})
