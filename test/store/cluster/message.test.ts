/**
 * The message of a commit: every node applies the same bytes unseen, so what is read is what was written, or it is refused.
 * Guards against a reader that takes a damaged or foreign message for a good one, or believes a length before it looks.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { limits } from '../../../src/limits.js'
import { decodeMessage, encodeMessage, type Message } from '../../../src/store/cluster/message.js'
import type { Fact } from '../../../src/store/cluster/message-facts.js'
import { UnreadableMessage } from '../../../src/store/cluster/unreadable-message.js'
import { settlementOf } from '../../../src/store/journal.js'
import { packetsOf, recordHeaderBytes, writeRecord } from '../../../src/store/sqlite/packet-record.js'
import { type Batch, Stream } from '../../../src/store/sqlite/writing/batch.js'
import { GroupCommit } from '../../../src/store/sqlite/writing/group-commit.js'
import { callId } from '../../support/calls.js'
import { message } from '../../support/cluster-messages.js'
import { turns } from '../../support/fake-clock.js'
import { lifecycleEntry, packetEntry, snapshot } from '../../support/journals.js'
import { holds } from '../../support/property.js'

const accepted: Fact = {
  kind: 'accepted',
  state: 'IN_PROGRESS',
  isFirst: true,
  isLate: false,
  totalReceived: 1,
  missingCount: 2,
  skippedCount: 2,
  missing: [0, 1],
}
const duplicate = {
  kind: 'duplicate',
  state: 'COMPLETED',
  isFirst: false,
  totalReceived: 1,
  missingCount: 2,
  skippedCount: 0,
  callKey: 7,
  receivedAt: 1_700_000_000_000,
  track: 1,
  sequence: 2,
  missing: null,
} as const satisfies Fact

function recordOf(callKey: number): Buffer {
  const data = Buffer.from('data')
  const record = Buffer.alloc(recordHeaderBytes + data.length)
  writeRecord(record, 0, callKey, 1, { sequence: 2, data, timestamp: 1.5, receivedAt: 1 })
  return record
}

const small: Message = {
  id: 'r1.1',
  node: 'a',
  run: 'r1',
  calls: [{ key: 7, callId: callId('c1'), version: 1, snapshot: snapshot() }],
  lifecycle: [],
  erasures: [],
  control: [{ kind: 'grant', to: 'b', partitions: [0, 63] }],
  records: recordOf(7),
  facts: [accepted, duplicate],
}

const isRefused = (bytes: Uint8Array, because: RegExp, why = '') =>
  assert.throws(
    () => decodeMessage(bytes),
    (error) => error instanceof UnreadableMessage && because.test(error.message),
    why,
  )

/** With a checksum that is right for what it holds. */
function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** The small message with other bytes in a part, and all lengths and the checksum right. */
function withParts(change: { head?: object | string; records?: Buffer; facts?: Buffer }): Buffer {
  const bytes = encodeMessage(small)
  const headBytes = bytes.readUInt32LE(8)
  const recordBytes = bytes.readUInt32LE(12 + headBytes)
  const known = JSON.parse(bytes.toString('utf8', 12, 12 + headBytes))
  const { head = {}, records = small.records, facts = bytes.subarray(16 + headBytes + recordBytes) } = change
  const text = Buffer.from(typeof head === 'string' ? head : JSON.stringify({ ...known, ...head }))
  const lengthOf = (part: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32LE(part.length)
    return length
  }
  return sealed(
    Buffer.concat([bytes.subarray(0, 8), lengthOf(text), text, lengthOf(records), records, facts]),
  )
}

