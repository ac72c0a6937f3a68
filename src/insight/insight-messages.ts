/** What the main thread and the one that listens tell each other beside the packets. */
import type { RaisedAlert } from '../protocol/alert.js'
import type { KnownAlert } from './alert-book.js'
import type { InsightFacts } from './call-insight.js'
import type { TrackMedia } from './heard-track.js'
import type { RingMemory } from './packet-ring.js'
import type { TalkTerms } from './talk-rules.js'

export interface InsightData {
  readonly memory: RingMemory
  readonly terms: TalkTerms
}

/** The data of a `track` record, as JSON: it comes before the first packet of the track, and makes the call where it is new. */
export interface TrackOpening {
  readonly media: TrackMedia
  /** Of its first voice. */
  readonly channel: number
  /** Of the call. */
  readonly known: readonly KnownAlert[]
}

/** All are about what comes after the packets that are shown by then. */
export type ToInsight =
  | { readonly type: 'more' }
  | { readonly type: 'close-track'; readonly call: number; readonly track: number }
  | { readonly type: 'end'; readonly call: number }
  | { readonly type: 'forget-all' }
  | { readonly type: 'facts'; readonly call: number; readonly ask: number }

export type AlertNews =
  | { readonly type: 'raised'; readonly call: number; readonly alert: RaisedAlert }
  | { readonly type: 'cleared'; readonly call: number; readonly alertId: string; readonly toMs: number }

export type FromInsight =
  | { readonly type: 'news'; readonly news: readonly AlertNews[] }
  | { readonly type: 'facts'; readonly ask: number; readonly facts: InsightFacts | null }
