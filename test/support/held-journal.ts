/** The journal in memory with the faults that a test asks for: no room, replays that wait, a record of all appends. */
import type { CallId } from '../../src/protocol/call-id.js'
import type {
  CallHistory,
  CallSnapshot,
  CallStream,
  JournalEntry,
  Settlement,
} from '../../src/store/journal.js'
import { MemoryJournal } from '../../src/store/memory-journal.js'

export interface RecordedAppend {
  readonly callId: CallId
  readonly entries: readonly JournalEntry[]
  readonly snapshot: CallSnapshot | null
}

export class HeldJournal extends MemoryJournal {
  readonly appends: RecordedAppend[] = []
  isFull = false
  /** Commits that are to fail, from the next one on. */
  failures = 0
  replays = 0
  /** While it is set, replays wait for it. */
  replayGate: Promise<void> | null = null
  replayError: Error | null = null

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

  override append(
    stream: CallStream,
    expectedVersion: number,
    entries: readonly JournalEntry[],
    snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void {
    this.appends.push({ callId: stream.callId, entries, snapshot })
    super.append(stream, expectedVersion, entries, snapshot, settlement)
  }
}
