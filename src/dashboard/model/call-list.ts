/** The list of calls as one viewer wants it: which, in which order. Pure. */
import type { CallState } from '../../protocol/call.js'
import type { CallRecord } from './call-record.js'
import type { Lens } from './lens.js'
import { matcherOfSearch, parseTokens } from './search-tokens.js'

export type StateFilter = 'current' | 'all' | CallState
export const sortKeys = [
  'agent',
  'queue',
  'caller',
  'state',
  'started',
  'duration',
  'packets',
  'loss',
  'last',
  'sentiment',
  'call',
] as const
export type SortKey = (typeof sortKeys)[number]

export interface ListQuery {
  readonly filter: StateFilter
  readonly search: string
  /** Those on the floor are here; all that are stored the service knows. */
  readonly scope: 'floor' | 'history'
  /** Days of the history, in the viewer's zone, both included; empty for no bound. */
  readonly from: string
  readonly to: string
  readonly sort: SortKey
  readonly isDescending: boolean
  readonly lens: Lens
}

export const firstQuery: ListQuery = {
  filter: 'current',
  search: '',
  scope: 'floor',
  from: '',
  to: '',
  sort: 'started',
  isDescending: true,
  lens: 'conversations',
}

const stateOrder: Readonly<Record<CallState, number>> = {
  IN_PROGRESS: 0,
  COMPLETED: 1,
  PROCESSING_AI: 2,
  FAILED: 3,
  ARCHIVED: 4,
}
const sentimentOrder = { negative: 0, mixed: 1, neutral: 2, positive: 3 } as const

/** Behind all names. */
const nameless = '\uffff'
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

const keys: Readonly<Record<SortKey, (call: CallRecord, now: number) => number | string>> = {
  call: (call) => call.id,
  agent: (call) => call.row.agent ?? nameless,
  queue: (call) => call.row.queue ?? nameless,
  caller: (call) => call.row.caller ?? nameless,
  state: (call) => stateOrder[call.row.state],
  started: (call) => call.createdAt,
  duration: (call, now) => call.durationMs(now),
  packets: (call) => call.row.total_received,
  loss: (call) => call.loss,
  last: (call) => -call.lastPacketAt,
  sentiment: (call) => (call.row.sentiment === null ? 4 : sentimentOrder[call.row.sentiment]),
}

export function isShown(filter: StateFilter, state: CallState): boolean {
  if (filter === 'all') return true
  if (filter === 'current') return state !== 'ARCHIVED' && state !== 'FAILED'
  return state === filter
}

export function listOf(calls: Iterable<CallRecord>, query: ListQuery, now: number): CallRecord[] {
  const matches = matcherOfSearch(parseTokens(query.search))
  const shown: { readonly call: CallRecord; readonly key: number | string }[] = []
  const keyOf = keys[query.sort]
  for (const call of calls)
    if (isShown(query.filter, call.row.state) && matches(call.row))
      shown.push({ call, key: keyOf(call, now) })
  const sign = query.isDescending ? -1 : 1
  shown.sort((a, b) => {
    const order =
      typeof a.key === 'string' && typeof b.key === 'string'
        ? compareNames(a.key, b.key)
        : Number(a.key) - Number(b.key)
    if (order !== 0) return sign * order
    return a.call.id < b.call.id ? -1 : 1
  })
  return shown.map(({ call }) => call)
}

function compareNames(a: string, b: string): number {
  if (a === nameless || b === nameless) return a === b ? 0 : a === nameless ? 1 : -1
  return collator.compare(a, b)
}

const largestFirst: ReadonlySet<SortKey> = new Set(['started', 'duration', 'packets', 'loss'])

/** A first click on a figure asks for the largest, on names for the first. */
export function sortedBy(query: ListQuery, sort: SortKey): ListQuery {
  if (query.sort === sort) return { ...query, isDescending: !query.isDescending }
  return { ...query, sort, isDescending: largestFirst.has(sort) }
}