describe('a message of the log', () => {
  test('is read as it was written, whatever it holds', async (t) => {
    await holds(t, message, 300, (each) => assert.deepEqual(decodeMessage(encodeMessage(each)), each))
  })

  test('is read from within a larger piece of memory', () => {
    const bytes = encodeMessage(small)
    const memory = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)])
    assert.deepEqual(decodeMessage(memory.subarray(3, 3 + bytes.length)), small)
  })

  test('is refused with any bit changed', () => {
    const bytes = encodeMessage(small)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >>> 3] = (changed[bit >>> 3] as number) ^ (1 << (bit & 7))
      isRefused(changed, bit < 32 ? /format/ : /checksum/, `bit ${bit}`)
    }
  })

  test('is refused when it is cut anywhere, or goes on, also with a checksum that is right', () => {
    const bytes = encodeMessage(small)
    for (let end = 0; end < bytes.length; end++) {
      isRefused(bytes.subarray(0, end), /cut|checksum/, `${end} bytes`)
      // Behind its last fact but one it is a message of its own.
      if (end >= 16 && end !== bytes.length - 40)
        isRefused(sealed(Buffer.from(bytes.subarray(0, end))), /./, `${end} bytes, sealed`)
    }
    isRefused(Buffer.concat([bytes, Buffer.alloc(1)]), /checksum/)
    isRefused(sealed(Buffer.concat([bytes, Buffer.alloc(1)])), /cut/)
  })

  test('of any kind is refused with a bit changed or a part missing', async (t) => {
    const cases = fc.tuple(message, fc.nat(), fc.nat())
    await holds(t, cases, 300, ([each, bit, end]) => {
      const bytes = encodeMessage(each)
      isRefused(bytes.subarray(0, end % bytes.length), /./)
      const at = bit % (bytes.length * 8)
      bytes[at >>> 3] = (bytes[at >>> 3] as number) ^ (1 << (at & 7))
      isRefused(bytes, /format|checksum/)
    })
  })

  test('that another version wrote is refused by its format', () => {
    const bytes = encodeMessage(small)
    bytes[0] = 2
    isRefused(bytes, /its format is 2, and this version reads 1/)
  })

  test('is not believed in its lengths before they are looked at', () => {
    // Guards against a length of 4 GiB that is allocated, or read beyond the end.
    const bytes = encodeMessage(small)
    const headBytes = bytes.readUInt32LE(8)
    for (const [at, name] of [
      [8, 'head'],
      [12 + headBytes, 'records'],
    ] as const)
      for (const length of [2 ** 32 - 1, bytes.length, bytes.length - at - 3]) {
        const changed = Buffer.from(bytes)
        changed.writeUInt32LE(length, at)
        isRefused(sealed(changed), new RegExp(`its ${name} would go beyond its end`))
      }
    isRefused(new Uint8Array(limits.logMessageBytesMax + 1), /longer than a message may be/)
  })

  test('is refused where a record is not whole or of no call, and where its facts are of other records', () => {
    const record = recordOf(7)
    isRefused(withParts({ records: record.subarray(0, 20) }), /a record of it is cut/)
    isRefused(withParts({ records: record.subarray(0, record.length - 1) }), /a record of it is cut/)
    isRefused(withParts({ records: recordOf(0) }), /a record of it is of no call/)
    isRefused(withParts({ records: recordOf(1.5) }), /a record of it is of no call/)
    isRefused(withParts({ records: Buffer.concat([record, record]) }), /it has 2 records, and facts of 1/)
    isRefused(withParts({ records: Buffer.alloc(0) }), /it has 0 records, and facts of 1/)
  })

  test('is refused where a fact cannot be', () => {
    const bytes = encodeMessage(small)
    const facts = bytes.subarray(bytes.length - 16 - 8 - 40)
    const changed = (at: number, value: number) => {
      const copy = Buffer.from(facts)
      copy[at] = value
      return withParts({ facts: copy })
    }
    assert.deepEqual(decodeMessage(withParts({ facts })), small)
    isRefused(changed(12, 4), /of a kind or state that no version knows/)
    isRefused(changed(14, 5), /of a kind or state that no version knows/)
    isRefused(changed(13, 0xff), /flags that no version knows/)
    isRefused(changed(15, limits.missingListedMax + 1), /a list that cannot be/)
    isRefused(changed(24 + 13, 1), /late without a packet/)
    isRefused(changed(24 + 36, limits.tracksMax), /no valid place/)
    isRefused(changed(24 + 37, 1), /no valid place/)
    isRefused(changed(24 + 12, 3), /is cut/)
  })

  for (const [what, head, because] of [
    ['no JSON', '{"id":', /its head is not JSON/],
    ['a list', '[]', /its head is not an object/],
    ['another member', { extra: 1 }, /a member that no version knows/],
    ['no id', { id: undefined }, /no valid id/],
    ['an id without a number', { id: 'r1' }, /no valid id/],
    ['the name that nobody may have', { node: 'none' }, /no valid node/],
    ['a name with a dot', { node: 'a.b' }, /no valid node/],
    ['a call without a key', { calls: [{ ...small.calls[0], key: 0 }] }, /no valid calls/],
    [
      'a call in no state',
      { calls: [{ ...small.calls[0], snapshot: { ...snapshot(), state: 'X' } }] },
      /calls/,
    ],
    [
      'a lifecycle row without a text',
      { lifecycle: [{ callKey: 1, version: 1, type: 'x', entry: '' }] },
      /lifecycle/,
    ],
    ['a key that is no number', { erasures: ['1'] }, /no valid erasures/],
    ['control of no kind', { control: [{ kind: 'vote' }] }, /no valid control/],
    [
      'a partition that does not exist',
      { control: [{ kind: 'grant', to: 'b', partitions: [64] }] },
      /control/,
    ],
    ['a member within that no version knows', { control: [{ kind: 'leave', why: 'x' }] }, /no valid control/],
    ['a grant to nobody', { control: [{ kind: 'grant', to: 'none', partitions: [] }] }, /no valid control/],
  ] as const)
    test(`is refused with a head that has ${what}`, () => isRefused(withParts({ head }), because))

  test('that would be too large for the log is not made', () => {
    const body = 'x'.repeat(limits.logMessageBytesMax)
    const call = { key: 7, callId: callId('c1'), version: 1, snapshot: snapshot({ body }) }
    assert.throws(() => encodeMessage({ ...small, calls: [call] }), /too large for the log/)
  })
})

