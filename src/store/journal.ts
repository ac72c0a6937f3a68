/**
 * The journal: the truth about calls, as an ordered stream of entries for each.
 *
 * - **Order.** Entries of a call are stored in the order of their appends. Settlements are told in commit order.
 * - **Durability.** A settlement is told as committed after the fsync of the commit that holds the append (V3).
 * - **Failure.** After a failed commit everything that was appended and not committed is told `failed`, and its
 *   streams are dead: the caller replays them (V6). Nothing of a failed append is ever found by a later replay.
 * - **Concurrency.** An append names the version that it builds on. If the call has moved on, it is told `failed` with
 *   `version_conflict`, and the caller replays. No caller may assume that it is the only writer of a call.
 * - **Full.** `hasRoom` is asked before an append; an append without room is a fault of the caller.
 * - **Erasure.** `erase` is settled like an append, in its place among them. Once it is committed no read or replay
 *   finds anything of the call, and a crash leaves either the whole call or nothing of it. Until then its replay waits. A
 *   call of the same name that comes later is another call.
 *
 * Every implementation passes `test/contract/journal-contract.ts`.
 */

import type { Millis } from '../clock.js'
import type { VoiceStreamError } from '../errors.js'
import type { RaisedAlert } from '../protocol/alert.js'
import type { AnalysisDigest, WordsDigest } from '../protocol/analysis.js'
import type { CallState, CompletionReason, ExpectedTotals } from '../protocol/call.js'
import type { DetailFilter } from '../protocol/call-details.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallDetails } from '../protocol/media.js'
import type { MatchPart, SearchTerm } from '../protocol/search.js'
import type { TranscriptQuery } from './transcript-file.js'

/** A packet, or a block of them: as many of equal length, whose numbers follow each other. */
export interface PacketEntry {
  readonly type: 'packet'
  /** Of the call's tracks; 0 where it is absent. */
  readonly track?: number
  /** Of the first one. */
  readonly sequence: number
  /** How many; 1 where it is absent. */
  readonly count?: number
  /** One behind the other, copied by the append: UTF-8, or the bytes of a codec. */
  readonly data: Uint8Array
  /** Whether the data are bytes of a codec; false where it is absent. */
  readonly isRaw?: boolean
  /** Seconds, the sender's clock. */
  readonly timestamp: number
  readonly receivedAt: Millis
}

/** The platform has ended the stream, or closed its socket, or it was lost. */
export type LegEnd = 'stopped' | 'closed' | 'lost'

/** An event on a leg beside its packets. Digits are counted and never kept. */
export interface Note {
  readonly kind: 'dtmf' | 'mark' | 'paused' | 'resumed' | 'held' | 'hangup' | 'skipped'
  /** Absent where it is of the call. */
  readonly leg?: string
  /** Where it is of one track alone. */
  readonly track?: number
  /** Of a mark, as the platform names it; of skipped packets, why; of a hang-up, its cause; else who. */
  readonly text?: string
  readonly packets?: number
}

