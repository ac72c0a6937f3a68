/**
 * Packets on disk, a record for each, or for a block of them: packets of equal length whose numbers follow each other.
 * Records stand one behind the other, in the journal's batches and in the runs alike, so folding copies them as they are.
 * Little endian:
 *
 *     0 f64 call key   8 f64 timestamp (s)   16 f64 received at (ms)   24 u32 version   28 u32 sequence
 *     32 u16 bytes of a packet   34 u16 track (3 bits), raw (1 bit), packets − 1 (12 bits)   36 data
 *
 * Raw data are the bytes of a codec; other data are UTF-8. The packets of a block have its version and its times.
 */
import assert from 'node:assert/strict'
import { limits } from '../../limits.js'
import { ordinalOf } from '../../protocol/track.js'
import type { PacketEntry, ReplayEntry } from '../journal.js'

export const recordHeaderBytes = 36
/** The call key of a record whose call has been erased; no call has it. */
export const erasedKey = 0

const trackBits = 7
const rawBit = 8
const countShift = 4

assert(limits.tracksMax <= trackBits + 1, 'a track fits its bits')
assert(limits.blockPacketsMax <= 1 << (16 - countShift), 'the packets of a block fit their bits')

export interface PacketRecord {
  readonly callKey: number
  readonly timestamp: number
  readonly receivedAt: number
  readonly version: number
  readonly track: number
  readonly sequence: number
  readonly isRaw: boolean
  readonly data: Uint8Array
}

/** Writes a record at `at`; returns where the next one starts. */
export function writeRecord(
  target: Buffer,
  at: number,
  callKey: number,
  version: number,
  packet: Omit<PacketEntry, 'type'>,
): number {
  const { data, count = 1, track = 0, isRaw = false } = packet
  target.writeDoubleLE(callKey, at)
  target.writeDoubleLE(packet.timestamp, at + 8)
  target.writeDoubleLE(packet.receivedAt, at + 16)
  target.writeUInt32LE(version, at + 24)
  target.writeUInt32LE(packet.sequence, at + 28)
  target.writeUInt16LE(data.length / count, at + 32)
  target.writeUInt16LE(track | (isRaw ? rawBit : 0) | ((count - 1) << countShift), at + 34)
  target.set(data, at + recordHeaderBytes)
  return at + recordHeaderBytes + data.length
}

export function recordCallKey(source: Buffer, at: number): number {
  return source.readDoubleLE(at)
}

/** Of its first packet, in all of the call. */
export function recordOrdinal(source: Buffer, at: number): number {
  return ordinalOf(source.readUInt16LE(at + 34) & trackBits, source.readUInt32LE(at + 28))
}

export function recordCount(source: Buffer, at: number): number {
  return (source.readUInt16LE(at + 34) >>> countShift) + 1
}

export function recordVersion(source: Buffer, at: number): number {
  return source.readUInt32LE(at + 24)
}

export function recordEnd(source: Buffer, at: number): number {
  const end = at + recordHeaderBytes + source.readUInt16LE(at + 32) * recordCount(source, at)
  assert(end <= source.length, 'a record ends within its batch')
  return end
}

/** The first packet of a record. */
export function readRecord(source: Buffer, at: number): PacketRecord {
  const first = at + recordHeaderBytes
  const bits = source.readUInt16LE(at + 34)
  return {
    callKey: recordCallKey(source, at),
    timestamp: source.readDoubleLE(at + 8),
    receivedAt: source.readDoubleLE(at + 16),
    version: recordVersion(source, at),
    track: bits & trackBits,
    sequence: source.readUInt32LE(at + 28),
    isRaw: (bits & rawBit) !== 0,
    data: source.subarray(first, first + source.readUInt16LE(at + 32)),
  }
}

/** The part of it that a call remembers. */
export function recordEntry(source: Buffer, at: number): ReplayEntry {
  const { track, sequence, receivedAt } = readRecord(source, at)
  return { type: 'packet', track, sequence, count: recordCount(source, at), receivedAt }
}

/** A record for each packet of it: copies where it holds more than one. */
export function singleRecords(record: Buffer): readonly Buffer[] {
  const count = recordCount(record, 0)
  if (count === 1) return [record]
  const bytes = record.readUInt16LE(32)
  const sequence = record.readUInt32LE(28)
  return Array.from({ length: count }, (_, index) => {
    const single = Buffer.allocUnsafe(recordHeaderBytes + bytes)
    record.copy(single, 0, 0, recordHeaderBytes)
    single.writeUInt32LE(sequence + index, 28)
    single.writeUInt16LE(record.readUInt16LE(34) & (trackBits | rawBit), 34)
    const first = recordHeaderBytes + index * bytes
    record.copy(single, recordHeaderBytes, first, first + bytes)
    return single
  })
}

/** As a record without data. */
export function copyHead(source: Buffer, at: number, target: Buffer, to: number): void {
  source.copy(target, to, at, at + recordHeaderBytes)
  target.writeUInt16LE(0, to + 32)
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

/** Of records that hold a packet each, as pages do. */
export function packetsOf(records: Uint8Array<ArrayBuffer>): PacketRecord[] {
  const source = bufferOf(records)
  return [...recordStarts(source)].map((at) => readRecord(source, at))
}

/** The same bytes, as what records are read from. */
export function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}

/** One behind the other, in memory that can be handed over to another thread: in `into`, if there is room. */
export function joinedRecords(
  records: readonly Buffer[],
  bytes: number,
  into: ArrayBuffer | null = null,
): Uint8Array<ArrayBuffer> {
  const joined =
    into !== null && into.byteLength >= bytes ? new Uint8Array(into, 0, bytes) : new Uint8Array(bytes)
  let at = 0
  for (const record of records) {
    joined.set(record, at)
    at += record.length
  }
  return joined
}
