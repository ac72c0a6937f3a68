/**
 * One commit as a message of the shared log: what the writer thread gets as a batch, what nodes agree on, and what supervisors
 * are told. Every node applies the same bytes. Little endian:
 *
 *     0 u8 format   1 u24 0   4 u32 CRC-32 of all that follows
 *     8 u32 bytes of the head   head (`message-head`)   u32 bytes of the records   records (`packet-record`)   facts (`message-facts`)
 *
 * The records are those of the batch, byte for byte. Reading checks everything before it believes it, and copies nothing.
 */
import { crc32 } from 'node:zlib'
import { limits } from '../../limits.js'
import { recordCallKey, recordCount, recordHeaderBytes } from '../sqlite/packet-record.js'
import { type Fact, factsBytes, readFacts, recordsOf, writeFacts } from './message-facts.js'
import { decodeHead, encodeHead, type MessageHead } from './message-head.js'
import { UnreadableMessage } from './unreadable-message.js'

/** Written by this version, and the only one that it reads. */
export const messageFormat = 1
const prefixBytes = 8
const lengthBytes = 4

export interface Message extends MessageHead {
  /** Packet records, one behind the other. */
  readonly records: Buffer
  readonly facts: readonly Fact[]
}

/** Throws where a message would be larger than the log takes: who appends keeps within `limits.logMessageBytesMax`. */
export function encodeMessage(message: Message): Buffer {
  const { records, facts } = message
  const head = encodeHead(message)
  const bytes = prefixBytes + lengthBytes + head.length + lengthBytes + records.length + factsBytes(facts)
  if (bytes > limits.logMessageBytesMax)
    throw new Error(`a message of ${bytes} bytes is too large for the log`)
  const target = Buffer.allocUnsafe(bytes)
  target.writeUInt32LE(messageFormat, 0)
  let at = target.writeUInt32LE(head.length, prefixBytes)
  at += head.copy(target, at)
  at = target.writeUInt32LE(records.length, at)
  at += records.copy(target, at)
  writeFacts(target, at, facts)
  target.writeUInt32LE(crc32(target.subarray(prefixBytes)), 4)
  return target
}

/** Throws `UnreadableMessage`. What it returns are views of `bytes`. */
export function decodeMessage(bytes: Uint8Array): Message {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (source.length < prefixBytes + 2 * lengthBytes) throw new UnreadableMessage('it is cut')
  if (source.length > limits.logMessageBytesMax)
    throw new UnreadableMessage('it is longer than a message may be')
  const format = source.readUInt32LE(0)
  if (format !== messageFormat)
    throw new UnreadableMessage(`its format is ${format}, and this version reads ${messageFormat}`)
  if (source.readUInt32LE(4) !== crc32(source.subarray(prefixBytes)))
    throw new UnreadableMessage('its checksum is wrong')
  const head = partAt(source, prefixBytes, 'head')
  const records = partAt(source, head.end, 'records')
  const facts = readFacts(source.subarray(records.end))
  checkRecords(records.part, facts)
  return { ...decodeHead(head.part), records: records.part, facts }
}

function partAt(source: Buffer, at: number, name: string): { part: Buffer; end: number } {
  const start = at + lengthBytes
  const end = start <= source.length ? start + source.readUInt32LE(at) : Number.POSITIVE_INFINITY
  if (end > source.length) throw new UnreadableMessage(`its ${name} would go beyond its end`)
  return { part: source.subarray(start, end), end }
}

/** Whole records of calls, and for each of them a fact. */
function checkRecords(records: Buffer, facts: readonly Fact[]): void {
  let count = 0
  for (let at = 0; at < records.length; count++) {
    if (at + recordHeaderBytes > records.length) throw new UnreadableMessage('a record of it is cut')
    const end = at + recordHeaderBytes + records.readUInt16LE(at + 32) * recordCount(records, at)
    if (end > records.length) throw new UnreadableMessage('a record of it is cut')
    const key = recordCallKey(records, at)
    if (!Number.isSafeInteger(key) || key < 1) throw new UnreadableMessage('a record of it is of no call')
    at = end
  }
  const told = facts.reduce((sum, fact) => sum + recordsOf(fact), 0)
  if (told !== count) throw new UnreadableMessage(`it has ${count} records, and facts of ${told}`)
}
