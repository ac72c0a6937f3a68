/** What tests of journals append and read back. */
import type { VoiceStreamError } from '../../src/errors.js'
import type { CallState } from '../../src/protocol/call.js'
import type { CallId } from '../../src/protocol/call-id.js'
import {
  type CallReader,
  type CallSnapshot,
  type CallStream,
  type Journal,
  type JournalEntry,
  type LifecycleEntry,
  type PacketEntry,
  type ReplayEntry,
  type Settlement,
  type StoredPacket,
  settlementOf,
} from '../../src/store/journal.js'

export type AnyJournal = Journal & CallReader

export function packetEntry(sequence: number, data: string | Uint8Array = `packet ${sequence}`): PacketEntry {
  return {
    type: 'packet',
    sequence,
    data: typeof data === 'string' ? Buffer.from(data) : data,
    timestamp: 1_700_000_000.25 + sequence / 50,
    receivedAt: 1_700_000_000_000 + (sequence % 1000),
  }
}

export function lifecycleEntry(attempt: number): LifecycleEntry {
  return { type: 'attempt-started', at: 1_700_000_000_000 + attempt, attempt, provider: 'ünïcode “provider”' }
}

export function snapshot(changes: Partial<CallSnapshot> = {}): CallSnapshot {
  const state: CallState = 'IN_PROGRESS'
  return {
    state,
    createdAt: 1_700_000_000_000,
    dueAt: null,
    endedAt: null,
    isSettled: false,
    body: '{"any":"bödy"}',
    ...changes,
  }
}

/** Resolves when the append is committed. */
export function append(
  journal: Journal,
  stream: CallStream,
  entries: readonly JournalEntry[],
  taken: CallSnapshot | null = null,
  version = stream.version,
): Promise<void> {
  return new Promise((answered, failed) =>
    journal.append(stream, version, entries, taken, settlementOf({ answered, failed }, undefined)),
  )
}

export function erase(journal: Journal, stream: CallStream, version = stream.version): Promise<void> {
  return new Promise((answered, failed) =>
    journal.erase(stream, version, settlementOf({ answered, failed }, undefined)),
  )
}

export function settled(journal: Journal, stream: CallStream): Promise<void> {
  return new Promise((answered, failed) =>
    journal.settled(stream, settlementOf({ answered, failed }, undefined)),
  )
}

/** A new call that holds these packets, committed. */
export async function storedCall(
  journal: Journal,
  callId: CallId,
  sequences: readonly number[] = [0],
  taken: CallSnapshot = snapshot(),
): Promise<CallStream> {
  const stream = journal.create(callId)
  await append(
    journal,
    stream,
    sequences.map((sequence) => packetEntry(sequence)),
    taken,
  )
  return stream
}

/** Tells into a list, so that the order of settlements can be seen. */
export function telling(story: string[], name: string): Settlement {
  const failed = (error: VoiceStreamError) => story.push(`${name} ${error.code}`)
  return settlementOf({ answered: () => story.push(name), failed }, undefined)
}

/** Of packets a replay owes what the call remembers: those that follow each other may be one entry, as they are here. */
export function remembered(entries: readonly ReplayEntry[]): ReplayEntry[] {
  const joined: ReplayEntry[] = []
  for (const entry of entries) {
    const last = joined.at(-1)
    if (entry.type !== 'packet') joined.push(entry)
    else {
      const { type, track = 0, sequence, count = 1, receivedAt } = entry
      const follows =
        last?.type === 'packet' && last.track === track && last.sequence + (last.count ?? 1) === sequence
      if (follows) joined[joined.length - 1] = { ...last, count: (last.count ?? 1) + count, receivedAt }
      else joined.push({ type, track, sequence, count, receivedAt })
    }
  }
  return joined
}

/** Every page of a call's packets from `from` on, in order. */
export async function pagesOf(
  reader: CallReader,
  callId: CallId,
  limit: number,
  from = 0,
): Promise<{ packets: readonly StoredPacket[]; nextFrom: number | null }[]> {
  const pages: { packets: readonly StoredPacket[]; nextFrom: number | null }[] = []
  for (let next: number | null = from; next !== null; ) {
    const page = await reader.packets(callId, next, limit)
    pages.push(page)
    next = page.nextFrom
  }
  return pages
}

export function plain({ sequence, data, timestamp, receivedAt }: StoredPacket) {
  return { sequence, data: Buffer.from(data).toString('base64'), timestamp, receivedAt }
}