test('a batch as group commit hands it over is the same behind the log: tracks, blocks, rows and words', async () => {
  const handedOver: { batch: Batch; records: ArrayBuffer }[] = []
  const commits = new GroupCommit({ handOver: (batch, records) => handedOver.push({ batch, records }) })
  const settlement = settlementOf({ answered: () => {}, failed: () => {} }, undefined)
  const stream = new Stream(callId('a/"b"@pbx'), 2 ** 52 + 1, 0)
  commits.append(stream, [packetEntry(0)], snapshot(), settlement)
  await turns()
  // The first batch is with the writer, so these share one.
  const block = { ...packetEntry(160, new Uint8Array(3 * 160).fill(9)), track: 7, count: 3, isRaw: true }
  commits.append(stream, [packetEntry(2), block], null, settlement)
  commits.append(stream, [lifecycleEntry(1)], snapshot({ dueAt: null, isSettled: true }), settlement)
  commits.erase(new Stream(callId('gone'), 5, 1), settlement)
  commits.committed({ type: 'committed', id: 1, commitMs: 1, tailBytes: 0, walPages: 0 })
  await turns()
  const sent = handedOver[1]
  assert(sent !== undefined && sent.batch.lifecycle.length === 1)
  const { calls, lifecycle, erasures } = sent.batch
  const records = Buffer.from(sent.records)
  const { missing: _, ...place } = duplicate
  const blockFact: Fact = {
    ...place,
    kind: 'block',
    count: 4,
    accepted: 3,
    duplicates: 1,
    late: 0,
    records: 1,
  }
  const whole = { ...small, calls, lifecycle, erasures, records, facts: [accepted, blockFact] }
  const read = decodeMessage(encodeMessage(whole))
  assert.deepEqual(read, whole)
  assert.deepEqual(
    packetsOf(new Uint8Array(read.records)).map(({ callKey, track, sequence }) => [callKey, track, sequence]),
    [
      [2 ** 52 + 1, 0, 2],
      [2 ** 52 + 1, 7, 160],
    ],
  )
})
