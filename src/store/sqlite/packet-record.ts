/**
 * A packet on disk. Records stand one behind the other, in the journal's batches and in the runs alike, so folding
 * copies them as they are. Little endian:
 *
 *     0 f64 call key   8 f64 timestamp (s)   16 f64 received at (ms)   24 u32 version   28 u32 sequence   32 u32 bytes   36 data
 */
import assert from 'node:assert/strict'

export const recordHeaderBytes = 36
/** The call key of a record whose call has been erased; calls count from 1. */
export const erasedKey = 0

export interface PacketRecord {
  readonly callKey: number
  readonly timestamp: number
  readonly receivedAt: number
  readonly version: number
  readonly sequence: number
  readonly data: Uint8Array
}

/** Writes a record at `at`; returns where the next one starts. */
export function writeRecord(
  target: Buffer,
  at: number,
  callKey: number,
  version: number,
  packet: { sequence: number; data: Uint8Array; timestamp: number; receivedAt: number },
): number {
  target.writeDoubleLE(callKey, at)
  target.writeDoubleLE(packet.timestamp, at + 8)
  target.writeDoubleLE(packet.receivedAt, at + 16)
  target.writeUInt32LE(version, at + 24)
  target.writeUInt32LE(packet.sequence, at + 28)
  target.writeUInt32LE(packet.data.length, at + 32)
  target.set(packet.data, at + recordHeaderBytes)
  return at + recordHeaderBytes + packet.data.length
}

export function recordCallKey(source: Buffer, at: number): number {
  return source.readDoubleLE(at)
}

export function recordSequence(source: Buffer, at: number): number {
  return source.readUInt32LE(at + 28)
}

export function recordVersion(source: Buffer, at: number): number {
  return source.readUInt32LE(at + 24)
}

export function recordReceivedAt(source: Buffer, at: number): number {
  return source.readDoubleLE(at + 16)
}

export function recordEnd(source: Buffer, at: number): number {
  const end = at + recordHeaderBytes + source.readUInt32LE(at + 32)
  assert(end <= source.length, 'a record ends within its batch')
  return end
}

export function readRecord(source: Buffer, at: number): PacketRecord {
  return {
    callKey: recordCallKey(source, at),
    timestamp: source.readDoubleLE(at + 8),
    receivedAt: recordReceivedAt(source, at),
    version: recordVersion(source, at),
    sequence: recordSequence(source, at),
    data: source.subarray(at + recordHeaderBytes, recordEnd(source, at)),
  }
}

/** As a record without data. */
export function copyHead(source: Buffer, at: number, target: Buffer, to: number): void {
  source.copy(target, to, at, at + recordHeaderBytes)
  target.writeUInt32LE(0, to + 32)
}

/** Nothing is left but its length. */
export function eraseRecord(target: Buffer, at: number): void {
  const end = recordEnd(target, at)
  target.fill(0, at, at + 32)
  target.fill(0, at + recordHeaderBytes, end)
}

/** Where each record starts. */
export function* recordStarts(source: Buffer): Generator<number> {
  for (let at = 0; at < source.length; at = recordEnd(source, at)) yield at
}

export function packetsOf(records: Uint8Array<ArrayBuffer>): PacketRecord[] {
  const source = bufferOf(records)
  return [...recordStarts(source)].map((at) => readRecord(source, at))
}

/** The same bytes, as what records are read from. */
export function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}

/** One behind the other, in memory of their own, so that it can be handed over to another thread. */
export function joinedRecords(records: readonly Buffer[], bytes: number): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(bytes)
  let at = 0
  for (const record of records) {
    joined.set(record, at)
    at += record.length
  }
  return joined
}
