/** All current calls in one list: filtered, sorted, searched. */
import type { CallState } from '../../protocol/call.js'
import { callStates } from '../../protocol/call-states.js'
import type { Session } from '../feed/session.js'
import type { TranscriptSearch } from '../feed/transcript-search.js'
import { formatCount, stateNames } from '../format.js'
import { isShown, type ListQuery, type StateFilter, sortedBy } from '../model/call-list.js'
import { isCallName } from '../model/call-name.js'
import type { CallRecord } from '../model/call-record.js'
import { columnsOf, sortableBy } from '../model/columns.js'
import type { FloorPicture } from '../model/floor-picture.js'
import type { HeldOrder } from '../model/held-order.js'
import type { Hold } from '../model/hold.js'
import { lenses, lensNames } from '../model/lens.js'
import { Choice } from '../parts/choice.js'
import { HeldNote } from '../parts/hold.js'
import { VirtualRows } from '../parts/virtual-rows.js'
import { callHash } from '../route.js'
import { CallCells } from './call-cells.js'
import { Empty, NoCalls } from './empty.js'
import { HistoryFilters, HistoryView } from './history-view.js'
import { SearchField, TokenChips } from './search-field.js'

interface CallsViewProps {
  readonly calls: HeldOrder<CallRecord>
  readonly hold: Hold
  readonly isHeld: boolean
  readonly session: Session
  readonly search: TranscriptSearch
  readonly picture: FloorPicture
  readonly query: ListQuery
  setQuery(query: ListQuery): void
  readonly cursor: number
  readonly now: number
  readonly isNarrow: boolean
  open(callId: string): void
}

export function CallsView(props: CallsViewProps) {
  const { calls, hold, isHeld, session, search, picture, query, setQuery, cursor, now, isNarrow, open } =
    props
  const isHistory = query.scope === 'history'
  const change = (text: string) => setQuery({ ...query, search: text })
  return (
    <section class={`view lens-${query.lens}`} aria-labelledby="calls-title">
      <div class="view-head">
        <h1 id="calls-title">Calls</h1>
        <Choice
          label="Which calls"
          value={query.scope}
          options={[
            { value: 'floor', name: 'Now' },
            { value: 'history', name: 'History' },
          ]}
          choose={(scope) => setQuery({ ...query, scope })}
        />
        {!isHistory && (
          <Choice
            label="Show of each call"
            value={query.lens}
            options={lenses.map((lens) => ({ value: lens, name: lensNames[lens] }))}
            choose={(lens) => setQuery({ ...query, lens })}
          />
        )}
        <SearchField
          label="Search calls"
          placeholder={isHistory ? 'agent:maria refund' : 'Name, number, id, agent:maria'}
          value={query.search}
          change={change}
        />
      </div>
      <div class="view-head">
        {isHistory ? (
          <HistoryFilters query={query} session={session} setQuery={setQuery} />
        ) : (
          <Filters picture={picture} query={query} setQuery={setQuery} />
        )}
        <TokenChips value={query.search} change={change} />
        {isNarrow && !isHistory && <SortChoice query={query} setQuery={setQuery} />}
      </div>
      {isHistory ? (
        <HistoryView query={query} search={search} cursor={cursor} isNarrow={isNarrow} open={open} />
      ) : calls.items.length > 0 ? (
        <VirtualRows
          items={calls.items}
          hold={hold}
          rowPixels={isNarrow ? 92 : 44}
          cursor={cursor}
          label={`${formatCount(calls.items.length)} calls`}
          columnCount={columnsOf(query.lens).length}
          header={isNarrow ? null : <ListHeader query={query} setQuery={setQuery} />}
          keyOf={({ id }) => id}
          goneText={({ id }) => (picture.calls.has(id) ? null : 'No longer on the floor')}
          open={({ id }) => open(id)}
          row={(call) => <CallCells call={call} lens={query.lens} now={now} />}
        />
      ) : (
        <NothingFound picture={picture} query={query} setQuery={setQuery} />
      )}
      {!isHistory && (
        <p class="view-foot">
          <span role="status">
            {formatCount(calls.items.length - calls.gone.size)} of {formatCount(picture.calls.size)} calls on
            the floor
          </span>
          <DamagedNote calls={picture.damaged} />
          <HeldNote isHeld={isHeld && calls.items.length > 0} />
        </p>
      )}
    </section>
  )
}

