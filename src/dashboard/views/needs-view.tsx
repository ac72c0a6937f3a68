/** Which call needs somebody now, in order, each with its reason and since when. */
import { formatAge, formatCount, formatTime, stateNames } from '../format.js'
import type { Acknowledgements } from '../model/acknowledgements.js'
import { type ConcernKind, concernNames, type Need } from '../model/attention.js'
import type { HeldOrder } from '../model/held-order.js'
import type { Hold } from '../model/hold.js'
import { concernKindsThrough, type Lens, lenses, lensNames, needsThrough } from '../model/lens.js'
import { namesOf, whoOf } from '../model/names.js'
import { type NeedsQuery, searchedNeeds } from '../model/needs-query.js'
import { Choice } from '../parts/choice.js'
import { HeldNote } from '../parts/hold.js'
import { ConcernIcon, Drawing, levelNames } from '../parts/icons.js'
import { VirtualRows } from '../parts/virtual-rows.js'
import { Empty, NoCalls } from './empty.js'
import { SearchField, TokenChips } from './search-field.js'

interface NeedsViewProps {
  readonly all: readonly Need[]
  /** Those of them that nobody here has acknowledged. */
  readonly unacknowledged: readonly Need[]
  readonly needs: HeldOrder<Need>
  readonly hold: Hold
  readonly isHeld: boolean
  readonly acknowledgements: Acknowledgements
  readonly query: NeedsQuery
  setQuery(query: NeedsQuery): void
  readonly cursor: number
  readonly callCount: number
  readonly isLoading: boolean
  readonly now: number
  readonly isNarrow: boolean
  open(need: Need): void
  acknowledge(need: Need): void
}

export function NeedsView(props: NeedsViewProps) {
  const { all, unacknowledged, needs, hold, isHeld, acknowledgements, query, cursor, callCount } = props
  const { isLoading, now, isNarrow } = props
  const first = unacknowledged[0]
  const change = (search: string) => props.setQuery({ ...query, search })
  return (
    <section class="view" aria-labelledby="needs-title">
      <div class="view-head">
        <h1 id="needs-title">{titleOf(unacknowledged.length)}</h1>
        <LensChoice {...props} />
        <SearchField
          label="Search calls"
          placeholder="Name, number, id, agent:maria"
          value={query.search}
          change={change}
        />
      </div>
      <div class="view-head">
        <NeedsFilters {...props} />
        <TokenChips value={query.search} change={change} />
      </div>
      {/* Read out when another call becomes the most urgent one, and only then. */}
      <p class="unseen" aria-live="polite">
        {first !== undefined && first.concerns[0].level === 3
          ? `Most urgent: ${whoOf(first.call.row)}, ${concernNames[first.concerns[0].kind]}`
          : ''}
      </p>
      {needs.items.length > 0 ? (
        <VirtualRows
          items={needs.items}
          hold={hold}
          rowPixels={isNarrow ? 96 : 64}
          cursor={cursor}
          label={`Calls that need attention${isHeld ? '' : ', most urgent first'}`}
          columnCount={4}
          keyOf={({ call }) => call.id}
          goneText={({ call }) => (needs.gone.has(call.id) ? 'Resolved' : null)}
          open={props.open}
          row={(need) => (
            <NeedRow
              need={need}
              now={now}
              isAcknowledged={acknowledgements.covers(need)}
              acknowledge={() => props.acknowledge(need)}
              undo={() => acknowledgements.remove(need.call.id)}
            />
          )}
        />
      ) : isLoading ? (
        <Empty drawing="wave" title="Loading calls…" />
      ) : callCount === 0 ? (
        <NoCalls />
      ) : (
        <Empty drawing="check" title={isNarrowed(query) ? 'No calls of this kind' : 'No call needs you'}>
          <p>
            {formatCount(callCount)} {callCount === 1 ? 'call is' : 'calls are'} monitored. A call appears
            here when it is silent for 2 s, loses packets, waits long for its analysis, fails, or ends with an
            unhappy caller.
          </p>
        </Empty>
      )}
      {needs.items.length > 0 && (
        <p class="view-foot">
          {!isHeld && <span>Most urgent first</span>}
          {query.search.trim() !== '' && (
            <span role="status">
              {' '}
              · {formatCount(needs.items.length - needs.gone.size)} of {formatCount(all.length)} calls
            </span>
          )}
          <HeldNote isHeld={isHeld} />
        </p>
      )}
    </section>
  )
}

