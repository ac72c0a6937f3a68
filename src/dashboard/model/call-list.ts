/** The list of calls as one viewer wants it: which, in which order. Pure. */
import type { CallState } from '../../protocol/call.js'
import type { CallRecord } from './call-record.js'

export type StateFilter = 'current' | 'all' | CallState
export type SortKey = 'call' | 'state' | 'age' | 'packets' | 'loss' | 'last' | 'sentiment'

export interface ListQuery {
  readonly filter: StateFilter
  readonly search: string
  /** Their ids are here; what was said is searched by the service. */
  readonly searchIn: 'ids' | 'words'
  readonly sort: SortKey
  readonly isDescending: boolean
}

export const firstQuery: ListQuery = {
  filter: 'current',
  search: '',
  searchIn: 'ids',
  sort: 'age',
  isDescending: false,
}

const stateOrder: Readonly<Record<CallState, number>> = {
  IN_PROGRESS: 0,
  COMPLETED: 1,
  PROCESSING_AI: 2,
  FAILED: 3,
  ARCHIVED: 4,
}
const sentimentOrder = { negative: 0, mixed: 1, neutral: 2, positive: 3 } as const

const keys: Readonly<Record<SortKey, (call: CallRecord) => number | string>> = {
  call: (call) => call.id,
  state: (call) => stateOrder[call.row.state],
  // The youngest call has the smallest age.
  age: (call) => -call.createdAt,
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

export function listOf(calls: Iterable<CallRecord>, query: ListQuery): CallRecord[] {
  const words = query.search.trim().toLowerCase()
  const shown: { readonly call: CallRecord; readonly key: number | string }[] = []
  const keyOf = keys[query.sort]
  for (const call of calls)
    if (isShown(query.filter, call.row.state) && (words === '' || call.id.toLowerCase().includes(words)))
      shown.push({ call, key: keyOf(call) })
  const sign = query.isDescending ? -1 : 1
  shown.sort((a, b) => {
    if (a.key < b.key) return -sign
    if (a.key > b.key) return sign
    return a.call.id < b.call.id ? -1 : 1
  })
  return shown.map(({ call }) => call)
}

/** A first click on most columns asks for the largest, on names for the first. */
export function sortedBy(query: ListQuery, sort: SortKey): ListQuery {
  if (query.sort === sort) return { ...query, isDescending: !query.isDescending }
  return { ...query, sort, isDescending: sort === 'packets' || sort === 'loss' }
}
