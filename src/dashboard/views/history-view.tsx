/** Stored calls: by days, people, numbers, state, sentiment and words, newest or oldest first, and as a table. */
import type { Session } from '../feed/session.js'
import type { TranscriptSearch } from '../feed/transcript-search.js'
import type { ListQuery } from '../model/call-list.js'
import { askedOf, parseTokens } from '../model/search-tokens.js'
import { Choice } from '../parts/choice.js'
import { DownloadLink } from '../parts/download-link.js'
import { Empty } from './empty.js'
import { SaidView } from './said-view.js'

export interface Asked {
  readonly words: string
  /** Parameters of the list of calls. */
  readonly filters: string
  /** Why it is not asked at all. */
  readonly refusal: string | null
}

export const nothingAsked: Asked = { words: '', filters: '', refusal: null }

/** Days are the viewer's, and the service's times have a zone. */
export function askedFor({ search, from, to, isDescending }: ListQuery): Asked {
  const understood = askedOf(parseTokens(search))
  if (understood.kind === 'unknown') {
    const { token, known } = understood
    return { ...nothingAsked, refusal: `${token.key} is one of ${known.join(', ')}` }
  }
  const { params, said } = understood
  if (from !== '') params.set('from', startOfDay(from, 0))
  if (to !== '') params.set('to', startOfDay(to, 1))
  params.set('order', isDescending ? 'newest' : 'oldest')
  return { words: said, filters: params.toString(), refusal: null }
}

function startOfDay(day: string, later: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  return new Date(year, month - 1, date + later).toISOString()
}

interface HistoryFiltersProps {
  readonly query: ListQuery
  readonly session: Session
  setQuery(query: ListQuery): void
}

export function HistoryFilters({ query, session, setQuery }: HistoryFiltersProps) {
  const { words, filters, refusal } = askedFor(query)
  const params = new URLSearchParams(filters)
  if (words !== '') params.set('q', words)
  const day = (name: 'from' | 'to', label: string) => (
    <label class="day">
      {label}
      <input
        type="date"
        value={query[name]}
        onInput={(event) => setQuery({ ...query, [name]: event.currentTarget.value })}
      />
    </label>
  )
  return (
    <div class="history-filters">
      {day('from', 'From')}
      {day('to', 'To')}
      <Choice
        label="Order"
        value={query.isDescending ? 'newest' : 'oldest'}
        options={[
          { value: 'newest', name: 'Newest first' },
          { value: 'oldest', name: 'Oldest first' },
        ]}
        choose={(order) => setQuery({ ...query, isDescending: order === 'newest' })}
      />
      {refusal === null && (
        <DownloadLink
          path={`v1/calls.csv?${params}`}
          fileName="calls.csv"
          name="CSV"
          label="CSV: download these calls as a table"
          session={session}
        />
      )}
    </div>
  )
}

interface HistoryViewProps {
  readonly query: ListQuery
  readonly search: TranscriptSearch
  readonly cursor: number
  readonly isNarrow: boolean
  open(callId: string): void
}

export function HistoryView({ query, search, cursor, isNarrow, open }: HistoryViewProps) {
  const { refusal, words } = askedFor(query)
  if (refusal !== null)
    return (
      <Empty drawing="search" title="That cannot be searched for">
        <p role="alert">{refusal}.</p>
      </Empty>
    )
  return <SaidView search={search} hasWords={words !== ''} cursor={cursor} isNarrow={isNarrow} open={open} />
}
