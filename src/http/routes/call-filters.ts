/** What a list of calls is asked for: from the parameters of an address to a query of the journal, and to a look at a call. */
import Type from 'typebox'
import { VoiceStreamError } from '../../errors.js'
import { limits } from '../../limits.js'
import { type AlertKind, AlertKindText, alertKinds } from '../../protocol/alert.js'
import { Sentiment } from '../../protocol/analysis.js'
import { CallState, type CallView } from '../../protocol/call.js'
import {
  alertName,
  alertValue,
  type DetailFilter,
  detailNames,
  isDetailName,
  listDetails,
  matcherOf,
  numberNames,
  sentimentName,
} from '../../protocol/call-details.js'
import { callStates } from '../../protocol/call-states.js'
import { Direction } from '../../protocol/media.js'
import { invalidParameter, oneOf, timeOf } from '../../protocol/query.js'
import { parseSearch } from '../../protocol/search.js'
import type { CallQuery } from '../../store/journal.js'
import type { QueryParameter } from '../routes.js'

export type CallFilters = Omit<CallQuery, 'cursor' | 'limit'> & { readonly details: readonly DetailFilter[] }

const sentiments = ['positive', 'neutral', 'mixed', 'negative'] as const
const orders = ['newest', 'oldest'] as const
const time = (description: string) =>
  Type.String({ description, examples: ['2026-01-31', '2026-01-31T09:00:00Z'] })
const texts: Readonly<Record<(typeof detailNames)[number], string>> = {
  direction: '',
  caller: 'The number, or `beginning*`.',
  callee: 'The number, or `beginning*`.',
  agent: 'The name, or the `beginning*` of one of its words; then case and accents do not matter.',
  queue: 'As `agent`.',
}

export const filterParameters: readonly QueryParameter[] = [
  { name: 'state', schema: CallState },
  { name: 'from', schema: time('Calls that started then or later. A date is its midnight, UTC.') },
  { name: 'to', schema: time('Calls that started before.') },
  ...detailNames.map((name) => ({
    name,
    schema: name === 'direction' ? Direction : Type.String({ description: texts[name] }),
  })),
  {
    name: 'number',
    schema: Type.String({
      description:
        'The caller’s or the callee’s: the number, or `beginning*`. A plus sign is `%2B` in an address.',
    }),
  },
  { name: 'sentiment', schema: Sentiment },
  { name: 'alert', schema: AlertKindText },
  {
    name: 'q',
    schema: Type.String({
      maxLength: limits.searchCharactersMax,
      description: `Searches in transcripts: words, "phrases" and prefix*; all of them must occur. Case and accents do not matter. Only the first ${limits.indexedCharactersMax.toLocaleString('en')} characters of a transcript are searched.`,
    }),
  },
  {
    name: 'order',
    schema: Type.Union(
      orders.map((order) => Type.Literal(order)),
      { default: 'newest', description: 'By the time of their start.' },
    ),
  },
]

/** Throws `schema_violation`. */
export function filtersOf(search: URLSearchParams): CallFilters {
  const text = (name: string) => search.get(name) ?? undefined
  const [from, before] = [timeOf(text('from'), 'from'), timeOf(text('to'), 'to')]
  const q = text('q')
  return {
    state: oneOf(text('state'), 'state', callStates, null),
    from,
    before,
    order: oneOf(text('order'), 'order', orders, 'newest'),
    details: detailsOf(search),
    search: q === undefined ? null : parseSearch(q),
  }
}

function detailsOf(search: URLSearchParams): readonly DetailFilter[] {
  const details = [...search].flatMap(([name, value]): DetailFilter[] => {
    if (name === 'number') return [filterOf(numberNames, name, value)]
    if (name === 'sentiment')
      return [{ names: [sentimentName], text: oneOf(value, name, sentiments, value), isPrefix: false }]
    if (name === 'alert') {
      const kind = oneOf(value, name, alertKinds, value as AlertKind)
      return [{ names: [alertName(kind)], text: alertValue, isPrefix: false }]
    }
    return isDetailName(name) ? [filterOf([name], name, value)] : []
  })
  if (details.length <= limits.detailFiltersMax) return details
  const message = `has ${details.length} filters, and at most ${limits.detailFiltersMax} are allowed`
  throw new VoiceStreamError('schema_violation', `the query ${message}`, {
    fields: [{ path: '/query', message }],
  })
}

function filterOf(names: readonly string[], parameter: string, value: string): DetailFilter {
  const isPrefix = value.endsWith('*') && !parameter.startsWith('meta.')
  const text = isPrefix ? value.slice(0, -1) : value
  if (isPrefix && text === '') throw invalidParameter(parameter, 'has nothing in front of its *')
  return { names, text, isPrefix }
}

/** Between the page and the look at a call it may have moved on. */
export function isAskedFor(view: CallView, { state, details, from, before }: CallFilters): boolean {
  if (state !== null && view.state !== state) return false
  const at = Date.parse(view.created_at)
  if ((from ?? at) > at || (before ?? Number.POSITIVE_INFINITY) <= at) return false
  if (details.length === 0) return true
  const { media, direction, caller, callee, agent, queue, metadata = {}, insight, ai } = view
  const said = Object.entries({ direction, caller, callee, agent, queue }).filter(([, text]) => text !== null)
  const listed = [
    ...listDetails({ media, ...Object.fromEntries(said), metadata }),
    ...(insight?.alerts ?? []).map(({ kind }) => ({ name: alertName(kind), value: alertValue })),
    ...(ai.sentiment === null ? [] : [{ name: sentimentName, value: ai.sentiment }]),
  ]
  return details.every((filter) => {
    const matches = matcherOf(filter)
    return listed.some(({ name, value }) => filter.names.includes(name) && matches(value))
  })
}