/** Events of a call's life. The call machine takes them as its events, living and replaying alike (V5). */
export type LifecycleEntry =
  /** The PBX has said what the call is: all of it, in place of what it has said before. */
  | { readonly type: 'described'; readonly at: Millis; readonly details: CallDetails }
  | (ExpectedTotals & {
      readonly type: 'completed'
      readonly at: Millis
      readonly reason: CompletionReason
      /** The end of the grace period. */
      readonly dueAt: Millis
    })
  /** A media stream of the call begins: its voices come into these tracks, from these numbers on. */
  | {
      readonly type: 'leg-started'
      readonly at: Millis
      readonly leg: string
      readonly dialect: string
      /** Of the process that has the socket. */
      readonly run: string
      readonly tracks: readonly { readonly track: number; readonly base: number }[]
    }
  | {
      readonly type: 'leg-ended'
      readonly at: Millis
      readonly leg: string
      readonly why: LegEnd
      /** Packets of each of its tracks, where the platform's numbers prove it. */
      readonly totals: readonly (number | null)[] | null
      /** Where it was the last one: the end of the time within which another one may come. */
      readonly dueAt: Millis | null
    }
  | { readonly type: 'noted'; readonly at: Millis; readonly note: Note }
  /** Something is wrong with the sound of the call, as it is heard while it runs. */
  | { readonly type: 'alert-raised'; readonly at: Millis; readonly alert: RaisedAlert }
  | {
      readonly type: 'alert-cleared'
      readonly at: Millis
      readonly alertId: string
      /** Milliseconds of audio from the start of the call. */
      readonly toMs: number
    }
  | {
      readonly type: 'alert-acknowledged'
      readonly at: Millis
      readonly alertId: string
      /** The name of the credential; null where there are none. */
      readonly by: string | null
      readonly note: string | null
    }
  | { readonly type: 'grace-over'; readonly at: Millis }
  /** The PBX has said that the call has no packets, so nothing is analysed. */
  | { readonly type: 'no-audio'; readonly at: Millis }
  | {
      readonly type: 'attempt-started'
      readonly at: Millis
      readonly attempt: number
      readonly provider: string
    }
  | {
      readonly type: 'attempt-failed'
      readonly at: Millis
      readonly attempt: number
      readonly error: string
      /** Taken from the budget: the attempt and the wait that follows it. */
      readonly spentMs: number
      readonly nextAttemptAt: Millis
    }
  /** The attempt failed because the provider is down for everybody: it does not count, and the call waits. */
  | {
      readonly type: 'attempt-released'
      readonly at: Millis
      readonly attempt: number
      readonly error: string
    }
  /** A result of a step of an analysis, so that it is not asked for again. A later entry of the same key replaces it. */
  | {
      readonly type: 'analysis-kept'
      readonly at: Millis
      readonly attempt: number
      readonly key: string
      readonly text: string
      /** A step is done: the attempt is the first one at the next step, with a budget of its own. */
      readonly isStep: boolean
    }
  /** `text` is the whole transcript (`writeTranscript`): megabytes, that only who reads it needs. */
  | {
      readonly type: 'analysed'
      readonly at: Millis
      readonly digest: AnalysisDigest
      readonly text: string
    }
  /** The words of the call while their meaning is not known (yet). The last of these two is the call's transcript. */
  | {
      readonly type: 'heard'
      readonly at: Millis
      readonly digest: WordsDigest
      readonly text: string
    }
  | { readonly type: 'analysis-failed'; readonly at: Millis; readonly error: string }
  /** An administrator has the analysis made again. */
  | { readonly type: 'redriven'; readonly at: Millis }

export type JournalEntry = PacketEntry | LifecycleEntry

type WithoutText<Entry> = Entry extends { readonly text: string } ? Omit<Entry, 'text'> : Entry

/** The part of an entry that a call remembers. */
export type LifecycleFacts = WithoutText<LifecycleEntry>

/** In the place of a packet that its call had already: it stands for the version alone. */
export interface DroppedPacket {
  readonly type: 'dropped'
  readonly sequence: number
}

/** An entry as a replay needs it: only what the call remembers. */
export type ReplayEntry =
  | Pick<PacketEntry, 'type' | 'track' | 'sequence' | 'count' | 'receivedAt'>
  | LifecycleFacts
  | DroppedPacket

/** Without what is long and nobody needs to live through it. */
export function factsOf(entry: LifecycleEntry): LifecycleFacts {
  if (!('text' in entry)) return entry
  const { text: _, ...facts } = entry
  return facts
}

