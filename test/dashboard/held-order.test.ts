import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DrawnOrder, heldOrder } from '../../src/dashboard/model/held-order.js'
import { Hold } from '../../src/dashboard/model/hold.js'

const item = (key: string, value: number) => ({ key, value })
const keyOf = ({ key }: { readonly key: string }) => key

const listed = (...items: ReturnType<typeof item>[]) => ({ items, all: items })

test('rows that are held keep their places, are told anew, and new ones come at the end', () => {
  const { items, gone } = heldOrder(
    [item('a', 1), item('b', 1), item('c', 1)],
    listed(item('new', 2), item('c', 2), item('a', 2)),
    keyOf,
  )
  assert.deepEqual(items, [item('a', 2), item('b', 1), item('c', 2), item('new', 2)])
  assert.deepEqual([...gone], ['b'])
})

test('an item that was gone and is back is no longer gone', () => {
  const first = heldOrder([item('a', 1), item('b', 1)], listed(item('b', 2)), keyOf)
  const second = heldOrder(first.items, listed(item('b', 3), item('a', 3)), keyOf)
  assert.deepEqual(second.items, [item('a', 3), item('b', 3)])
  assert.equal(second.gone.size, 0)
})

test('a row that the viewer’s filter no longer shows keeps its place as what it has become, and is not over', () => {
  // Guards against a call that got worse and is said to need nobody any more.
  const all = [item('worse', 3), item('b', 2), item('elsewhere', 2)]
  const { items, gone } = heldOrder([item('worse', 1), item('b', 1)], { items: [item('b', 2)], all }, keyOf)
  assert.deepEqual(items, [item('worse', 3), item('b', 2)])
  assert.equal(gone.size, 0)
})

test('rows that are over do not add up without a bound, and those at the top keep their places', () => {
  const before = Array.from({ length: 300 }, (_, index) => item(`${index}`, 1))
  const { items, gone } = heldOrder(before, listed(item('299', 2)), keyOf)
  assert.equal(gone.size, 200)
  assert.deepEqual(items, [...before.slice(0, 200), item('299', 2)])
})

test('a held order is sorted anew after a minute, whatever the pointer does, and held again', (t) => {
  // Guards against an urgent call that stays below the fold while the mouse is moved now and then.
  t.mock.method(performance, 'now', () => now)
  let now = 1_000_000
  const order = new DrawnOrder(keyOf)
  const drawn = (keys: string, isHeld = true, asked = 'all') =>
    order
      .next(listed(...[...keys].map((key) => item(key, now))), { isHeld, asked })
      .items.map(keyOf)
      .join('')
  assert.equal(drawn('abc', false), 'abc')
  assert.equal(drawn('cba'), 'abc')
  now += 59_000
  assert.equal(drawn('dcba'), 'abcd')
  now += 1000
  assert.equal(drawn('dcba'), 'dcba')
  now += 59_000
  assert.equal(drawn('abcd'), 'dcba', 'held again')
  assert.equal(drawn('abcd', true, 'silent'), 'abcd', 'what is asked for comes at once')
  assert.equal(drawn('dcba', false, 'silent'), 'dcba')
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