const isNarrowed = ({ show, lens, search }: NeedsQuery) =>
  show !== 'all' || lens !== null || search.trim() !== ''

function titleOf(count: number): string {
  if (count === 0) return 'Needs attention'
  return count === 1 ? '1 call needs attention' : `${formatCount(count)} calls need attention`
}

type FiltersProps = Pick<NeedsViewProps, 'all' | 'unacknowledged' | 'query' | 'setQuery' | 'acknowledgements'>

function LensChoice({ unacknowledged, query, setQuery }: FiltersProps) {
  const optionOf = (lens: Lens | null) => ({
    value: lens,
    name: lens === null ? 'All' : lensNames[lens],
    note: formatCount(needsThrough(searchedNeeds(unacknowledged, query.search), lens).length),
  })
  return (
    <Choice
      label="Concerns of"
      value={query.lens}
      options={[null, ...lenses].map(optionOf)}
      choose={(lens) => setQuery({ ...query, lens, show: 'all' })}
    />
  )
}

function NeedsFilters({ all, unacknowledged, query, setQuery, acknowledgements }: FiltersProps) {
  const { lens, show } = query
  const searched = searchedNeeds(unacknowledged, query.search)
  const count = (kind: ConcernKind) =>
    searched.filter(({ concerns }) => concerns.some((one) => one.kind === kind)).length
  const acknowledged = needsThrough(searchedNeeds(all, query.search), lens).filter((need) =>
    acknowledgements.covers(need),
  ).length
  const chip = (key: NeedsQuery['show'], name: string, of: number) => (
    <button
      type="button"
      key={key}
      class="chip"
      aria-pressed={show === key}
      disabled={of === 0 && show !== key}
      onClick={() => setQuery({ ...query, show: show === key ? 'all' : key })}
    >
      {name} <span class="chip-count">{formatCount(of)}</span>
    </button>
  )
  return (
    <div class="chips" role="group" aria-label="Show only">
      {concernKindsThrough(lens).map((kind) => chip(kind, concernNames[kind], count(kind)))}
      {chip('acknowledged', 'Acknowledged', acknowledged)}
    </div>
  )
}

interface NeedRowProps {
  readonly need: Need
  readonly now: number
  readonly isAcknowledged: boolean
  acknowledge(): void
  undo(): void
}

function NeedRow({ need, now, isAcknowledged, acknowledge, undo }: NeedRowProps) {
  const { call, concerns } = need
  const [worst, ...others] = concerns
  const names = namesOf(call.row)
  const act = isAcknowledged ? undo : acknowledge
  return (
    <div class={`need level-${worst.level}`} role="presentation">
      <div role="gridcell" class="need-level">
        <ConcernIcon kind={worst.kind} level={worst.level} />
        <span class="unseen">{levelNames[worst.level]}</span>
      </div>
      <div role="gridcell" class="need-what">
        <span class="need-reason">{worst.reason}</span>
        <span class="need-call">
          {names.length === 0 ? (
            <span class="call-id">{call.id}</span>
          ) : (
            <span class="need-names" dir="auto">
              {names.join(' · ')}
            </span>
          )}
          <span class="quiet"> · {stateNames[call.row.state]}</span>
          {others.map(({ kind, reason }) => (
            <span class="tag" key={kind} title={reason}>
              {concernNames[kind]}
            </span>
          ))}
          {names.length > 0 && <span class="call-id quiet">{call.id}</span>}
        </span>
      </div>
      <div role="gridcell" class="need-since">
        <span class="need-for">{formatAge(now - worst.since)}</span>
        <span class="need-from">since {formatTime(worst.since)}</span>
      </div>
      <div role="gridcell" class="need-act">
        <button
          type="button"
          class="button"
          aria-label={`${isAcknowledged ? 'Undo for' : 'Acknowledge'} call ${call.id}`}
          onClick={(event) => {
            // The row behind it would open.
            event.stopPropagation()
            // The second click of a double one would take the first back.
            if (event.detail < 2) act()
          }}
        >
          {!isAcknowledged && <Drawing of="check" />}
          <span>{isAcknowledged ? 'Undo' : 'Acknowledge'}</span>
        </button>
      </div>
    </div>
  )
}
