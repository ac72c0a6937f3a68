/** Messages of the shared log, of every kind, for fast-check. */
import fc from 'fast-check'
import { limits } from '../../src/limits.js'
import { callStates } from '../../src/protocol/call-states.js'
import type { Message } from '../../src/store/cluster/message.js'
import type { Fact } from '../../src/store/cluster/message-facts.js'
import type { Control } from '../../src/store/cluster/message-head.js'
import { partitions } from '../../src/store/partitions.js'
import { recordHeaderBytes, writeRecord } from '../../src/store/sqlite/packet-record.js'
import type { CallRow, LifecycleRow } from '../../src/store/sqlite/thread-messages.js'
import { callId } from './calls.js'

/** As objects are that nobody made with care. */
function plain<T>(members: { [Name in keyof T]: fc.Arbitrary<T[Name]> }): fc.Arbitrary<T> {
  return fc.record(members, { noNullPrototype: true })
}

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const number = fc.integer({ min: 0, max: limits.sequenceMax })
const key = fc.maxSafeInteger().map((any) => Math.max(1, Math.abs(any)))
const time = fc.integer({ min: 0, max: 2 ** 42 })
const track = fc.integer({ min: 0, max: limits.tracksMax - 1 })
const state = fc.constantFrom(...callStates)
const node = fc.constantFrom('a', 'vs-1', 'node-with-a-name-of-32-characters'.slice(0, 32))
const text = fc.string({ unit: 'binary', maxLength: 40 })
const partitionList = fc.array(fc.integer({ min: 0, max: partitions - 1 }), { maxLength: partitions })

const snapshot = plain({
  state,
  createdAt: time,
  dueAt: fc.option(time, { nil: null }),
  endedAt: fc.option(time, { nil: null }),
  isSettled: fc.boolean(),
  body: text,
})
const callRow: fc.Arbitrary<CallRow> = plain({
  key,
  callId: fc.constantFrom('c1', 'a"b\\c', 'x@pbx.example').map(callId),
  version: u32,
  snapshot,
})
const lifecycleRow: fc.Arbitrary<LifecycleRow> = plain({
  callKey: key,
  version: u32,
  type: fc.constantFrom('described', 'completed', 'analysed'),
  entry: text.map((each) => JSON.stringify({ each })),
  text: fc.option(text, { nil: null }),
})
export const control: fc.Arbitrary<Control> = fc.oneof(
  plain({
    kind: fc.constant('hello' as const),
    reads: fc.array(fc.nat(9), { maxLength: 3 }),
    url: fc.webUrl(),
  }),
  plain({ kind: fc.constant('tick' as const), synced: fc.maxSafeInteger().map(Math.abs) }),
  plain({
    kind: fc.constant('claim' as const),
    from: fc.oneof(node, fc.constant('none')),
    partitions: partitionList,
  }),
  plain({ kind: fc.constant('grant' as const), to: node, partitions: partitionList }),
  fc.constant({ kind: 'leave' as const }),
)

const account = { state, isFirst: fc.boolean(), totalReceived: u32, missingCount: u32, skippedCount: u32 }
const missing = fc.option(fc.array(u32, { maxLength: limits.missingListedMax }), { nil: null })
const place = { callKey: key, receivedAt: time, track, sequence: number }
const accepted = plain({
  kind: fc.constant('accepted' as const),
  ...account,
  isLate: fc.boolean(),
  missing,
})
const told = plain({
  kind: fc.constantFrom('duplicate' as const, 'rejected' as const),
  ...account,
  ...place,
  missing,
})
const block = plain({
  ...account,
  ...place,
  accepted: fc.nat(1000),
  duplicates: fc.nat(1000),
  late: fc.nat(1000),
  records: fc.nat(5),
}).map(({ accepted, duplicates, late, records, ...rest }) => ({
  kind: 'block' as const,
  ...rest,
  count: Math.max(1, accepted + duplicates),
  accepted,
  duplicates,
  late: Math.min(late, accepted),
  records: accepted === 0 ? 0 : Math.min(Math.max(records, 1), accepted),
}))

interface Written {
  readonly fact: Fact
  readonly records: Buffer
}

/** A fact with the records that it is about. */
const written: fc.Arbitrary<Written> = fc
  .oneof(accepted, told, block)
  .chain((fact) => plain({ fact: fc.constant(fact), records: recordsFor(fact) }))

function recordsFor(fact: Fact): fc.Arbitrary<Buffer> {
  const count = fact.kind === 'accepted' ? 1 : fact.kind === 'block' ? fact.records : 0
  return fc.array(record, { minLength: count, maxLength: count }).map((records) => Buffer.concat(records))
}

const record = plain({
  key,
  version: u32,
  track,
  sequence: number,
  count: fc.integer({ min: 1, max: 4 }),
  packet: fc.uint8Array({ maxLength: 30 }),
  isRaw: fc.boolean(),
  timestamp: fc.double({ noNaN: true, noDefaultInfinity: true }),
  receivedAt: time,
}).map(({ key: callKey, version, packet, count, ...entry }) => {
  const data = Buffer.concat(Array.from({ length: count }, () => packet))
  const target = Buffer.alloc(recordHeaderBytes + data.length)
  writeRecord(target, 0, callKey, version, { ...entry, count, data })
  return target
})

export const message: fc.Arbitrary<Message> = plain({
  id: fc.nat().map((n) => `run-1.${n}`),
  node,
  run: fc.constantFrom('run-1', 'Zx_9'),
  calls: fc.array(callRow, { maxLength: 3 }),
  lifecycle: fc.array(lifecycleRow, { maxLength: 3 }),
  erasures: fc.array(key, { maxLength: 3 }),
  control: fc.array(control, { maxLength: 3 }),
  packets: fc.array(written, { maxLength: 6 }),
}).map(({ packets, ...head }) => ({
  ...head,
  records: Buffer.concat(packets.map(({ records }) => records)),
  facts: packets.map(({ fact }) => fact),
}))
