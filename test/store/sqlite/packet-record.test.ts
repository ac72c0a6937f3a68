import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { limits } from '../../../src/limits.js'
import {
  readRecord,
  recordCallKey,
  recordCount,
  recordEnd,
  recordHeaderBytes,
  recordOrdinal,
  recordStarts,
  recordVersion,
  singleRecords,
  writeRecord,
} from '../../../src/store/sqlite/packet-record.js'
import { holds } from '../../support/property.js'

const records = fc.array(
  fc.record({
    callKey: fc.oneof(fc.nat(), fc.constantFrom(1, 2 ** 32, 2 ** 52)),
    version: fc.oneof(fc.nat(), fc.constantFrom(1, 2 ** 32 - 1)),
    sequence: fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 31 - 1)),
    timestamp: fc.double({ min: 5e-324, noNaN: true, noDefaultInfinity: true }),
    receivedAt: fc.oneof(fc.nat(), fc.constantFrom(1_700_000_000_000, 8.64e15)),
    track: fc.nat(7),
    isRaw: fc.boolean(),
    data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  }),
  { minLength: 1, maxLength: 20 },
)

describe('packet records', () => {
  test('give back what was written, one behind the other', async (t) => {
    await holds(t, records, 200, (packets) => {
      const bytes = packets.reduce((sum, { data }) => sum + recordHeaderBytes + data.length, 0)
      const buffer = Buffer.alloc(bytes)
      let at = 0
      for (const { callKey, version, ...packet } of packets)
        at = writeRecord(buffer, at, callKey, version, packet)
      assert.equal(at, bytes)
      const starts = [...recordStarts(buffer)]
      const read = starts.map((start) => readRecord(buffer, start))
      assert.deepEqual(
        read.map((packet) => ({ ...packet, data: [...packet.data] })),
        packets.map((packet) => ({ ...packet, data: [...packet.data] })),
      )
      for (const [i, start] of starts.entries()) {
        const packet = packets[i]
        assert(packet)
        assert.deepEqual(
          [recordCallKey(buffer, start), recordVersion(buffer, start), recordOrdinal(buffer, start)],
          [packet.callKey, packet.version, packet.track * 2 ** 31 + packet.sequence],
        )
        assert.equal(readRecord(buffer, start).receivedAt, packet.receivedAt)
      }
    })
  })

  test('of blocks are taken apart into the packets that were put together', async (t) => {
    // Guards against a block whose packets change places, tracks or kinds where it is read: audio of another moment.
    const blocks = fc.record({
      track: fc.nat(7),
      sequence: fc.nat(2 ** 31 - 1 - limits.blockPacketsMax),
      isRaw: fc.boolean(),
      count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(limits.blockPacketsMax)),
      bytes: fc.integer({ min: 1, max: 30 }),
    })
    await holds(t, blocks, 200, ({ bytes, ...block }) => {
      const data = Uint8Array.from({ length: block.count * bytes }, (_, index) => index % 251)
      const buffer = Buffer.alloc(recordHeaderBytes + data.length)
      assert.equal(
        writeRecord(buffer, 0, 7, 3, { ...block, data, timestamp: 1, receivedAt: 2 }),
        buffer.length,
      )
      assert.equal(recordEnd(buffer, 0), buffer.length)
      assert.equal(recordCount(buffer, 0), block.count)
      const singles = singleRecords(buffer)
      assert.equal(singles.length, block.count)
      for (const [index, single] of singles.entries()) {
        const { data: own, ...packet } = readRecord(single, 0)
        const { track, isRaw } = block
        const sequence = block.sequence + index
        assert.deepEqual(packet, {
          callKey: 7,
          version: 3,
          timestamp: 1,
          receivedAt: 2,
          track,
          sequence,
          isRaw,
        })
        assert.deepEqual(own, Buffer.from(data.subarray(index * bytes, (index + 1) * bytes)))
        assert.deepEqual([recordCount(single, 0), recordEnd(single, 0)], [1, single.length])
      }
    })
  })

  test('that are cut off are noticed', () => {
    const buffer = Buffer.alloc(recordHeaderBytes + 5)
    writeRecord(buffer, 0, 1, 1, { sequence: 0, data: new Uint8Array(5), timestamp: 1, receivedAt: 1 })
    assert.throws(() => recordEnd(buffer.subarray(0, recordHeaderBytes + 4), 0), /ends within/)
    assert.throws(() => [...recordStarts(buffer.subarray(0, recordHeaderBytes - 1))])
  })
})
