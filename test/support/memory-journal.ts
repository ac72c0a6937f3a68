/**
 * The journal in memory, for tests: the same contract, nothing on disk. A commit is a turn of the loop away, or is
 * held back and failed by hand.
 */
import assert from 'node:assert/strict'
import type { Millis } from '../../src/clock.js'
import { VoiceStreamError } from '../../src/errors.js'
import { limits } from '../../src/limits.js'
import type { CallState } from '../../src/protocol/call.js'
import {
  alertName,
  alertValue,
  type Detail,
  type DetailFilter,
  listDetails,
  matcherOf,
  sentimentName,
} from '../../src/protocol/call-details.js'
import type { CallId } from '../../src/protocol/call-id.js'
import { callStates } from '../../src/protocol/call-states.js'
import type { CallTranscript } from '../../src/protocol/transcript.js'
import { ErasuresUnderWay } from '../../src/store/erasures-under-way.js'
import {
  type Asker,
  type CallHistory,
  type CallQuery,
  type CallReader,
  type CallSnapshot,
  type CallStream,
  type DueCall,
  type DueCursor,
  type EndedCall,
  type EndedCursor,
  factsOf,
  type Journal,
  type JournalEntry,
  type KeptPart,
  type PacketEntry,
  type PacketPage,
  type PacketPageFile,
  type Settlement,
  type StoredCall,
  type StoredPacket,
  tellCommitted,
  tellFailed,
} from '../../src/store/journal.js'
import { packetPageFile } from '../../src/store/packet-page-file.js'
import { type TranscriptQuery, transcriptFile } from '../../src/store/transcript-file.js'
import { findTerms } from './transcript-scan.js'

interface Call {
  readonly key: number
  readonly callId: CallId
  version: number
  snapshot: CallSnapshot
  snapshotVersion: number
  readonly entries: { readonly version: number; readonly entry: JournalEntry }[]
  readonly packets: StoredPacket[]
}

interface Append {
  readonly kind: 'append'
  readonly stream: MemoryStream
  readonly entries: readonly { readonly version: number; readonly entry: JournalEntry }[]
  readonly snapshot: CallSnapshot | null
}

interface Erasure {
  readonly kind: 'erasure'
  readonly stream: MemoryStream
}

interface MemoryStream extends CallStream {
  readonly key: number
  version: number
  pending: number
  isDead: boolean
}

type Queued = {
  readonly change: Append | Erasure | null
  readonly stream: MemoryStream
  readonly settlement: Settlement
}

export class MemoryJournal implements Journal, CallReader {
  readonly #calls = new Map<CallId, Call>()
  readonly #streams = new Map<CallId, MemoryStream>()
  readonly #erasures = new ErasuresUnderWay()
  #queue: Queued[] = []
  #nextKey = 1
  #isHeld = false
  #isScheduled = false

  /** Commits nothing until `commit` or `fail` is called. */
  hold(): void {
    this.#isHeld = true
  }

  /** A replay finds out. */
  isNew(_callId: CallId): boolean {
    return false
  }

  create(callId: CallId): CallStream {
    return this.#streamOf(callId, this.#nextKey++, 0)
  }

