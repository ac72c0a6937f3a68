/** A page of stored packets as a file to be sent: pure. */
import { Buffer, isUtf8 } from 'node:buffer'
import { rfc3339 } from '../clock.js'
import { VoiceStreamError } from '../errors.js'
import type { PacketPageFile, StoredPacket } from './journal.js'

const encoder = new TextEncoder()

/** As `PacketPage` says. */
export function packetPageFile(packets: readonly StoredPacket[], nextFrom: number | null): PacketPageFile {
  const page = packets.map(({ track = 0, sequence, isRaw, data, timestamp, receivedAt }) => ({
    ...(track === 0 ? {} : { track }),
    sequence,
    data: dataText({ isRaw, data }),
    timestamp,
    received_at: rfc3339(receivedAt),
  }))
  const text = encoder.encode(JSON.stringify({ packets: page, next_from: nextFrom }))
  return { text, count: packets.length, nextFrom }
}

/** As text: the bytes of a codec as base64, which is how senders of JSON write them. */
export function dataText({
  isRaw = false,
  data,
}: {
  readonly isRaw?: boolean | undefined
  readonly data: Uint8Array
}): string {
  if (!isRaw) return textOf(data)
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
}

/** For whoever reads data back: it went in as UTF-8 and must still be. */
export function textOf(data: Uint8Array): string {
  if (!isUtf8(data)) throw new VoiceStreamError('read_failed', 'stored data is no longer valid UTF-8')
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8')
}
