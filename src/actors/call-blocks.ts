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
    data: data.subarray((first - sequence) * bytes, (last - sequence + 1) * bytes),
    isRaw,
    timestamp,
  }))
}

/** Changes the receive log in place, as a packet does. */
export function markBlock(
  context: CallContext,
  block: PacketBlock,
  fresh: readonly SequenceRange[],
  receivedAt: Millis,
  isFirst: boolean,
): BlockFacts {
  const log = context.logs.open(block.track)
  const { missingCount, totalReceived, lateCount } = log
  for (const { first, last } of fresh) for (let number = first; number <= last; number++) log.mark(number)
  context.lastPacketAt = receivedAt
  const accepted = log.totalReceived - totalReceived
  const late = log.lateCount - lateCount
  return {
    ...unchanged(context, block, receivedAt),
    accepted,
    duplicates: countDuplicates(context, block.count - accepted),
    isFirst,
    lateCount: late,
    skippedCount: Math.max(0, log.missingCount - missingCount + late),
  }
}

export function refuseBlock(context: CallContext, block: PacketBlock, now: Millis): BlockFacts {
  const { track, sequence, count } = block
  const known = context.logs.of(track)?.receivedWithin(sequence, sequence + count - 1) ?? 0
  return { ...unchanged(context, block, now), duplicates: countDuplicates(context, known) }
}

function countDuplicates(context: CallContext, duplicates: number): number {
  context.duplicateCount += duplicates
  return duplicates
}

function unchanged({ callId, logs }: CallContext, block: PacketBlock, receivedAt: Millis): BlockFacts {
  const log = logs.of(block.track)
  return {
    kind: 'block',
    callId,
    track: block.track,
    first: block.sequence,
    count: block.count,
    accepted: 0,
    duplicates: 0,
    totalReceived: log?.totalReceived ?? 0,
    missingCount: log?.missingCount ?? 0,
    receivedAt,
    isFirst: false,
    lateCount: 0,
    skippedCount: 0,
  }
}
