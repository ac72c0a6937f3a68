/** The ring between the main thread and the one that listens: what is committed is read once and in order, and what has no room is left out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { newRingMemory, RingReader, type RingRecord, RingWriter } from '../../src/insight/packet-ring.js'
import { holds } from '../support/property.js'

const record = (sequence: number, length: number): RingRecord => ({
  kind: 'packets',
  call: 7,
  track: sequence % 8,
  sequence,
  count: 1,
  isRaw: sequence % 2 === 0,
  isAfterSkipped: sequence % 3 === 0,
  at: 1_700_000_000_000.5 + sequence,
  data: Uint8Array.from({ length }, (_, i) => (sequence + i) & 0xff),
})

function readAll(reader: RingReader): RingRecord[] {
  const found: RingRecord[] = []
  reader.read((each) => found.push({ ...each, data: each.data.slice() }))
  return found
}

describe('the ring of packets', () => {
  test('shows what is committed, and nothing that is only appended', () => {
    const memory = newRingMemory(1024)
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
    const first = writer.append(record(1, 10))
    writer.append(record(2, 10))
    assert.deepEqual(readAll(reader), [])
    writer.commit(first)
    assert.equal(writer.show(), true, 'the reader is called')
    assert.equal(writer.show(), false, 'it is on its way')
    assert.deepEqual(readAll(reader), [record(1, 10)])
    writer.cutOff()
    writer.commit(writer.append(record(3, 10)))
    assert.equal(writer.show(), true)
    assert.deepEqual(readAll(reader), [record(3, 10)], 'what was cut off is not read')
  })

  test('takes nothing for which there is no room', () => {
    const memory = newRingMemory(256)
    const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
    const places = [1, 2, 3, 4].map((sequence) => writer.append(record(sequence, 60)))
    assert.deepEqual(
      places.map((place) => place > 0),
      [true, true, false, false],
    )
    writer.commit(places[1] as number)
    writer.show()
    assert.equal(readAll(reader).length, 2)
    assert(writer.append(record(5, 60)) > 0)
  })

  test('keeps order and bytes whatever is appended, committed, cut off and read', async (t) => {
    const step = fc.oneof(
      {
        arbitrary: fc.integer({ min: 0, max: 200 }).map((length) => ({ does: 'append' as const, length })),
        weight: 6,
      },
      { arbitrary: fc.constantFrom('commit', 'read', 'cut').map((does) => ({ does, length: 0 })), weight: 3 },
    )
    await holds(t, fc.array(step, { maxLength: 300 }), 100, (steps) => {
      const memory = newRingMemory(1024)
      const [writer, reader] = [new RingWriter(memory), new RingReader(memory)]
      const expected: RingRecord[] = []
      const read: RingRecord[] = []
      let pending: RingRecord[] = []
      let place = 0
      for (const [sequence, { does, length }] of steps.entries()) {
        if (does === 'append') {
          const appended = writer.append(record(sequence, length))
          if (appended > 0) {
            pending.push(record(sequence, length))
            place = appended
          }
        } else if (does === 'read') {
          read.push(...readAll(reader))
        } else {
          if (does === 'commit') {
            writer.commit(place)
            expected.push(...pending)
          } else writer.cutOff()
          place = 0
          writer.show()
          pending = []
        }
      }
      read.push(...readAll(reader))
      assert.deepEqual(read, expected)
    })
  })
})
