/** The messages to and from the writer and reader threads: plain data and transferred buffers only. */
import type { CallState } from '../../protocol/call.js'
import type { CallId } from '../../protocol/call-id.js'
import type { MatchPart } from '../../protocol/search.js'
import type {
  CallQuery,
  CallSnapshot,
  DueCall,
  DueCursor,
  EndedCall,
  EndedCursor,
  KeptPart,
  LifecycleEntry,
  PacketPageFile,
  ReplayEntry,
} from '../journal.js'
import type { TranscriptQuery } from '../transcript-file.js'

export interface WriterData {
  readonly dataDir: string
  readonly acceptDataLoss: boolean
  readonly now: number
  readonly dueWithin: Readonly<Partial<Record<CallState, number>>>
}

export interface CallRow {
  readonly key: number
  readonly callId: CallId
  readonly version: number
  readonly snapshot: CallSnapshot
}

export interface LifecycleRow {
  readonly callKey: number
  readonly version: number
  readonly type: LifecycleEntry['type']
  readonly entry: string
  /** Its parts that no call remembers. */
  readonly text: string | null
}

export interface WriteBatch {
  readonly type: 'batch'
  readonly id: number
  readonly records: ArrayBuffer
  readonly packets: number
  readonly calls: readonly CallRow[]
  readonly lifecycle: readonly LifecycleRow[]
  /** Keys of calls that are erased, before anything else is written. */
  readonly erasures: readonly number[]
}

/** A page of a call's packets. */
export interface PacketQuery {
  readonly callKey: number
  /** An ordinal, which names the track, too. */
  readonly from: number
  readonly limit: number
}

export type ToWriter =
  | WriteBatch
  /** Both ask for what is committed of a call and not in its runs yet. */
  | ({ readonly type: 'pending-page'; readonly id: number } & PacketQuery)
  | {
      readonly type: 'pending-heads'
      readonly id: number
      readonly callKey: number
      readonly afterVersion: number
    }
  /** Moves everything into the database and marks it as closed. */
  | { readonly type: 'close' }
  /** After `closed`: ends the connection, the lock and the thread. */
  | { readonly type: 'end' }

export interface Committed {
  readonly type: 'committed'
  readonly id: number
  readonly commitMs: number
  readonly tailBytes: number
  readonly walPages: number
}

export interface Opened {
  /** The highest key that is taken; 0 for none. */
  readonly lastKey: number
  /** Rows that were read on the way and are not what was written. */
  readonly damages: readonly string[]
  /** Why nothing can be searched for; null when it can. */
  readonly wordsFault: string | null
}

export type FromWriter =
  | ({ readonly type: 'opened' } & Opened)
  /** `isOpen`: the database has been opened for writing. */
  | { readonly type: 'refused'; readonly message: string; readonly isOpen: boolean }
  | Committed
  /** `isFatal`: what the file holds is unknown, and the process must not go on. */
  | {
      readonly type: 'failed'
      readonly id: number
      readonly code: string
      readonly message: string
      readonly isFatal: boolean
    }
  | {
      readonly type: 'checkpoint-failed'
      readonly code: string
      readonly message: string
      readonly isFatal: boolean
    }
  /** Of heads there is one page. */
  | ({ readonly type: 'pending'; readonly id: number } & RecordPage)
  /** Of that call, because they were stored already. */
  | { readonly type: 'dropped'; readonly callId: string; readonly packets: number }
  /** Rows that were read and are not what was written. */
  | { readonly type: 'damaged'; readonly damage: string }
  /** So many erased calls have left bytes in the files. */
  | { readonly type: 'erasing'; readonly calls: number }
  | { readonly type: 'close-failed'; readonly message: string }
  | { readonly type: 'closed' }

export interface RecordPage {
  /** Packet records, one behind the other, by ascending ordinal. */
  readonly records: Uint8Array<ArrayBuffer>
  /** The ordinal at which the next page starts, or null when this one was the last of its track. */
  readonly nextFrom: number | null
}

export interface VersionedEntry {
  readonly version: number
  readonly entry: ReplayEntry
  /** A packet that is not folded yet. */
  readonly isInTail?: true
}

export interface StoredCallRow {
  readonly key: number
  readonly callId: CallId
  readonly version: number
  readonly snapshot: CallSnapshot
}

/** Its row cannot be read as it was written. */
export interface DamagedCallRow {
  readonly key: number
  readonly callId: CallId
  readonly state: CallState | null
  readonly snapshot: null
}

export interface FoundCallRow extends StoredCallRow {
  readonly match?: readonly MatchPart[]
}

/** Each read and its answer. */
export interface Reads {
  call: { query: { callId: CallId }; answer: StoredCallRow | DamagedCallRow | null }
  /** `pending`: what was in the tail of the call's packets, before anything was read here. It is transferred. */
  entries: {
    query: { callKey: number; afterVersion: number; pending: RecordPage }
    answer: readonly VersionedEntry[]
  }
  calls: {
    query: CallQuery
    answer: { calls: readonly (FoundCallRow | DamagedCallRow)[]; nextCursor: number | null }
  }
  /** `into`: memory for the answer, which comes back with it. */
  packets: { query: PacketQuery & { pending: RecordPage; into: ArrayBuffer | null }; answer: RecordPage }
  packetPage: { query: PacketQuery & { pending: RecordPage }; answer: PacketPageFile }
  due: { query: { after: DueCursor; through: number; limit: number }; answer: readonly DueCall[] }
  ended: { query: { after: EndedCursor; through: number; limit: number }; answer: readonly EndedCall[] }
  lastEnded: { query: { limit: number }; answer: readonly CallId[] }
  transcript: { query: TranscriptQuery; answer: Uint8Array<ArrayBuffer> | null }
  kept: { query: { callId: CallId }; answer: readonly KeptPart[] }
  /** A filter of all names (`CallNames`). Null where they cannot be read. */
  names: { query: Record<string, never>; answer: Uint32Array<ArrayBuffer> | null }
  stateCounts: { query: Record<string, never>; answer: Readonly<Record<CallState, number>> }
}

export type ReadName = keyof Reads

export type Question = {
  [Name in ReadName]: { readonly id: number; readonly name: Name; readonly query: Reads[Name]['query'] }
}[ReadName]

export type Reply =
  | { readonly id: number; readonly answer: unknown }
  /** `isDamage`: what is stored is not what was written. */
  | { readonly id: number; readonly failure: string; readonly isDamage: boolean }

/** A reader thread is made with it. */
export interface ReaderData {
  readonly dataDir: string
  /** Gets what other threads leave of a busy core: nobody waits for what it reads but who asked. */
  readonly yields: boolean
}

/** Questions of one turn of the loop go together, and so do their replies: a message costs more than most reads. */
export type ToReader =
  | { readonly type: 'ask'; readonly questions: readonly Question[] }
  | { readonly type: 'close' }

export type FromReader =
  | { readonly type: 'opened' }
  /** `damaged`: what was met that is not what was written. */
  | {
      readonly type: 'replies'
      readonly replies: readonly Reply[]
      readonly damaged: readonly string[]
    }
  | { readonly type: 'closed' }

export interface CheckpointerData {
  readonly dataDir: string
  /** The database file, open in this process. */
  readonly databaseFd: number
}

export type ToCheckpointer = { readonly type: 'checkpoint' } | { readonly type: 'close' }

export type FromCheckpointer =
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