/** A shortcut for replay, never the truth. `body` is the call's own, opaque here. */
export interface CallSnapshot {
  readonly state: CallState
  readonly createdAt: Millis
  /** The call's next deadline, indexed. */
  readonly dueAt: Millis | null
  /** When the call reached its end; indexed, for those that are kept for a time only. */
  readonly endedAt: Millis | null
  /** Nothing was appended after it: it may be read instead of a replay. */
  readonly isSettled: boolean
  readonly body: string
}

/** A handle on one call's entries. Its version grows with every append, but need not be dense. */
export interface CallStream {
  readonly callId: CallId
  readonly version: number
}

export interface ReplyTo<Answer> {
  /** Nobody waits for the answer, so the commit may gather what comes within some milliseconds. */
  readonly isPatient?: true
  answered(answer: Answer): void
  failed(error: VoiceStreamError): void
}

/** The call that has appended. */
export interface SettledCall {
  /** It passes on what is committed: to the feed, the deadlines, the counts. */
  committed(facts: unknown): void
  /** Its memory is ahead of the journal (V6). */
  failed(): void
}

/**
 * What is told once an append is settled: a record that lies in the batch until then. Of a commit the asker is told first,
 * and then the call; of a failure first the call, which is dropped, and then the asker. Made by `settlementOf`.
 */
export interface Settlement {
  readonly replyTo: ReplyTo<unknown>
  readonly answer: unknown
  /** Null where nothing has changed that anybody else would be told of. */
  readonly call: SettledCall | null
  readonly facts: unknown
}

export function settlementOf<Answer>(
  replyTo: ReplyTo<Answer>,
  answer: Answer,
  call: SettledCall | null = null,
  facts: unknown = null,
): Settlement {
  return { replyTo, answer, call, facts }
}

export function tellCommitted({ replyTo, answer, call, facts }: Settlement): void {
  replyTo.answered(answer)
  if (call !== null) call.committed(facts)
}

export function tellFailed({ replyTo, call }: Settlement, error: VoiceStreamError): void {
  if (call !== null) call.failed()
  replyTo.failed(error)
}

export interface CallHistory {
  readonly stream: CallStream
  readonly snapshot: CallSnapshot
  /** Appended after the snapshot, in order. Packets that follow each other may be one entry, with the time of the last. */
  readonly entries: readonly ReplayEntry[]
}

