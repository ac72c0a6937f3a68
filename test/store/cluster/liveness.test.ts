/** When a node is gone for another one. Guards against nodes that take over because the log stood still, or never under load. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Liveness } from '../../../src/store/cluster/liveness.js'
import { FakeClock } from '../../support/fake-clock.js'

function open() {
  const clock = new FakeClock()
  const connected = new Set(['x'])
  const liveness = new Liveness(clock, (node) => connected.has(node))
  liveness.heard('x')
  const ticks = async (count: number) => {
    for (let n = 0; n < count; n++) {
      await clock.advance(500)
      liveness.heardOwn()
    }
  }
  return { clock, connected, liveness, ticks }
}

test('a node without a connection is gone after three ticks of who looks', async () => {
  const { connected, liveness, ticks } = open()
  connected.clear()
  await ticks(2)
  assert.equal(liveness.isGone('x'), false)
  await ticks(1)
  assert.equal(liveness.isGone('x'), true)
})

test('a node with one is gone after eight ticks and five seconds', async () => {
  const { clock, liveness, ticks } = open()
  await ticks(9)
  assert.equal(liveness.isGone('x'), false)
  await clock.advance(500)
  assert.equal(liveness.isGone('x'), true)
})

test('while the log stands still nobody is gone, however long that takes', async () => {
  const { clock, connected, liveness } = open()
  connected.clear()
  await clock.advance(3_600_000)
  assert.equal(liveness.isGone('x'), false)
})

test('messages under load count once a tick', async () => {
  const { clock, connected, liveness } = open()
  connected.clear()
  for (let n = 0; n < 1000; n++) liveness.heardOwn()
  await clock.advance(2000)
  assert.equal(liveness.isGone('x'), false)
  for (let n = 0; n < 100; n++) {
    liveness.heardOwn()
    await clock.advance(10)
  }
  assert.equal(liveness.isGone('x'), true)
})

test('a node is steady once it has been heard for three seconds, and begins anew when it was gone', async () => {
  const { clock, connected, liveness, ticks } = open()
  await clock.advance(2999)
  liveness.heard('x')
  assert.equal(liveness.isSteady('x'), false)
  await clock.advance(1)
  assert.equal(liveness.isSteady('x'), true)
  connected.clear()
  await ticks(4)
  assert.equal(liveness.isSteady('x'), false)
  liveness.heard('x')
  assert.deepEqual([liveness.isGone('x'), liveness.isSteady('x')], [false, false])
  assert.equal(liveness.isGone('nobody has heard of it'), true)
})
