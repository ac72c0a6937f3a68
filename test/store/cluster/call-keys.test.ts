/** Keys of calls over nodes. Guards against two calls with one key, and lists that are not newest first, whatever clocks do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CallKeys, partitionOfKey } from '../../../src/store/cluster/call-keys.js'
import { partitionOf, partitions } from '../../../src/store/cluster/partitions.js'
import { holds } from '../../support/property.js'

const noon = Date.UTC(2026, 10, 28, 12)

test('a key has the time and the partition of its call', () => {
  const keys = new CallKeys(0, () => noon)
  for (const callId of ['c1', 'c2', 'a84b4c76e66710@pc33.atlanta.com']) {
    const key = keys.next(callId)
    assert.equal(partitionOfKey(key), partitionOf(callId))
    assert.equal(Math.floor(key / 4096), noon - Date.UTC(2026, 0, 1))
  }
})

test('keys of a node ascend, whatever its clock does, also over restarts', async (t) => {
  const steps = fc.array(
    fc.record({
      ms: fc.oneof(fc.constant(0), fc.integer({ min: -100_000, max: 1000 })),
      isRestart: fc.boolean(),
      calls: fc.integer({ min: 1, max: 200 }),
    }),
    { minLength: 1, maxLength: 20 },
  )
  await holds(t, steps, 100, (each) => {
    let now = noon
    let last = 0
    let keys = new CallKeys(0, () => now)
    for (const { ms, isRestart, calls } of each) {
      now += ms
      if (isRestart) keys = new CallKeys(last, () => now)
      for (let n = 0; n < calls; n++) {
        const key = keys.next(`c${n}`)
        assert(key > last, `${key} came after ${last}`)
        last = key
      }
    }
  })
})

test('a node that takes over from one whose clock is ahead goes on behind its keys', () => {
  const ahead = new CallKeys(0, () => noon + 60_000)
  const behind = new CallKeys(0, () => noon)
  const given = ahead.next('c1')
  behind.applied(given)
  assert(behind.next('c1') > given)
  behind.applied(1)
  assert(behind.next('c2') > given)
})

test('a clock before 2026 gives keys all the same', () => {
  const keys = new CallKeys(0, () => 0)
  assert(keys.next('c1') > 0)
  assert(keys.next('c1') > partitions)
})

test('a key that would not be exact is refused, in 2095', () => {
  assert(new CallKeys(0, () => Date.UTC(2095, 0, 1)).next('c1') < 2 ** 53)
  assert.throws(() => new CallKeys(0, () => Date.UTC(2096, 0, 1)).next('c1'), /below 2\^53/)
})
