/** The whole view as parameters of its address, so that a colleague who follows it sees the same. Only what differs from the usual. Pure. */
import { callStates } from '../../protocol/call-states.js'
import { concernKinds } from './attention.js'
import { firstQuery, type ListQuery, type SortKey, type StateFilter, sortKeys } from './call-list.js'
import { type Lens, lenses } from './lens.js'
import { firstNeedsQuery, type NeedsQuery } from './needs-query.js'

const stateFilters: readonly StateFilter[] = ['current', ...callStates, 'all']
const isDay = (text: string) => /^\d{4}-\d\d-\d\d$/.test(text)

export function callsParams(query: ListQuery): URLSearchParams {
  const params = new URLSearchParams()
  const put = (name: string, value: string, usual: string) => {
    if (value !== usual) params.set(name, value)
  }
  put('find', query.search, firstQuery.search)
  put('in', query.scope, firstQuery.scope)
  put('from', query.from, firstQuery.from)
  put('to', query.to, firstQuery.to)
  put('show', query.filter, firstQuery.filter)
  put('lens', query.lens, firstQuery.lens)
  put('sort', query.sort, firstQuery.sort)
  put('order', query.isDescending ? 'down' : 'up', firstQuery.isDescending ? 'down' : 'up')
  return params
}

/** Whatever somebody has typed there: what is not known is as usual. */
export function callsQueryOf(params: URLSearchParams): ListQuery {
  const text = (name: string) => params.get(name) ?? ''
  const day = (name: string) => (isDay(text(name)) ? text(name) : '')
  const order = text('order')
  return {
    search: text('find').slice(0, 256),
    scope: text('in') === 'history' ? 'history' : 'floor',
    from: day('from'),
    to: day('to'),
    filter: stateFilters.find((filter) => filter === text('show')) ?? firstQuery.filter,
    lens: lensOf(text('lens')) ?? firstQuery.lens,
    sort: sortKeys.find((key): key is SortKey => key === text('sort')) ?? firstQuery.sort,
    isDescending: order === '' ? firstQuery.isDescending : order !== 'up',
  }
}

export function needsParams({ lens, show, search }: NeedsQuery): URLSearchParams {
  const params = new URLSearchParams()
  if (search !== '') params.set('find', search)
  if (lens !== null) params.set('lens', lens)
  if (show !== firstNeedsQuery.show) params.set('show', show)
  return params
}

export function needsQueryOf(params: URLSearchParams): NeedsQuery {
  const show = params.get('show')
  const kinds = ['acknowledged', ...concernKinds] as const
  return {
    search: (params.get('find') ?? '').slice(0, 256),
    lens: lensOf(params.get('lens') ?? ''),
    show: kinds.find((kind) => kind === show) ?? firstNeedsQuery.show,
  }
}

const lensOf = (text: string): Lens | null => lenses.find((lens) => lens === text) ?? null
