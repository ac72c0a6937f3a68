import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkNumbers, NumberQueue } from '../../src/feed/number-queue.js'

test('gives back each list that is held, from every place in a chunk', () => {
  for (const length of [1, 2, 100, 1000, chunkNumbers - 1, chunkNumbers]) {
    const queue = new NumberQueue()
    const held: { readonly place: number; readonly list: readonly number[] }[] = []
    for (let round = 0; round < Math.max(10, (3 * chunkNumbers) / length); round++) {
      const list = Array.from({ length }, (_, i) => 2 ** 31 - 1 - round - i)
      held.push({ place: queue.add(list), list })
      if (held.length > 3) queue.releaseBefore((held.shift() as { place: number }).place)
      for (const { place, list } of [held[0], held.at(-1)] as typeof held)
        assert.deepEqual(queue.read(place, length), list)
    }
  }
})

test('no longer gives back a list of a chunk that was released', () => {
  const queue = new NumberQueue()
  const first = queue.add([1])
  const later = Array.from({ length: 3 }, () => queue.add(new Array<number>(chunkNumbers).fill(7)))
  queue.releaseBefore(later[2] as number)
  assert.throws(() => queue.read(first, 1), /held/)
  assert.equal(queue.read(later[2] as number, 1)[0], 7)
})
