/** A page of a call's packets out of its runs, completed by what is not folded yet: pure. */
import { limits } from '../../limits.js'
import type { StoredPacket } from '../journal.js'
import { type PacketRecord, readRecord, recordStarts } from './packet-record.js'

export interface PacketPage {
  readonly packets: readonly StoredPacket[]
  readonly nextFrom: number | null
}

export function packetsOf(records: Buffer): PacketRecord[] {
  return [...recordStarts(records)].map((at) => readRecord(records, at))
}

/** `page` holds the lowest packets of the runs from `from` on, all of those below `nextFrom`. */
export function mergePage(
  page: readonly StoredPacket[],
  nextFrom: number | null,
  pending: readonly StoredPacket[],
  from: number,
  limit: number,
): PacketPage {
  const end = nextFrom ?? Number.POSITIVE_INFINITY
  const merged = [...page, ...pending.filter(({ sequence }) => sequence >= from)].sort(
    (a, b) => a.sequence - b.sequence,
  )
  const distinct = merged.filter(({ sequence }, index) => merged[index - 1]?.sequence !== sequence)
  const packets: StoredPacket[] = []
  let bytes = 0
  for (const packet of distinct) {
    const isFull =
      packets.length === limit || (packets.length > 0 && bytes + packet.data.length > limits.pageBytesMax)
    if (isFull || packet.sequence >= end) return { packets, nextFrom: Math.min(packet.sequence, end) }
    bytes += packet.data.length
    packets.push(packet)
  }
  return { packets, nextFrom }
}
