/**
 * The journal as one call sees it. Owns what the journal's row of the call says, or will say once all that was appended is
 * committed; so it knows when an append brings a snapshot, and whether a passivation has anything to write.
 */
import { limits } from '../limits.js'
import type {
  CallStream,
  Journal,
  JournalEntry,
  LifecycleEntry,
  PacketEntry,
  Settlement,
} from '../store/journal.js'
import type { CallMachineSnapshot } from './call-machine.js'
import { snapshotOf } from './call-replay.js'

export class CallJournal {
  readonly #journal: Journal
  readonly #stream: CallStream
  #isNew: boolean
  /** The row shows all that was appended. */
  #isSettled: boolean
  /** Duplicates are not journaled, so a passivation writes their count even where nothing else has changed. */
  #duplicates: number
  #packetsSinceSnapshot = 0

  /** `replayed` is what the call starts from, or null for a new one. */
  constructor(
    journal: Journal,
    stream: CallStream,
    replayed: CallMachineSnapshot | null,
    isSettled: boolean,
  ) {
    this.#journal = journal
    this.#stream = stream
    this.#isNew = replayed === null
    this.#isSettled = isSettled
    this.#duplicates = replayed?.context.duplicateCount ?? 0
  }

  /** Nothing was appended: there is no call without what comes now. */
  get isNew(): boolean {
    return this.#isNew
  }

  hasRoom(dataBytes: number): boolean {
    return this.#journal.hasRoom(dataBytes)
  }

  /** Tells `settlement` once everything appended so far is settled. */
  settled(settlement: Settlement): void {
    this.#journal.settled(this.#stream, settlement)
  }

  appendPackets(state: CallMachineSnapshot, entries: readonly PacketEntry[], settlement: Settlement): void {
    const needsSnapshot =
      this.#isNew || this.#isSettled || ++this.#packetsSinceSnapshot >= limits.snapshotPackets
    if (needsSnapshot) this.#appendWithSnapshot(state, entries, false, settlement)
    else this.#journal.append(this.#stream, this.#stream.version, entries, null, settlement)
  }

  /** `state` is where `entries` have led to. */
  append(state: CallMachineSnapshot, entries: readonly LifecycleEntry[], settlement: Settlement): void {
    // Nothing but duplicates can come after the end, and they are not journaled.
    const isSettled = state.value === 'ARCHIVED' || state.value === 'FAILED'
    this.#appendWithSnapshot(state, entries, isSettled, settlement)
  }

  /** The call's row already says all that there is. */
  isPassive(state: CallMachineSnapshot): boolean {
    return this.#isSettled && state.context.duplicateCount === this.#duplicates
  }

  passivate(state: CallMachineSnapshot, settlement: Settlement): void {
    this.#appendWithSnapshot(state, [], true, settlement)
  }

  erase(settlement: Settlement): void {
    this.#journal.erase(this.#stream, this.#stream.version, settlement)
  }

  #appendWithSnapshot(
    state: CallMachineSnapshot,
    entries: readonly JournalEntry[],
    isSettled: boolean,
    settlement: Settlement,
  ): void {
    this.#isNew = false
    this.#packetsSinceSnapshot = 0
    this.#isSettled = isSettled
    this.#duplicates = state.context.duplicateCount
    this.#journal.append(
      this.#stream,
      this.#stream.version,
      entries,
      snapshotOf(state, isSettled),
      settlement,
    )
  }
}
