/** A gateway's socket whose commits are slow. Guards against memory without a bound, and a gateway that is not told before it is cut off. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockMessage } from '../../src/actors/call-messages.js'
import { limits } from '../../src/limits.js'
import { NativeSession } from '../../src/media/native/native-session.js'
import { FakeClock } from '../support/fake-clock.js'
import { settle } from '../support/settled-blocks.js'

const packets = 100
const bytes = 16 + packets * 160

function block(first: number): Uint8Array {
  const message = Buffer.alloc(bytes)
  message[0] = 1
  message.writeUInt32LE(first, 4)
  message.writeUInt16LE(packets, 12)
  message.writeUInt16LE(160, 14)
  return message
}

test('a gateway is told that it is ahead of the disk, once, and cut off at twice its bound', async () => {
  const clock = new FakeClock()
  const blocks: BlockMessage[] = []
  const told: { readonly type: string; readonly ms?: number }[] = []
  const closed: number[] = []
  const held = { bytes: 0 }
  const session = new NativeSession({
    clock,
    held,
    epoch: 'e',
    tell: (_, message) => {
      if (message.type === 'block') blocks.push(message)
    },
    account: async () => null,
    send: (message) => {
      if (typeof message === 'string') told.push(JSON.parse(message))
    },
    close: (code) => closed.push(code),
    counted: () => {},
  })
  session.text('{"type":"open","stream":0,"call_id":"c1"}')
  const slow = () => told.filter(({ type }) => type === 'slow')
  let first = 0
  const send = () => {
    session.binary(block(first))
    first += packets
  }
  while (session.unsettledBytes + bytes <= limits.nativeUnsettledBytesMax) send()
  assert.deepEqual(slow(), [])
  for (let more = 0; more < 5; more++) send()
  assert.deepEqual(slow(), [{ type: 'slow', ms: limits.nativeSlowMs }])

  for (const each of blocks.splice(0)) settle(each)
  await clock.advance(0)
  assert.deepEqual([session.unsettledBytes, held.bytes], [0, 0])

  while (closed.length === 0 && session.unsettledBytes < 3 * limits.nativeUnsettledBytesMax) send()
  assert.equal(slow().length, 2, 'once more, after there was room')
  assert.deepEqual(closed, [1013])
  assert.equal(held.bytes, 0)
})
