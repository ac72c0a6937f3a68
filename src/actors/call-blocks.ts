/** Blocks of packets, as media streams bring them: what of one is new, and what a call says of it. */
import type { Millis } from '../clock.js'
import type { PacketEntry } from '../store/journal.js'
import type { CallContext } from './call-context.js'
import type { BlockFacts } from './call-facts.js'
import type { PacketBlock } from './call-messages.js'
import type { SequenceRange } from './sequence-gaps.js'

/** Of a record in the journal, about: each stretch of a block has one. */
export const blockHeadBytes = 64

/** The stretches of it that have not come before: one, unless a part of it has. */
export function freshOf(
  { logs }: CallContext,
  { track, sequence, count }: PacketBlock,
): readonly SequenceRange[] {
  const last = sequence + count - 1
  return logs.of(track)?.newWithin(sequence, last) ?? [{ first: sequence, last }]
}

export function blockEntries(
  { track, sequence, count, data, isRaw, timestamp }: PacketBlock,
  fresh: readonly SequenceRange[],
  receivedAt: Millis,
): readonly PacketEntry[] {
  const bytes = data.length / count
  return fresh.map(({ first, last }) => ({
    type: 'packet',
    receivedAt,
    track,
    sequence: first,
    count: last - first + 1,
    // A view costs more than the rest of an entry.
    data:
      last - first + 1 === count
        ? data
        : data.subarray((first - sequence) * bytes, (last - sequence + 1) * bytes),
    isRaw,
    timestamp,
  }))
}

/** Changes the receive log in place, as a packet does. */
export function markBlock(
  context: CallContext,
  { track, sequence, count }: PacketBlock,
  fresh: readonly SequenceRange[],
  receivedAt: Millis,
  isFirst: boolean,
  heard: number,
): BlockFacts {
  const log = context.logs.open(track)
  const { missingCount, totalReceived, lateCount } = log
  for (const { first, last } of fresh) for (let number = first; number <= last; number++) log.mark(number)
  context.lastPacketAt = receivedAt
  const accepted = log.totalReceived - totalReceived
  const late = log.lateCount - lateCount
  return {
    kind: 'block',
    callId: context.callId,
    track,
    first: sequence,
    count,
    accepted,
    duplicates: countDuplicates(context, count - accepted),
    totalReceived: log.totalReceived,
    missingCount: log.missingCount,
    receivedAt,
    isFirst,
    lateCount: late,
    skippedCount: Math.max(0, log.missingCount - missingCount + late),
    heard,
  }
}

export function refuseBlock(
  context: CallContext,
  { track, sequence, count }: PacketBlock,
  now: Millis,
): BlockFacts {
  const log = context.logs.of(track)
  const known = log?.receivedWithin(sequence, sequence + count - 1) ?? 0
  return {
    kind: 'block',
    callId: context.callId,
    track,
    first: sequence,
    count,
    accepted: 0,
    duplicates: countDuplicates(context, known),
    totalReceived: log?.totalReceived ?? 0,
    missingCount: log?.missingCount ?? 0,
    receivedAt: now,
    isFirst: false,
    lateCount: 0,
    skippedCount: 0,
    heard: 0,
  }
}

function countDuplicates(context: CallContext, duplicates: number): number {
  context.duplicateCount += duplicates
  return duplicates
}
