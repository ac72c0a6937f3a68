/** A page of stored packets as a file to be sent: pure. */
import { rfc3339 } from '../clock.js'
import { textOf } from '../protocol/decode.js'
import type { PacketPageFile, StoredPacket } from './journal.js'

const encoder = new TextEncoder()

/** As `PacketPage` says. */
export function packetPageFile(packets: readonly StoredPacket[], nextFrom: number | null): PacketPageFile {
  const page = packets.map(({ sequence, data, timestamp, receivedAt }) => ({
    sequence,
    data: textOf(data),
    timestamp,
    received_at: rfc3339(receivedAt),
  }))
  const text = encoder.encode(JSON.stringify({ packets: page, next_from: nextFrom }))
  return { text, count: packets.length, nextFrom }
}
