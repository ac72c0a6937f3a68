/**
 * The stored packets of a call, a page at a time, so that a call of hours is never in memory.
 *
 * The receive log says which numbers are there. A page that lacks one was read from a damaged index: its rows have checksums,
 * and one that is not found has none.
 */
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallReader, StoredPacket } from '../store/journal.js'
import type { CallMachineSnapshot } from './call-machine.js'
import { ReceiveLog } from './receive-log.js'

/** The registry, as far as it is asked here. */
export interface SeenCalls {
  read<T>(callId: CallId, look: (state: CallMachineSnapshot) => T): Promise<T | null>
}

interface Page {
  /** Of its packets. */
  readonly count: number
  readonly nextFrom: number | null
  release?(): void
}

/** The packets that `ask` finds of a call from a sequence on. Null for an unknown call. Rejects with `stored_damage`. */
export async function wholePage<Found extends Page>(
  calls: SeenCalls,
  callId: CallId,
  { track, from }: { readonly track: number; readonly from: number },
  ask: () => Promise<Found | null>,
): Promise<Found | null> {
  const page = await ask()
  if (page === null) return null
  const received = await calls.read(callId, ({ context }) => {
    return context.logs.of(track)?.receivedWithin(from, lastOf(page)) ?? 0
  })
  if (received === null || received === page.count) return received === null ? null : page
  // Packets may have come in between. What a log knew before the read must be in the page.
  const log = await calls.read(callId, ({ context }) => {
    const known = context.logs.of(track)
    return known === undefined ? new ReceiveLog() : ReceiveLog.restore(known.snapshot())
  })
  page.release?.()
  const again = await ask()
  if (log === null || again === null) return null
  if (again.count >= log.receivedWithin(from, lastOf(again))) return again
  throw new VoiceStreamError('stored_damage', `packets of call ${callId} are stored and are not found`)
}

/** Through which sequence it says what there is. */
function lastOf({ nextFrom }: Page): number {
  return nextFrom === null ? limits.sequenceMax : nextFrom - 1
}

/** From a sequence on, ascending. What a page holds is void once the next one is asked for. */
export async function* packetPages(
  reader: Pick<CallReader, 'packets'>,
  calls: SeenCalls,
  callId: CallId,
  start: number,
  limit: number = limits.packetsPageMax,
  track = 0,
): AsyncGenerator<readonly StoredPacket[]> {
  for (let from: number | null = start; from !== null; ) {
    const first: number = from
    const ask = async () => {
      const page = await reader.packets(callId, first, limit, track)
      return { ...page, count: page.packets.length }
    }
    const page: Awaited<ReturnType<typeof ask>> | null = await wholePage(
      calls,
      callId,
      { track, from: first },
      ask,
    )
    if (page === null) throw new VoiceStreamError('call_not_found', `call ${callId} is not known`)
    try {
      yield page.packets
    } finally {
      page.release()
    }
    from = page.nextFrom
  }
}