export interface Journal {
  /** Known without a look: the journal does not hold the call, and nothing of it is under way. False where it may. */
  isNew(callId: CallId): boolean
  /** A handle on a call that the journal does not hold. Nothing is stored before the first append. */
  create(callId: CallId): CallStream
  /** The history that a call starts from; null when the journal does not hold it. Rejects with `stored_damage`. */
  replay(callId: CallId): Promise<CallHistory | null>
  /** Of a call whose replay is refused as damaged: a handle that is good for its erasure. Null where there is none. */
  unreadable(callId: CallId): Promise<UnreadableCall | null>
  hasRoom(dataBytes: number): boolean
  /** The first append of a call must bring a snapshot. `entries` may be empty where only the snapshot is new. */
  append(
    stream: CallStream,
    expectedVersion: number,
    entries: readonly JournalEntry[],
    snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void
  /**
   * Takes the call out of the journal, with all that was appended to it. The handle is dead from here on. What the call
   * held may stay readable in the files for up to a minute after it is committed, restarts included.
   */
  erase(stream: CallStream, expectedVersion: number, settlement: Settlement): void
  /** Tells `settlement` once everything appended to the stream so far is settled: at once if nothing is pending. */
  settled(stream: CallStream, settlement: Settlement): void
  hasPending(stream: CallStream): boolean
  /** The caller is done with the handle; nothing may be pending. */
  release(stream: CallStream): void
}

export interface UnreadableCall {
  readonly stream: CallStream
  /** As the indexes have it. */
  readonly state: CallState | null
}

export interface StoredPacket {
  /** 0 where it is absent. */
  readonly track?: number
  readonly sequence: number
  /** Whether the data are bytes of a codec; false where it is absent. */
  readonly isRaw?: boolean
  readonly data: Uint8Array
  readonly timestamp: number
  readonly receivedAt: Millis
}

export interface StoredCall {
  readonly callId: CallId
  readonly snapshot: CallSnapshot
}

/** A call whose stored rows are not what was written. Its name and, if it is known, its state are what indexes say. */
export interface DamagedCall {
  readonly callId: CallId
  readonly state: CallState | null
  readonly snapshot: null
}

export type CallOrder = 'newest' | 'oldest'

export interface CallQuery {
  readonly state: CallState | null
  /** Calls of which all of this was said. */
  readonly details?: readonly DetailFilter[]
  /** Calls that were created at this time or later, and before that one. */
  readonly from?: Millis | null
  readonly before?: Millis | null
  /** Calls in whose transcript all of this is said. */
  readonly search?: readonly SearchTerm[] | null
  /** Newest first, where it is absent. */
  readonly order?: CallOrder
  /** The `nextCursor` of the page before, or null. */
  readonly cursor: number | null
  readonly limit: number
}

export interface FoundCall extends StoredCall {
  /** Where the call was searched for: a part of its transcript with what was found. */
  readonly match?: readonly MatchPart[]
}

export interface DueCursor {
  readonly dueAt: Millis
  /** Orders calls that are due at the same time. */
  readonly key: number
}

export interface DueCall extends DueCursor {
  readonly callId: CallId
}

export interface EndedCursor {
  readonly endedAt: Millis
  /** Orders calls that ended at the same time. */
  readonly key: number
}

export interface EndedCall extends EndedCursor {
  readonly callId: CallId
}

export interface PacketPageFile {
  readonly text: Uint8Array<ArrayBuffer>
  /** Of the packets in it. */
  readonly count: number
  readonly nextFrom: number | null
}

export interface KeptPart {
  readonly key: string
  readonly text: string
}

/** The client that waits for a read. A read whose asker has gone is dropped, and rejected with `timed_out`. */
export interface Asker {
  readonly isGone: boolean
}

/** Reads what is committed. Bounded answers only; every page says where the next one starts. */
export interface PacketPage {
  readonly packets: readonly StoredPacket[]
  readonly nextFrom: number | null
  /** Says that nothing of its packets is used any more: their memory serves the next page. */
  release(): void
}

export interface CallReader {
  call(callId: CallId): Promise<StoredCall | DamagedCall | null>
  /** Newest first. Ends early at a bound, of bytes or of calls that were looked at; then it may be empty. */
  calls(query: CallQuery): Promise<{ calls: readonly (FoundCall | DamagedCall)[]; nextCursor: number | null }>
  /** Of a track (0), ascending from sequence `from`; ends early at a bound of bytes, but never before the first packet. */
  packets(callId: CallId, from: number, limit: number, track?: number): Promise<PacketPage>
  /** Such a page as a file to be sent, made by who reads it. Null when there is no such call. */
  packetPage(
    callId: CallId,
    from: number,
    limit: number,
    asker: Asker,
    track?: number,
  ): Promise<PacketPageFile | null>
  /** Deadlines behind `after` up to `through`, earliest first. */
  due(after: DueCursor, through: Millis, limit: number): Promise<readonly DueCall[]>
  /** Calls that ended behind `after` up to `through`, the first to end first. */
  ended(after: EndedCursor, through: Millis, limit: number): Promise<readonly EndedCall[]>
  /** The calls that ended last, the last one first. */
  lastEnded(limit: number): Promise<readonly CallId[]>
  /** As a file to be sent, made by who reads it. Null when the call has none. */
  transcript(query: TranscriptQuery, asker: Asker): Promise<Uint8Array | null>
  /** Results that its analyses have kept, in the order of their appends; the writer of the entries bounds them. */
  keptOf(callId: CallId): Promise<readonly KeptPart[]>
  stateCounts(): Promise<Readonly<Record<CallState, number>>>
}
