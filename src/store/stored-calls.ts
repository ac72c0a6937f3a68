/**
 * A database of calls as somebody else's: read-only, beside the service that writes it, or of a backup. For the commands
 * that check, copy and export; the service itself reads through `CallReader`.
 *
 * - Nothing is ever written, and no snapshot of a live database is held for longer than a slice (about a second) except
 *   by `integrityFaults` and by a copy, which cannot be divided.
 * - **Damage** is an answer where it can be named, and a `StoredDamage` where it stands in the way.
 */
import type { StoredDamage } from '../errors.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallSnapshot, ReplayEntry, StoredPacket } from './journal.js'

export interface StoredEntry {
  readonly version: number
  readonly entry: ReplayEntry
  /** A packet that is not folded yet. */
  readonly isInTail?: true
}

/** A call with everything that was ever appended to it. */
export interface StoredHistory {
  readonly callId: CallId
  readonly snapshot: CallSnapshot
  /** The snapshot holds everything up to this version. */
  readonly snapshotVersion: number
  /** From the first on, by version: to be read before the next history is asked for. May throw `StoredDamage`. */
  readonly entries: Iterable<StoredEntry>
  /** What is wrong with its rows and cannot be seen in its entries. */
  rowFaults(): readonly string[]
}

/** A call as it was when it was asked for, whatever comes later: each iteration gives the same. */
export interface StoredCallContent extends StoredHistory {
  /** By ascending sequence. May throw `StoredDamage`. */
  readonly packets: Iterable<StoredPacket>
}

export interface StoredCalls {
  readonly path: string
  readonly schemaVersion: number
  /** Of the database file. */
  readonly bytes: number
  callCount(): number
  /** What the files show before anything is read, where no service has them open: a log that is damaged or gone. */
  logFaults(): readonly string[]
  /** SQLite's own check of the whole file, off this thread. */
  integrityFaults(): Promise<readonly string[]>
  /** Of all calls, in the order of their creation. `damaged` is told of a call of which nothing can be said, and of what belongs to none. */
  histories(damaged: (fault: StoredDamage, callId?: CallId) => void): Iterable<StoredHistory>
  /** What belongs to no call. */
  strayFaults(): readonly string[]
  call(callId: CallId): StoredCallContent | null
  close(): void
}
