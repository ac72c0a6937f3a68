import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heldOrder } from '../../src/dashboard/model/held-order.js'
import { Hold } from '../../src/dashboard/model/hold.js'

const item = (key: string, value: number) => ({ key, value })
const keyOf = ({ key }: { readonly key: string }) => key

test('rows that are held keep their places, are told anew, and new ones come at the end', () => {
  const { items, gone } = heldOrder(
    [item('a', 1), item('b', 1), item('c', 1)],
    [item('new', 2), item('c', 2), item('a', 2)],
    keyOf,
  )
  assert.deepEqual(items, [item('a', 2), item('b', 1), item('c', 2), item('new', 2)])
  assert.deepEqual([...gone], ['b'])
})

test('an item that was gone and is back is no longer gone', () => {
  const first = heldOrder([item('a', 1), item('b', 1)], [item('b', 2)], keyOf)
  const second = heldOrder(first.items, [item('b', 3), item('a', 3)], keyOf)
  assert.deepEqual(second.items, [item('a', 3), item('b', 3)])
  assert.equal(second.gone.size, 0)
})

test('a list is held while somebody is at it, and not for a pointer that was left there', (t) => {
  t.mock.method(performance, 'now', () => now)
  let now = 1_000_000
  let changes = 0
  const hold = new Hold(() => changes++)
  assert.equal(hold.isHeld(), false)
  hold.pointed(true)
  assert.equal(hold.isHeld(), true)
  now += 29_000
  hold.moved()
  now += 29_000
  assert.equal(hold.isHeld(), true)
  now += 1000
  assert.equal(hold.isHeld(), false)
  hold.moved()
  assert.equal(hold.isHeld(), true)
  hold.focused(true)
  hold.pointed(false)
  assert.equal(hold.isHeld(), true, 'the keys are still there')
  hold.left()
  assert.equal(hold.isHeld(), false)
  assert.equal(changes, 2, 'it is drawn anew when it is held and when it is not any more')
})
