/**
 * The journal on SQLite: the main thread's half.
 *
 * Owns the handles on calls, and their keys. What is appended goes through `GroupCommit` to the writer thread, what is read
 * to one of two reader threads: what people look at may be long, and what calls need must not wait behind it. When one of
 * the threads ends, the store has failed as a whole.
 */
import assert from 'node:assert/strict'
import type { Millis } from '../../clock.js'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import type { CallState } from '../../protocol/call.js'
import type { CallId } from '../../protocol/call-id.js'
import { ordinalOf, sequenceOf } from '../../protocol/track.js'
import { CallKeys } from '../call-keys.js'
import { ErasuresUnderWay } from '../erasures-under-way.js'
import {
  type Asker,
  type CallHistory,
  type CallQuery,
  type CallReader,
  type CallSnapshot,
  type CallStream,
  type DamagedCall,
  type DueCall,
  type DueCursor,
  type EndedCall,
  type EndedCursor,
  type JournalEntry,
  type KeptPart,
  type PacketPage,
  type PacketPageFile,
  type Settlement,
  type StoredCall,
  tellCommitted,
  tellFailed,
  type UnreadableCall,
} from '../journal.js'
import type { ServiceJournal } from '../service-journal.js'
import type { TranscriptQuery } from '../transcript-file.js'
import { CallNames } from './call-names.js'
import { prepareDataFolder } from './files/data-folder.js'
import { FileWatch, filesOf } from './files/file-watch.js'
import { failedBy, isNotOpen, noSearch } from './journal-errors.js'
import { packetsOf } from './packet-record.js'
import { PacketReads } from './reading/packet-reads.js'
import { damagedText, SqliteReads } from './reading/sqlite-reads.js'
import type { Opened, Reads } from './thread-messages.js'
import { Stream } from './writing/batch.js'
import { type CommitFigures, GroupCommit } from './writing/group-commit.js'
import { SqliteWrites } from './writing/sqlite-writes.js'

export interface SqliteJournalOptions {
  readonly dataDir: string
  /** Start even where acknowledged packets are known to be missing from the files. */
  readonly acceptDataLoss?: boolean
  /** Service time at the start. */
  readonly now: Millis
  /** The longest that a deadline of each state may lie ahead. The wall clock may have moved since: clamped here (V8). */
  readonly dueWithin: Readonly<Partial<Record<CallState, Millis>>>
  /** The store cannot go on and nothing more is acknowledged: the process must end. */
  readonly onFatal: (error: Error) => void
  /** Something that is stored is not what was written. */
  readonly onDamaged?: (damage: string) => void
  readonly onCommit?: (commit: CommitFigures) => void
  /** The log could not be moved into the database; it is tried again when it has grown further. */
  readonly onCheckpointFailed?: (error: Error) => void
  /** Packets of a call that were stored already were dropped: its journal held them twice. */
  readonly onDropped?: (callId: string, packets: number) => void
  /** So many appends were told that they failed. */
  readonly onCommitFailed?: (appends: number, error: VoiceStreamError) => void
}

