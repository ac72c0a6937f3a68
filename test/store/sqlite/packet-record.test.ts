import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  readRecord,
  recordCallKey,
  recordEnd,
  recordHeaderBytes,
  recordReceivedAt,
  recordSequence,
  recordStarts,
  recordVersion,
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
          [recordCallKey(buffer, start), recordVersion(buffer, start), recordSequence(buffer, start)],
          [packet.callKey, packet.version, packet.sequence],
        )
        assert.equal(recordReceivedAt(buffer, start), packet.receivedAt)
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
