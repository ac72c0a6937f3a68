/** Layers that only compute: the receive log, decoding, receipts. */
import type { ReceiptFacts } from '../../src/actors/call-facts.js'
import { ReceiveLog } from '../../src/actors/receive-log.js'
import { encodeReceipt } from '../../src/http/routes/receipt.js'
import { decodeCallId } from '../../src/protocol/call-id.js'
import { decodeBulkLine, decodePacket } from '../../src/protocol/decode.js'
import { dataText, packetBody, packetLine } from '../load/packets.js'
import { kept, layer } from './layer.js'

function markAll(log: ReceiveLog, sequences: Int32Array): void {
  for (const sequence of sequences) kept.value = log.mark(sequence)
}

/** Every other number of `count` missing, and these numbers in an order that jumps about. */
function sparse(count: number): { log: ReceiveLog; missing: Int32Array } {
  const log = new ReceiveLog()
  for (let sequence = 0; sequence <= 2 * count; sequence += 2) log.mark(sequence)
  const missing = new Int32Array(count)
  // A prime that does not divide the count visits each of them once.
  for (let i = 0; i < count; i++) missing[i] = ((i * 7919) % count) * 2 + 1
  return { log, missing }
}

export const receiveLogLayers = [
  layer(
    'receive log: mark in order',
    1_000_000,
    () => new ReceiveLog(),
    (log, operations) => {
      for (let sequence = 0; sequence < operations; sequence++) kept.value = log.mark(sequence)
    },
  ),
  layer(
    'receive log: mark ahead, a gap each',
    200_000,
    () => new ReceiveLog(),
    (log, operations) => {
      for (let i = 0; i < operations; i++) kept.value = log.mark(i * 2)
    },
  ),
  layer(
    'receive log: late, 1,000 gaps, any order',
    50_000,
    () => Array.from({ length: 50 }, () => sparse(1000)),
    (all) => {
      for (const { log, missing } of all) markAll(log, missing)
    },
  ),
  layer(
    'receive log: late, 100,000 gaps, any order',
    100_000,
    () => sparse(100_000),
    ({ log, missing }) => markAll(log, missing),
  ),
  layer(
    'receive log: mark at packet 1,000,000',
    100_000,
    () => {
      const log = new ReceiveLog()
      for (let sequence = 0; sequence < 1_000_000; sequence++) log.mark(sequence)
      return log
    },
    (log, operations) => {
      for (let i = 0; i < operations; i++) kept.value = log.mark(1_000_000 + i)
    },
  ),
]

function receipt(missing: number): ReceiptFacts {
  return {
    status: 'accepted',
    callId: decodeCallId('load1-512'),
    track: 0,
    sequence: 123_456,
    totalReceived: 123_457 - missing,
    missingSequences: Array.from({ length: missing }, (_, index) => 1000 + index * 7),
    missingCount: missing,
    receivedAt: 1_700_000_000_020,
    state: 'IN_PROGRESS',
  }
}

/** An escape sends the body the complete way, through JSON.parse and the schema. */
const escapedBody = packetBody(123_456).replace('xx', '\\u0078x')
const line = Buffer.from(packetLine('load1-512', 123_456))

export const codecLayers = [
  layer(
    `decode a packet of ${dataText.length} characters, canonical`,
    200_000,
    () => Buffer.from(packetBody(123_456)),
    (body, operations) => {
      for (let i = 0; i < operations; i++) kept.value = decodePacket(body)
    },
  ),
  layer(
    'decode the same, complete way',
    50_000,
    () => Buffer.from(escapedBody),
    (body, operations) => {
      for (let i = 0; i < operations; i++) kept.value = decodePacket(body)
    },
  ),
  layer(
    'decode a bulk line, canonical',
    200_000,
    () => line,
    (bytes, operations) => {
      for (let i = 0; i < operations; i++) kept.value = decodeBulkLine(bytes, 0, bytes.length - 1)
    },
  ),
  ...[0, 100].map((missing) =>
    layer(
      `encode a receipt, ${missing} missing numbers`,
      200_000,
      () => receipt(missing),
      (facts, operations) => {
        for (let i = 0; i < operations; i++) kept.value = encodeReceipt(facts).length
      },
    ),
  ),
]
