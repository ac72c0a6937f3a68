/** The journal in memory with the faults that a test asks for: no room, replays that wait, a record of all appends. */
import type { Millis } from '../../src/clock.js'
import type { CallId } from '../../src/protocol/call-id.js'
import type {
  CallHistory,
  CallQuery,
  CallSnapshot,
  CallStream,
  JournalEntry,
  Settlement,
  StoredCall,
} from '../../src/store/journal.js'
import { MemoryJournal } from './memory-journal.js'

export interface RecordedAppend {
  readonly callId: CallId
  readonly entries: readonly JournalEntry[]
  readonly snapshot: CallSnapshot | null
}

export class HeldJournal extends MemoryJournal {
  readonly appends: RecordedAppend[] = []
  /** Of the last call of each name. */
  readonly createdAt = new Map<CallId, Millis>()
  isFull = false
  /** Commits that are to fail, from the next one on. */
  failures = 0
  replays = 0
  /** While it is set, replays wait for it. */
  replayGate: Promise<void> | null = null
  replayError: Error | null = null
  /** While it is set, the calls that a read has found stay on their way until then. */
  readGate: Promise<void> | null = null
  heldReads = 0

  override hasRoom(): boolean {
    return !this.isFull && super.hasRoom()
  }

  override commit(): void {
    if (this.failures === 0) return super.commit()
    this.failures--
    this.fail()
  }

  override async replay(callId: CallId): Promise<CallHistory | null> {
    this.replays++
    await this.replayGate
    if (this.replayError !== null) throw this.replayError
    return super.replay(callId)
  }

  override async call(callId: CallId): Promise<StoredCall | null> {
    const found = structuredClone(await super.call(callId))
    if (found !== null) await this.#held()
    return found
  }

  override async calls(query: CallQuery): ReturnType<MemoryJournal['calls']> {
    const found = structuredClone(await super.calls(query))
    if (found.calls.length > 0) await this.#held()
    return found
  }

  async #held(): Promise<void> {
    if (this.readGate === null) return
    this.heldReads++
    await this.readGate
  }

  override append(
    stream: CallStream,
    expectedVersion: number,
    entries: readonly JournalEntry[],
    snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void {
    this.appends.push({ callId: stream.callId, entries, snapshot })
    if (snapshot !== null) this.createdAt.set(stream.callId, snapshot.createdAt)
    super.append(stream, expectedVersion, entries, snapshot, settlement)
  }
}