export class SqliteJournal implements ServiceJournal {
  readonly #options: SqliteJournalOptions
  /** Appends that wait for their commit, and how long commits take. */
  readonly commits: GroupCommit
  readonly #writes: SqliteWrites
  /** Reads for calls and deadlines, each a row or a few. */
  #reads: SqliteReads | null = null
  /** Reads for people. */
  #looks: SqliteReads | null = null
  readonly #packets = new PacketReads({
    pending: (query) => this.#writes.pendingPage(query),
    read: (...asked) => this.#look(...asked),
  })
  #watch: FileWatch | null = null
  readonly #streams = new Map<CallId, Stream>()
  readonly #erasures = new ErasuresUnderWay()
  readonly #damages = new Set<string>()
  /** Names that this process has created; with those stored before once they have been read. */
  readonly #names = new CallNames()
  #knowsNames = false
  #erasureBacklog = 0
  #keys = new CallKeys(0)
  #wordsFault: string | null = null
  #fatal: Error | null = null
  #isClosed = false

  private constructor(options: SqliteJournalOptions) {
    this.#options = options
    const { dataDir, now, dueWithin, acceptDataLoss = false } = options
    const { onCheckpointFailed, onCommit, onCommitFailed, onDropped } = options
    this.#writes = new SqliteWrites(
      { dataDir, acceptDataLoss, now, dueWithin },
      {
        checkpointFailed: (error) => onCheckpointFailed?.(error),
        dropped: (callId, packets) => onDropped?.(callId, packets),
        erasing: (calls) => {
          this.#erasureBacklog = calls
        },
        damaged: (damage) => this.#damaged(damage),
        died: (error) => this.#end(error),
      },
    )
    this.commits = new GroupCommit({
      handOver: (batch, records, outcome) => this.#writes.commit(batch, records, outcome),
      onCommit,
      onCommitFailed,
    })
  }

  /** Takes the instance lock and recovers. Rejects, with a message for people, when it cannot. */
  static async open(options: SqliteJournalOptions): Promise<SqliteJournal> {
    prepareDataFolder(options.dataDir)
    const journal = new SqliteJournal(options)
    journal.#take(await journal.#writes.opened())
    const { dataDir } = options
    const died = (error: Error) => journal.#end(error)
    const damaged = (damage: string) => journal.#damaged(damage)
    const reads = (yields: boolean, atOnce: number) =>
      SqliteReads.open({ dataDir, yields, atOnce, died, damaged })
    journal.#reads = await reads(false, limits.readsInFlightMax)
    journal.#looks = await reads(true, limits.looksAtOnce)
    journal.#watch = new FileWatch(filesOf(dataDir), died)
    void journal.#readNames()
    return journal
  }

  /** All names are in one snapshot of what is stored, and what is created after it is known already. */
  async #readNames(): Promise<void> {
    const stored = await this.#look('names', {}).catch(() => null)
    if (stored === null) return
    this.#names.addAll(stored)
    this.#knowsNames = true
  }

  #take({ lastKey, damages, wordsFault }: Opened): void {
    this.#keys = new CallKeys(lastKey)
    this.#wordsFault = wordsFault
    for (const damage of damages) this.#damaged(damage)
    if (wordsFault !== null) this.#damaged(wordsFault)
  }

  /** Told once for each row: it is met again by whoever looks at its call. */
  #damaged(damage: string): void {
    if (this.#damages.has(damage)) return
    if (this.#damages.size < limits.damagesKnownMax) this.#damages.add(damage)
    this.#options.onDamaged?.(damage)
  }

  /** Calls that are erased for all who ask, while some of their bytes are still in the files. */
  get erasureBacklog(): number {
    return this.#erasureBacklog
  }

  // --- the journal ------------------------------------------------------------------------------------------------

  isNew(callId: CallId): boolean {
    return this.#knowsNames && !this.#names.mayHold(callId)
  }

  create(callId: CallId): CallStream {
    this.#names.add(callId)
    return this.#known(callId) ?? this.#open(new Stream(callId, this.#keys.next(callId), 0))
  }

  async replay(callId: CallId): Promise<CallHistory | null> {
    const row = await this.#settledRow(callId)
    if (row === null) return null
    if (row.snapshot === null) throw new VoiceStreamError('stored_damage', damagedText)
    const { key, snapshot } = row
    if (snapshot.isSettled) return { stream: this.#streamOf(callId, key, row.version), snapshot, entries: [] }
    // The pending packets first: meanwhile they may be folded, and are then in both.
    const pending = await this.#writes.pendingHeads(key, row.version)
    const entries = await this.#ask('entries', { callKey: key, afterVersion: row.version, pending })
    const version = entries.at(-1)?.version ?? row.version
    return {
      stream: this.#streamOf(callId, key, version),
      snapshot,
      entries: entries.map(({ entry }) => entry),
    }
  }

  async unreadable(callId: CallId): Promise<UnreadableCall | null> {
    const row = await this.#settledRow(callId)
    if (row === null) return null
    const [version, state] = row.snapshot === null ? [0, row.state] : [row.version, row.snapshot.state]
    return { stream: this.#streamOf(callId, row.key, version), state }
  }

  async #settledRow(callId: CallId): Promise<Reads['call']['answer']> {
    await this.#erasures.settled(callId)
    return this.#ask('call', { callId })
  }

  #streamOf(callId: CallId, key: number, version: number): Stream {
    return this.#known(callId) ?? this.#open(new Stream(callId, key, version))
  }

  /** Nothing builds on a stream whose batch has failed. */
  #known(callId: CallId): Stream | undefined {
    const known = this.#streams.get(callId)
    return known?.batch?.state === 'failed' ? undefined : known
  }

  #open(stream: Stream): Stream {
    this.#streams.set(stream.callId, stream)
    return stream
  }

  #release(stream: Stream): void {
    stream.isReleased = true
    if (this.#streams.get(stream.callId) === stream) this.#streams.delete(stream.callId)
  }

  /** Why nothing can be appended to it behind that version; null where it can. */
  #refusal(stream: Stream, expectedVersion: number): VoiceStreamError | null {
    if (this.#fatal !== null) return failedBy(this.#fatal)
    if (!stream.isDead && expectedVersion === stream.version) return null
    return new VoiceStreamError('version_conflict', 'the call has moved on')
  }

  hasRoom(dataBytes: number): boolean {
    return this.commits.hasRoom(dataBytes)
  }

  append(
    handle: CallStream,
    expectedVersion: number,
    entries: readonly JournalEntry[],
    snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void {
    const stream = handle as Stream
    const refusal = this.#refusal(stream, expectedVersion)
    if (refusal !== null) return tellFailed(settlement, refusal)
    assert(stream.version > 0 || snapshot !== null, 'the first append of a call brings a snapshot')
    this.commits.append(stream, entries, snapshot, settlement)
  }

  erase(handle: CallStream, expectedVersion: number, settlement: Settlement): void {
    const stream = handle as Stream
    const refusal = this.#refusal(stream, expectedVersion)
    if (refusal !== null) return tellFailed(settlement, refusal)
    assert(this.commits.hasRoom(0), 'room is asked for before an append')
    this.#release(stream)
    this.commits.erase(stream, this.#erasures.begin(stream.callId, settlement))
  }

  settled(handle: CallStream, settlement: Settlement): void {
    const stream = handle as Stream
    const { batch } = stream
    if (batch !== null && stream.isPending) stream.wait(batch, settlement)
    else if (batch?.state === 'failed')
      tellFailed(settlement, new VoiceStreamError('commit_failed', 'an earlier append failed'))
    else tellCommitted(settlement)
  }

  hasPending(handle: CallStream): boolean {
    return (handle as Stream).isPending
  }

  release(handle: CallStream): void {
    assert(!this.hasPending(handle), 'a stream is released when nothing is pending')
    this.#release(handle as Stream)
  }

  // --- reads ------------------------------------------------------------------------------------------------------

  #ask: SqliteReads['ask'] = (...asked) => this.#reads?.ask(...asked) ?? isNotOpen()

  #look: SqliteReads['ask'] = (...asked) => this.#looks?.ask(...asked) ?? isNotOpen()

  async call(callId: CallId): Promise<StoredCall | DamagedCall | null> {
    return this.#ask('call', { callId })
  }

  calls(query: CallQuery): ReturnType<CallReader['calls']> {
    if (query.search != null && this.#wordsFault !== null) return Promise.reject(noSearch(this.#wordsFault))
    return this.#look('calls', query)
  }

  async packets(callId: CallId, from: number, limit: number, track = 0): Promise<PacketPage> {
    const callKey = await this.#keyOf(callId)
    if (callKey === null) return { packets: [], nextFrom: null, release: () => {} }
    const query = { callKey, from: ordinalOf(track, from), limit }
    const { records, nextFrom, release } = await this.#packets.records(query)
    return {
      packets: packetsOf(records),
      nextFrom: nextFrom === null ? null : sequenceOf(nextFrom),
      release,
    }
  }

  async packetPage(
    callId: CallId,
    from: number,
    limit: number,
    asker: Asker,
    track = 0,
  ): Promise<PacketPageFile | null> {
    const callKey = await this.#keyOf(callId)
    if (callKey === null) return null
    return this.#packets.file({ callKey, from: ordinalOf(track, from), limit }, asker)
  }

  async #keyOf(callId: CallId): Promise<number | null> {
    const known = this.#streams.get(callId)
    // A dead one may have been of a call that was never stored, in the place of one that its erasure has left.
    if (known !== undefined && !known.isDead) return known.key
    return (await this.#ask('call', { callId }))?.key ?? null
  }

  due(after: DueCursor, through: number, limit: number): Promise<readonly DueCall[]> {
    return this.#ask('due', { after, through, limit })
  }

  ended(after: EndedCursor, through: Millis, limit: number): Promise<readonly EndedCall[]> {
    return this.#ask('ended', { after, through, limit })
  }

  lastEnded(limit: number): Promise<readonly CallId[]> {
    return this.#ask('lastEnded', { limit })
  }

  transcript(query: TranscriptQuery, asker: Asker): Promise<Uint8Array | null> {
    return this.#look('transcript', query, asker)
  }

  keptOf(callId: CallId): Promise<readonly KeptPart[]> {
    return this.#ask('kept', { callId })
  }

  stateCounts(): Promise<Readonly<Record<CallState, number>>> {
    return this.#ask('stateCounts', {})
  }

  // --- the end ----------------------------------------------------------------------------------------------------

  #end(error: Error): void {
    if (this.#fatal !== null || this.#isClosed) return
    this.#fatal = error
    this.#writes.abandon(error)
    this.commits.stop(failedBy(error))
    this.#options.onFatal(error)
  }

  /**
   * Settles what is pending, folds the tail, checkpoints and unlocks. Rejects when that cannot be done: no thread is left
   * then either, the log stays as it is, and the next start recovers.
   */
  async close(): Promise<void> {
    this.#watch?.stop()
    if (this.#fatal === null) await this.commits.flushed()
    await Promise.all([this.#reads?.close(), this.#looks?.close()])
    try {
      if (this.#fatal === null) await this.#writes.close()
    } finally {
      this.#isClosed = true
      await this.#writes.end()
    }
  }
}
