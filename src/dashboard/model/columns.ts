/** The columns of the list of calls: people first, the id last. Pure. */
import type { SortKey } from './call-list.js'
import type { Lens } from './lens.js'

export interface Column {
  readonly key: SortKey
  readonly name: string
  readonly kind: 'text' | 'number'
}

const all: Readonly<Record<SortKey, Omit<Column, 'key'>>> = {
  agent: { name: 'Agent', kind: 'text' },
  queue: { name: 'Queue', kind: 'text' },
  caller: { name: 'Caller', kind: 'text' },
  state: { name: 'State', kind: 'text' },
  started: { name: 'Started', kind: 'number' },
  duration: { name: 'Duration', kind: 'number' },
  packets: { name: 'Packets', kind: 'number' },
  loss: { name: 'Lost', kind: 'number' },
  last: { name: 'Last packet', kind: 'number' },
  sentiment: { name: 'Sentiment', kind: 'text' },
  call: { name: 'Call', kind: 'text' },
}

const keysOf: Readonly<Record<Lens, readonly SortKey[]>> = {
  conversations: ['agent', 'queue', 'caller', 'state', 'started', 'duration', 'sentiment', 'call'],
  transport: ['agent', 'queue', 'state', 'duration', 'packets', 'loss', 'last', 'call'],
}

export const columnsOf = (lens: Lens): readonly Column[] => columns[lens]

/** A list may be sorted by what its lens does not show. */
export function sortableBy(lens: Lens, sort: SortKey): readonly Column[] {
  const shown = columns[lens]
  return shown.some(({ key }) => key === sort) ? shown : [{ key: sort, ...all[sort] }, ...shown]
}

const columns: Readonly<Record<Lens, readonly Column[]>> = {
  conversations: keysOf.conversations.map((key) => ({ key, ...all[key] })),
  transport: keysOf.transport.map((key) => ({ key, ...all[key] })),
}
