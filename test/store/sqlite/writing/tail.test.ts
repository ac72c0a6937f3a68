/** The tail in the writer’s memory: what it folds, what it keeps, and that a failed plan changes nothing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../../../src/limits.js'
import {
  packetsOf,
  readRecord,
  recordHeaderBytes,
  writeRecord,
} from '../../../../src/store/sqlite/packet-record.js'
import { type FoldPlan, Tail } from '../../../../src/store/sqlite/writing/tail.js'
import { randomNumbers, seed } from '../../../support/property.js'

interface Written {
  readonly call: number
  readonly sequence: number
}

let version = 0

function batchOf(packets: readonly Written[], dataBytes = 3): Buffer {
  const batch = Buffer.alloc(packets.length * (recordHeaderBytes + dataBytes))
  let at = 0
  for (const { call, sequence } of packets)
    at = writeRecord(batch, at, call, ++version, {
      sequence,
      // A packet has at most 32 KiB: what is larger is a block.
      count: Math.max(1, dataBytes / limits.dataBytesMax),
      data: new Uint8Array(dataBytes),
      timestamp: 1,
      receivedAt: 1,
    })
  return batch
}

const many = (call: number, count: number, from = 0): Written[] =>
  [...Array(count).keys()].map((i) => ({ call, sequence: from + i }))

function folded(plan: FoldPlan): Map<number, number[]> {
  return new Map(
    plan.folds.map(({ callKey, records }) => {
      const packets = records.map((record) => readRecord(record, 0))
      for (const packet of packets) assert.equal(packet.callKey, callKey)
      return [callKey, packets.map(({ sequence }) => sequence)]
    }),
  )
}

function pendingOf(tail: Tail, call: number): number[] {
  const heads = packetsOf(Buffer.from(tail.headsAfter(call, 0).buffer))
  for (const { data } of heads) assert.equal(data.length, 0)
  return heads.map(({ sequence }) => sequence)
}

const sequences = (count: number, from = 0) => many(0, count, from).map(({ sequence }) => sequence)

describe('the tail', () => {
  test('folds nothing before a call has a full run, and then all that is pending of it, in the order of arrival', () => {
    const tail = new Tail()
    const dataBytes = Math.ceil(limits.foldBytesMin / limits.runPackets)
    tail.add(1, batchOf([...many(7, limits.runPackets - 1), { call: 8, sequence: 5 }], dataBytes))
    assert.deepEqual(tail.plan(1000), { folds: [], emptied: [] })
    tail.add(
      2,
      batchOf(
        [
          { call: 7, sequence: 900 },
          { call: 7, sequence: 3000 },
        ],
        dataBytes,
      ),
    )
    const plan = tail.plan(1000)
    assert.deepEqual(folded(plan), new Map([[7, [...sequences(limits.runPackets - 1), 900, 3000]]]))
    assert.deepEqual(plan.emptied, [2], 'the first batch still holds a packet of another call')
  })

  test('tells what is pending of a call, in the order of its appends, and not what was folded', () => {
    const tail = new Tail()
    tail.add(1, batchOf([...many(1, 2), ...many(2, 3)]))
    tail.add(2, batchOf(many(1, 1, 7)))
    assert.deepEqual(pendingOf(tail, 1), [0, 1, 7])
    assert.deepEqual(pendingOf(tail, 99), [])
    tail.folded(tail.planOldest())
    assert.deepEqual(pendingOf(tail, 1), [])
  })

  test('takes of a batch that was folded in part only what was not', () => {
    // Guards against a recovery that folds packets again: they would stand in two runs.
    const tail = new Tail()
    tail.add(1, batchOf([...many(1, 2), ...many(2, 3)]), (call) => call === 1)
    assert.deepEqual(pendingOf(tail, 1), [])
    assert.deepEqual(folded(tail.planOldest()), new Map([[2, [0, 1, 2]]]))
    assert.deepEqual(tail.planOldest().emptied, [1])
  })

  test('is changed by what was folded and not by a plan, so a failed commit costs nothing', () => {
    // Guards against packets that leave the tail with a transaction that is rolled back: they would never be in a run.
    const tail = new Tail()
    const batch = batchOf([...many(1, 70), ...many(2, 2)])
    tail.add(1, batch)
    const failed = tail.planOldest()
    assert.deepEqual([tail.bytes, tail.batchCount], [batch.length, 1])
    const again = tail.planOldest()
    assert.deepEqual(folded(again), folded(failed))
    assert.deepEqual(again.emptied, [1])
    tail.folded(again)
    assert.deepEqual([tail.bytes, tail.batchCount], [0, 0])
    assert.deepEqual(tail.planOldest(), { folds: [], emptied: [] })
  })

  test('folds nothing before its full runs are worth a commit', () => {
    const tail = new Tail()
    const runBytes = limits.runPackets * (recordHeaderBytes + 3)
    const runs = Math.ceil(limits.foldBytesMin / runBytes)
    for (let call = 1; call < runs; call++) tail.add(call, batchOf(many(call, limits.runPackets)))
    assert.deepEqual(tail.plan(1000).folds, [])
    tail.add(runs, batchOf(many(runs, limits.runPackets)))
    assert(tail.plan(1000).folds.length > 0)
    tail.folded(tail.plan(limits.runPackets))
    assert.deepEqual(tail.plan(1000).folds, [], 'what was folded does not count')
  })

  test('folds what is left of calls that are settled with the next full runs, so that it keeps no batch', () => {
    // Guards against a tail that grows to its bound by the last few packets of every call that has ended.
    const tail = new Tail()
    const dataBytes = Math.ceil(limits.foldBytesMin / 4)
    for (const call of [1, 2, 3]) tail.add(call, batchOf([{ call, sequence: 0 }], dataBytes))
    for (const call of [1, 2, 3, 99]) tail.settle(call)
    assert.deepEqual(tail.plan(1000).folds, [], 'not worth a commit yet')
    tail.add(4, batchOf([{ call: 3, sequence: 1 }], dataBytes))
    tail.settle(3)
    const plan = tail.plan(1000)
    assert.deepEqual(
      folded(plan),
      new Map([
        [1, [0]],
        [2, [0]],
        [3, [0, 1]],
      ]),
    )
    tail.folded(plan)
    assert.deepEqual([tail.bytes, tail.batchCount], [0, 0])
    tail.add(5, batchOf([{ call: 1, sequence: 1 }], 4 * dataBytes))
    assert.deepEqual(tail.plan(1000).folds, [], 'what was folded is settled no more')
  })

  test('folds about as much as it is told to, in sweeps over the calls in the order of their keys', () => {
    const tail = new Tail()
    const dataBytes = Math.ceil(limits.foldBytesMin / limits.runPackets)
    const add = (call: number) => tail.add(call, batchOf(many(call, limits.runPackets), dataBytes))
    for (const call of [9, 2, 7, 4, 5, 6, 3, 8]) add(call)
    const plan = tail.plan(limits.runPackets * 2 + 1)
    assert.deepEqual([...folded(plan).keys()], [2, 3, 4])
    assert.deepEqual(plan.emptied, [2, 3, 4])
    assert.deepEqual(tail.plan(limits.runPackets * 2 + 1), plan, 'a plan changes nothing')
    tail.folded(plan)
    // One that comes meanwhile waits for the next sweep.
    add(1)
    assert.deepEqual([...folded(tail.plan(limits.runPackets * 5)).keys()], [5, 6, 7, 8, 9])
    tail.folded(tail.plan(limits.runPackets * 5))
    assert.deepEqual([...folded(tail.plan(1000)).keys()], [1])
  })

  test('folds the oldest batches whatever their runs hold once it is too large (V7)', () => {
    // Guards against a tail, and a journal table, that a million slow calls let grow for ever.
    const tail = new Tail()
    const bytes = 1024 * 1024
    let call = 0
    while (tail.bytes <= limits.tailBytesMax) {
      assert.deepEqual(tail.plan(10).folds, [])
      tail.add(++call, batchOf([{ call, sequence: 0 }], bytes))
    }
    assert(call > 0.9 * (limits.tailBytesMax / (1024 * 1024)))
    const plan = tail.plan(10)
    assert.deepEqual([...folded(plan).keys()], sequences(10, 1))
    tail.folded(plan)
    assert(tail.bytes <= limits.tailBytesMax - 9 * bytes)
    assert.deepEqual(tail.plan(10).folds, [])
  })

  test('folds all that is pending of the calls of its oldest batch when it is told to empty itself', () => {
    const tail = new Tail()
    assert.deepEqual(tail.planOldest(), { folds: [], emptied: [] })
    tail.add(4, batchOf([...many(3, 2), ...many(9, 1)]))
    tail.add(5, batchOf([...many(1, 1), ...many(3, 1, 2)]))
    const plan = tail.planOldest()
    assert.deepEqual(
      folded(plan),
      new Map([
        [3, [0, 1, 2]],
        [9, [0]],
      ]),
    )
    assert.deepEqual(plan.emptied, [4])
    tail.folded(plan)
    assert.deepEqual([...folded(tail.planOldest()).keys()], [1])
  })

  test('hands every packet out exactly once, whatever is asked, planned, failed and folded', (t) => {
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const random = randomNumbers(20)
    for (let round = 0; round < 30; round++) {
      const tail = new Tail()
      const added = new Map<number, number[]>()
      const seen = new Map<number, number[]>()
      const live = new Map<number, number>()
      for (let offset = 1; offset <= 60; offset++) {
        const packets = [...Array(1 + Math.floor(random() * 40))].map((_, i) => ({
          call: 1 + Math.floor(random() ** 2 * 12),
          sequence: offset * 100 + i,
        }))
        for (const { call, sequence } of packets) added.set(call, [...(added.get(call) ?? []), sequence])
        const batch = batchOf(packets)
        live.set(offset, batch.length)
        tail.add(offset, batch)
        const plan = random() < 0.2 ? tail.planOldest() : tail.plan(Math.floor(random() * 100))
        if (random() < 0.3) continue
        for (const [call, taken] of folded(plan)) seen.set(call, [...(seen.get(call) ?? []), ...taken])
        for (const emptied of plan.emptied) assert(live.delete(emptied), `${emptied} was emptied before`)
        tail.folded(plan)
        assert.equal(tail.batchCount, live.size)
        assert.equal(
          tail.bytes,
          [...live.values()].reduce((sum, bytes) => sum + bytes, 0),
        )
      }
      while (tail.batchCount > 0) {
        const rest = tail.planOldest()
        for (const [call, taken] of folded(rest)) seen.set(call, [...(seen.get(call) ?? []), ...taken])
        for (const emptied of rest.emptied) assert(live.delete(emptied), `${emptied} was emptied before`)
        tail.folded(rest)
      }
      assert.equal(live.size, 0, 'a batch goes when all of it is folded')
      assert.deepEqual(new Map([...seen].sort()), new Map([...added].sort()))
    }
  })
})
