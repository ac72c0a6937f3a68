/** The packets of a call that are stored, from a sequence on, ascending: a page at a time, so that a call of hours is never in memory. */
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallReader, StoredPacket } from '../store/journal.js'

export async function* packetPages(
  reader: Pick<CallReader, 'packets'>,
  callId: CallId,
  first: number,
  limit: number = limits.packetsPageMax,
): AsyncGenerator<readonly StoredPacket[]> {
  for (let from: number | null = first; from !== null; ) {
    const page: Awaited<ReturnType<CallReader['packets']>> = await reader.packets(callId, from, limit)
    yield page.packets
    from = page.nextFrom
  }
}
