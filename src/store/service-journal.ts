/** The journal as the service uses it: what calls append and people read, and the figures by which it sheds load. */
import type { CallReader, Journal } from './journal.js'

/** What waits for its commit, and how long commits take. */
export interface CommitQueue {
  /** Appends whose settlement has not been told. Asked for each line of a bulk request. */
  readonly queuedEntries: number
  /** Those that wait for the next commit, and the bytes of their packets. */
  readonly openEntries: number
  readonly openBytes: number
  /** For so long the oldest append has waited for its settlement, in milliseconds; 0 when none does. */
  readonly lagMs: number
  /** What a commit takes at present, in milliseconds. */
  readonly commitMs: number
}

export interface ServiceJournal extends Journal, CallReader {
  readonly commits: CommitQueue
  /** Calls that are erased for all who ask, while some of their bytes are still in the files. */
  readonly erasureBacklog: number
  /** Settles what is pending, and leaves files that the next start needs not recover. Rejects when that cannot be done. */
  close(): Promise<void>
}