const damagedNamed = 3

/** They have no row: nothing of them can be read. */
function DamagedNote({ calls }: { readonly calls: ReadonlySet<string> }) {
  if (calls.size === 0) return null
  const more = calls.size - damagedNamed
  const names =
    [...calls].slice(0, damagedNamed).join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '')
  return <span class="alarming">Damaged on the disk, not shown: {names}</span>
}

type QueryProps = Pick<CallsViewProps, 'query' | 'setQuery'>

function Filters({ picture, query, setQuery }: QueryProps & { readonly picture: FloorPicture }) {
  const counts = new Map<CallState, number>()
  for (const { row } of picture.calls.values()) counts.set(row.state, (counts.get(row.state) ?? 0) + 1)
  const countOf = (filter: StateFilter) =>
    callStates.reduce((sum, state) => sum + (isShown(filter, state) ? (counts.get(state) ?? 0) : 0), 0)
  const nameOf = (filter: StateFilter) =>
    filter === 'current' ? 'Current' : filter === 'all' ? 'All' : stateNames[filter]
  return (
    <div class="chips" role="group" aria-label="Show calls">
      {(['current', ...callStates, 'all'] as const).map((filter) => (
        <button
          type="button"
          key={filter}
          class="chip"
          aria-pressed={query.filter === filter}
          onClick={() => setQuery({ ...query, filter })}
        >
          {nameOf(filter)} <span class="chip-count">{formatCount(countOf(filter))}</span>
        </button>
      ))}
    </div>
  )
}

function SortChoice({ query, setQuery }: QueryProps) {
  return (
    <label class="sort-choice">
      Sort by
      <select
        value={query.sort}
        onChange={(event) => {
          const found = columnsOf(query.lens).find(({ key }) => key === event.currentTarget.value)
          if (found !== undefined && found.key !== query.sort) setQuery(sortedBy(query, found.key))
        }}
      >
        {sortableBy(query.lens, query.sort).map(({ key, name }) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

function ListHeader({ query, setQuery }: QueryProps) {
  return (
    <div class="rows-header call-cells" role="row" aria-rowindex={1}>
      {columnsOf(query.lens).map(({ key, name, kind }) => {
        const isSorted = query.sort === key
        const order = query.isDescending ? 'descending' : 'ascending'
        return (
          <div
            key={key}
            role="columnheader"
            class={`cell-${key} ${kind}`}
            aria-sort={isSorted ? order : 'none'}
          >
            <button type="button" onClick={() => setQuery(sortedBy(query, key))}>
              {name}
              <span class="sort-mark" aria-hidden="true">
                {isSorted ? (query.isDescending ? '▾' : '▴') : ''}
              </span>
            </button>
          </div>
        )
      })}
    </div>
  )
}

function NothingFound({ picture, query, setQuery }: QueryProps & { readonly picture: FloorPicture }) {
  const words = query.search.trim()
  if (picture.calls.size === 0 && words === '')
    return picture.wasComplete ? <NoCalls /> : <Empty drawing="wave" title="Loading calls…" />
  if (words === '')
    return (
      <Empty drawing="check" title="No call in this state">
        <button type="button" class="button" onClick={() => setQuery({ ...query, filter: 'all' })}>
          Show all calls
        </button>
      </Empty>
    )
  return (
    <Empty drawing="search" title="No call on the floor matches">
      {query.filter !== 'all' && (
        <button type="button" class="button" onClick={() => setQuery({ ...query, filter: 'all' })}>
          Search in all states
        </button>
      )}
      <button
        type="button"
        class="button"
        onClick={() => setQuery({ ...query, scope: 'history', isDescending: true })}
      >
        Search in the history
      </button>
      {isCallName(words) && (
        <p>
          Or <a href={callHash(words)}>open the call named {words}</a>.
        </p>
      )}
    </Empty>
  )
}