  #streamOf(callId: CallId, key: number, version: number): MemoryStream {
    const known = this.#streams.get(callId)
    if (known !== undefined && !known.isDead) return known
    const stream = { callId, key, version, pending: 0, isDead: false }
    this.#streams.set(callId, stream)
    return stream
  }

  /** Nothing in it is ever damaged. */
  async unreadable(): Promise<null> {
    return null
  }

  async replay(callId: CallId): Promise<CallHistory | null> {
    await this.#erasures.settled(callId)
    const call = this.#calls.get(callId)
    if (call === undefined) return null
    const entries = call.entries
      .filter(({ version }) => version > call.snapshotVersion)
      .map(({ entry }) => (entry.type === 'packet' ? entry : factsOf(entry)))
    return { stream: this.#streamOf(callId, call.key, call.version), snapshot: call.snapshot, entries }
  }

  hasRoom(): boolean {
    return this.#queue.length < limits.journalQueueEntriesMax
  }

  append(
    handle: CallStream,
    expectedVersion: number,
    entries: readonly JournalEntry[],
    snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void {
    const stream = handle as MemoryStream
    if (stream.isDead || this.#streams.get(stream.callId) !== stream || expectedVersion !== stream.version)
      return tellFailed(settlement, new VoiceStreamError('version_conflict', 'the call has moved on'))
    assert(this.hasRoom(), 'room is asked for before an append')
    assert(stream.version > 0 || snapshot !== null, 'the first append of a call brings a snapshot')
    const versioned = entries.map((entry) => ({
      version: ++stream.version,
      entry: entry.type === 'packet' ? { ...entry, data: Uint8Array.from(entry.data) } : entry,
    }))
    this.#enqueue({
      change: { kind: 'append', stream, entries: versioned, snapshot },
      stream,
      settlement,
    })
  }

  erase(handle: CallStream, expectedVersion: number, settlement: Settlement): void {
    const stream = handle as MemoryStream
    if (stream.isDead || this.#streams.get(stream.callId) !== stream || expectedVersion !== stream.version)
      return tellFailed(settlement, new VoiceStreamError('version_conflict', 'the call has moved on'))
    assert(this.hasRoom(), 'room is asked for before an append')
    this.#streams.delete(stream.callId)
    stream.version++
    const told = this.#erasures.begin(stream.callId, settlement)
    this.#enqueue({ change: { kind: 'erasure', stream }, stream, settlement: told })
  }

  settled(handle: CallStream, settlement: Settlement): void {
    const stream = handle as MemoryStream
    if (stream.isDead)
      tellFailed(settlement, new VoiceStreamError('commit_failed', 'an earlier append failed'))
    else if (stream.pending === 0) tellCommitted(settlement)
    else this.#enqueue({ change: null, stream, settlement })
  }

  hasPending(handle: CallStream): boolean {
    return (handle as MemoryStream).pending > 0
  }

  release(handle: CallStream): void {
    assert(!this.hasPending(handle))
    if (this.#streams.get(handle.callId) === handle) this.#streams.delete(handle.callId)
  }

  #enqueue(queued: Queued): void {
    queued.stream.pending++
    this.#queue.push(queued)
    if (this.#isHeld || this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (!this.#isHeld) this.commit()
    })
  }

  commit(): void {
    const queue = this.#queue
    this.#queue = []
    for (const { change, stream } of queue) {
      if (change?.kind === 'append') this.#store(change)
      else if (change?.kind === 'erasure' && this.#calls.get(stream.callId)?.key === stream.key)
        this.#calls.delete(stream.callId)
    }
    for (const { stream, settlement } of queue) {
      stream.pending--
      tellCommitted(settlement)
    }
  }

  fail(): void {
    const queue = this.#queue
    this.#queue = []
    for (const { stream } of queue) stream.isDead = true
    for (const { stream, settlement } of queue) {
      stream.pending--
      tellFailed(settlement, new VoiceStreamError('commit_failed', 'the packet could not be stored'))
    }
  }

  #store({ stream, entries, snapshot }: Append): void {
    const call = this.#calls.get(stream.callId) ?? this.#newCall(stream, snapshot)
    for (const { version, entry } of entries) {
      call.version = version
      call.entries.push({ version, entry })
      if (entry.type === 'packet') call.packets.push(...singlePackets(entry))
    }
    if (snapshot === null) return
    call.snapshot = snapshot
    call.snapshotVersion = call.version
  }

  #newCall(stream: MemoryStream, snapshot: CallSnapshot | null): Call {
    assert(snapshot !== null, 'the first append of a call brings a snapshot')
    const call: Call = {
      key: stream.key,
      callId: stream.callId,
      version: 0,
      snapshot,
      snapshotVersion: 0,
      entries: [],
      packets: [],
    }
    this.#calls.set(stream.callId, call)
    return call
  }

  async call(callId: CallId): Promise<StoredCall | null> {
    return this.#calls.get(callId) ?? null
  }

  async calls({
    state,
    details = [],
    search = null,
    from = null,
    before = null,
    order = 'newest',
    cursor,
    limit,
  }: CallQuery): ReturnType<CallReader['calls']> {
    const found = [...this.#calls.values()]
      .filter(
        (call) =>
          (state === null || call.snapshot.state === state) &&
          (cursor === null || (order === 'newest' ? call.key < cursor : call.key > cursor)),
      )
      .filter(({ snapshot: { createdAt } }) => (from ?? createdAt) <= createdAt)
      .filter(({ snapshot: { createdAt } }) => before === null || createdAt < before)
      .filter((call) => details.every((filter) => wasSaid(call, filter)))
      .flatMap((call) => {
        if (search === null) return [call]
        const match = findTerms(spokenIn(call), search)
        return match === null ? [] : [{ ...call, match }]
      })
      .sort((a, b) => (order === 'newest' ? b.key - a.key : a.key - b.key))
    const calls = found.slice(0, limit)
    return { calls, nextCursor: found.length > limit ? (calls.at(-1)?.key ?? null) : null }
  }

  async packets(callId: CallId, from: number, limit: number, track = 0): Promise<PacketPage> {
    const found = (this.#calls.get(callId)?.packets ?? [])
      .filter((packet) => (packet.track ?? 0) === track && packet.sequence >= from)
      .sort((a, b) => a.sequence - b.sequence)
    return { packets: found.slice(0, limit), nextFrom: found[limit]?.sequence ?? null, release: () => {} }
  }

  async packetPage(
    callId: CallId,
    from: number,
    limit: number,
    _asker?: Asker,
    track = 0,
  ): Promise<PacketPageFile | null> {
    if (!this.#calls.has(callId)) return null
    const { packets, nextFrom } = await this.packets(callId, from, limit, track)
    return packetPageFile(packets, nextFrom)
  }

  async due(after: DueCursor, through: Millis, limit: number): Promise<readonly DueCall[]> {
    const due: DueCall[] = []
    for (const { callId, key, snapshot } of this.#calls.values()) {
      const { dueAt } = snapshot
      if (dueAt === null || dueAt > through) continue
      if (dueAt > after.dueAt || (dueAt === after.dueAt && key > after.key)) due.push({ callId, key, dueAt })
    }
    return due.sort((a, b) => a.dueAt - b.dueAt || a.key - b.key).slice(0, limit)
  }

  async ended(after: EndedCursor, through: Millis, limit: number): Promise<readonly EndedCall[]> {
    const ended: EndedCall[] = []
    for (const { callId, key, snapshot } of this.#calls.values()) {
      const { endedAt } = snapshot
      if (endedAt === null || endedAt > through) continue
      if (endedAt > after.endedAt || (endedAt === after.endedAt && key > after.key))
        ended.push({ callId, key, endedAt })
    }
    return ended.sort((a, b) => a.endedAt - b.endedAt || a.key - b.key).slice(0, limit)
  }

  async lastEnded(limit: number): Promise<readonly CallId[]> {
    return [...this.#calls.values()]
      .filter(({ snapshot }) => snapshot.endedAt !== null)
      .sort((a, b) => (b.snapshot.endedAt ?? 0) - (a.snapshot.endedAt ?? 0) || b.key - a.key)
      .slice(0, limit)
      .map(({ callId }) => callId)
  }

  async transcript(query: TranscriptQuery): Promise<Uint8Array | null> {
    const call = this.#calls.get(query.callId)
    const told = call === undefined ? null : transcriptOf(call)
    return told === null ? null : transcriptFile(query, { type: told.type, text: Buffer.from(told.text) })
  }

  async keptOf(callId: CallId): Promise<readonly KeptPart[]> {
    const entries = this.#calls.get(callId)?.entries ?? []
    return entries.flatMap(({ entry }) =>
      entry.type === 'analysis-kept' ? [{ key: entry.key, text: entry.text }] : [],
    )
  }

  async stateCounts(): Promise<Readonly<Record<CallState, number>>> {
    const counts = Object.fromEntries(callStates.map((state) => [state, 0])) as Record<CallState, number>
    for (const { snapshot } of this.#calls.values()) counts[snapshot.state]++
    return counts
  }
}

function wasSaid(call: Call, filter: DetailFilter): boolean {
  const matches = matcherOf(filter)
  return detailsOf(call).some(({ name, value }) => filter.names.includes(name) && matches(value))
}

function detailsOf(call: Call): readonly Detail[] {
  const described = call.entries.findLast(({ entry }) => entry.type === 'described')?.entry
  const told = transcriptOf(call)
  return [
    ...(described?.type === 'described' ? listDetails(described.details) : []),
    ...call.entries.flatMap(({ entry }) =>
      entry.type === 'alert-raised' ? [{ name: alertName(entry.alert.kind), value: alertValue }] : [],
    ),
    ...(told?.type === 'analysed' ? [{ name: sentimentName, value: told.digest.sentiment }] : []),
  ]
}

function transcriptOf({ entries }: Call) {
  const told = entries.findLast(({ entry }) => entry.type === 'analysed' || entry.type === 'heard')?.entry
  return told?.type === 'analysed' || told?.type === 'heard' ? told : null
}

function spokenIn(call: Call): string {
  const told = transcriptOf(call)
  if (told === null) return ''
  const { transcription } = JSON.parse(told.text) as CallTranscript
  return transcription.slice(0, limits.indexedCharactersMax)
}

/** Of a block, each packet by itself. */
function singlePackets(entry: PacketEntry): readonly PacketEntry[] {
  const { count = 1, data } = entry
  const bytes = data.length / count
  return Array.from({ length: count }, (_, index) => ({
    ...entry,
    sequence: entry.sequence + index,
    count: 1,
    data: data.subarray(index * bytes, (index + 1) * bytes),
  }))
}
