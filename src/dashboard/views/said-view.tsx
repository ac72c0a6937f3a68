/** Stored calls that were found: who, when, where in what was said, and what may be asked. */
import type { FoundCall } from '../../protocol/call.js'
import type { TranscriptSearch } from '../feed/transcript-search.js'
import { formatCount, formatDateAndTime } from '../format.js'
import { namesOf } from '../model/names.js'
import { SentimentLabel, StateLabel } from '../parts/icons.js'
import { VirtualRows } from '../parts/virtual-rows.js'
import { Empty } from './empty.js'

interface SaidViewProps {
  readonly search: TranscriptSearch
  /** Something was looked for in transcripts. */
  readonly hasWords: boolean
  readonly cursor: number
  readonly isNarrow: boolean
  open(callId: string): void
}

export function SaidView({ search, hasWords, cursor, isNarrow, open }: SaidViewProps) {
  const { found } = search
  if (found.kind === 'asking' || found.kind === 'nothing-asked')
    return <Empty drawing="search" title="Searching…" />
  if (found.kind === 'not-understood')
    return (
      <Empty drawing="search" title="That cannot be searched for">
        <p role="alert">The service said: {found.reason}.</p>
        <Grammar />
      </Empty>
    )
  if (found.kind === 'failed')
    return (
      <Empty drawing="close" title="The search failed">
        <p role="alert">Cause: {found.reason}.</p>
        <button type="button" class="button" onClick={() => search.retryNow()}>
          Search again
        </button>
      </Empty>
    )
  if (found.calls.length === 0 && found.cursor === null)
    return (
      <Empty drawing="search" title={hasWords ? 'No transcript contains this' : 'No stored call matches'}>
        {hasWords && <p>Only transcribed calls can be found by words.</p>}
        <Grammar />
      </Empty>
    )
  return (
    <>
      <VirtualRows
        items={found.calls}
        rowPixels={hasWords ? (isNarrow ? 128 : 88) : isNarrow ? 72 : 44}
        cursor={cursor}
        label={`${formatCount(found.calls.length)} calls found`}
        columnCount={columnCount}
        keyOf={({ call_id }) => call_id}
        open={({ call_id }) => open(call_id)}
        row={(call) => <FoundCells call={call} hasWords={hasWords} />}
      />
      <More search={search} />
    </>
  )
}

const columnCount = 5

function FoundCells({ call, hasWords }: { readonly call: FoundCall; readonly hasWords: boolean }) {
  const { call_id: callId, state, created_at: createdAt, ai, match = [] } = call
  const names = namesOf(call)
  return (
    <div class="found" role="presentation">
      <div role="gridcell" class="found-id">
        {names.length > 0 && <span dir="auto">{names.join(' · ')}</span>}{' '}
        <span class={names.length > 0 ? 'call-id quiet' : 'call-id'}>{callId}</span>
      </div>
      <div role="gridcell">
        <StateLabel state={state} />
      </div>
      <div role="gridcell" class="found-sentiment">
        <SentimentLabel sentiment={ai.sentiment} />
      </div>
      <div role="gridcell" class="found-time">
        <time dateTime={createdAt}>{formatDateAndTime(Date.parse(createdAt))}</time>
      </div>
      {hasWords && (
        <div role="gridcell" class="found-match" dir="auto">
          {match.map(({ text, found }, index) =>
            found ? <mark key={index}>{text}</mark> : <span key={index}>{text}</span>,
          )}
        </div>
      )}
    </div>
  )
}

function More({ search }: { readonly search: TranscriptSearch }) {
  const { found } = search
  if (found.kind !== 'found') return null
  const { calls, cursor, isAsking, reason } = found
  const hasMore = cursor !== null && !search.isFull
  const count = `${formatCount(calls.length)} ${calls.length === 1 ? 'call' : 'calls'}`
  const extent = search.isFull ? ', the first ones: narrow the search' : hasMore ? ' so far' : ''
  return (
    <div class="view-foot found-foot">
      <span role="status">
        {isAsking ? 'Searching…' : `${count}${extent}`}
        {reason !== null && `. More could not be read: ${reason}`}
      </span>
      {hasMore && (
        <button type="button" class="button" onClick={() => void search.more()}>
          More
        </button>
      )}
    </div>
  )
}

function Grammar() {
  return (
    <p>
      <code>agent:</code>, <code>queue:</code>, <code>number:</code>, <code>state:</code> and{' '}
      <code>sentiment:</code> find calls by their beginnings; in what was said: words,{' '}
      <code>"phrases like this"</code> and prefixes of at least three characters, <code>refun*</code>. All of
      them must occur. Case and accents do not matter.
    </p>
  )
}
