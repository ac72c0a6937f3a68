/** The grid of unnumbered audio. Guards against a byte that is lost, doubled or moved when messages are not packets. */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FrameGrid } from '../../src/media/frame-grid.js'
import { holds } from '../support/property.js'

function cutAll(grid: FrameGrid, messages: readonly Uint8Array[]): Buffer[] {
  return messages.flatMap((message) => {
    const own = Buffer.from(message)
    const packets = grid.cut(own).map((packet) => Buffer.from(packet))
    own.fill(0xee)
    return packets
  })
}

describe('a grid', () => {
  test('cuts any messages into the same packets, and the last one is short', async (t) => {
    const lengths = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 30 })
    await holds(
      t,
      fc.record({ lengths, frames: fc.integer({ min: 1, max: 400 }) }),
      300,
      ({ lengths, frames }) => {
        const total = lengths.reduce((a, b) => a + b, 0)
        const sound = Buffer.from(Array.from({ length: total }, (_, i) => (i * 31 + (i >> 8)) & 0xff))
        const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0))
        const messages = ends.map((end, i) => sound.subarray(ends[i - 1] ?? 0, end))
        const grid = new FrameGrid(frames * 4, 4)
        const packets = cutAll(grid, messages)
        assert(packets.every(({ length }) => length === frames * 4))
        assert.equal(packets.length, Math.floor(total / (frames * 4)))
        const waiting = grid.waitingBytes
        const last = Buffer.from(grid.end() ?? [])
        assert.equal(waiting - last.length, total % 4, 'only half a frame at the very end is cut')
        assert.deepEqual(Buffer.concat([...packets, last]), sound.subarray(0, total - (total % 4)))
        assert.equal(grid.end(), null)
      },
    )
  })

  test('passes whole packets as views', () => {
    const message = Buffer.alloc(960)
    for (const packet of new FrameGrid(320, 2).cut(message)) assert.equal(packet.buffer, message.buffer)
  })
})
