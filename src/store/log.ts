/**
 * The log that several machines share: one order of messages for all of them, each message on a subject.
 *
 * - **Order.** Every message has the next sequence of the whole log, so sequences are dense; nothing stored ever changes.
 * - **Durability.** `stored` is said after the message is on the disks of a majority.
 * - **Guard.** An append names the last sequence of its subject. The log stores it only where that is true, and decides
 *   about the appends to a subject one after the other. So a message is stored only if its writer knew all before it there.
 * - **Idempotency.** An append with an id that was stored within `duplicateMs` stores nothing and says where the first one
 *   is. A later one is refused by its guard, because its expectation is old.
 * - **Unknown outcomes.** An attempt may be stored although its outcome is `unknown`, and even after it was told so:
 *   on its way it may be overtaken. `AppendPath` makes certain of it, with the same id and expectation.
 * - **Full.** A log that is full stores nothing, which is an `unknown` outcome with its reason: it drops nothing.
 *
 * Every implementation passes `test/contract/log-contract.ts`.
 */
import type { Millis } from '../clock.js'

/** The log remembers ids for so long. */
export const duplicateMs = 60_000

export interface LogAppend {
  readonly subject: string
  /** The subject's last sequence, 0 for a subject without messages. */
  readonly expected: number
  /** Of the message, whatever the number of attempts. */
  readonly id: string
  readonly body: Uint8Array
}

export type AppendOutcome =
  /** By this attempt or by an earlier one with the same id. */
  | { readonly kind: 'stored'; readonly at: number }
  /** Nothing was stored by this attempt: `last` is the last sequence of the subject, 0 where it holds no message. */
  | { readonly kind: 'refused'; readonly last: number }
  | { readonly kind: 'unknown'; readonly reason: string }

export interface LogMessage {
  readonly sequence: number
  readonly subject: string
  readonly id: string
  /** When the log stored it, by the log's own clock. */
  readonly storedAt: Millis
  readonly body: Uint8Array
}

export interface LogFollower {
  take(message: LogMessage): void
  /** What comes next was trimmed: `first` is the first message that is held. Nothing more is taken. */
  trimmed(first: number): void
  /** The log ends at `last`, before what this follower has: it lost messages, or it is another log. Nothing more is taken. */
  lost(last: number): void
}

export interface Log {
  /** One attempt. `settled` is called once, later than this call. */
  append(attempt: LogAppend, settled: (outcome: AppendOutcome) => void): void
  /** Each message behind `after`, in order, once, and then those to come. The returned function ends it. */
  follow(after: number, follower: LogFollower): () => void
  /** Messages through this sequence are dropped, and their bytes with them. */
  trim(through: number): Promise<void>
}
