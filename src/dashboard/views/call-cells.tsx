/** One row of the list of calls, through the lens of its viewer. */
import type { ComponentChildren } from 'preact'
import {
  formatAge,
  formatCount,
  formatDateAndTime,
  formatDuration,
  formatShare,
  formatStart,
} from '../format.js'
import { silentAfterMs } from '../model/attention.js'
import type { SortKey } from '../model/call-list.js'
import type { CallRecord } from '../model/call-record.js'
import { columnsOf } from '../model/columns.js'
import type { Lens } from '../model/lens.js'
import { namesOf } from '../model/names.js'
import { SentimentLabel, StateLabel } from '../parts/icons.js'

interface CallCellsProps {
  readonly call: CallRecord
  readonly lens: Lens
  readonly now: number
}

const nameKeys: ReadonlySet<SortKey> = new Set(['agent', 'queue', 'caller'])

/** A call of which nobody has said anything is known by its id alone, in the place of the names. */
export function CallCells({ call, lens, now }: CallCellsProps) {
  const columns = columnsOf(lens)
  if (namesOf(call.row).length > 0)
    return (
      <div class="call-cells" role="presentation">
        {columns.map(({ key, kind }) => (
          <div key={key} role="gridcell" class={`cell-${key} ${kind}`}>
            {cells[key](call, now)}
          </div>
        ))}
      </div>
    )
  return (
    <div class="call-cells is-nameless" role="presentation">
      <div
        role="gridcell"
        class="cell-name"
        aria-colspan={columns.filter(({ key }) => nameKeys.has(key)).length}
      >
        <span class="call-id">{call.id}</span>
      </div>
      {columns.map(({ key, kind }) =>
        nameKeys.has(key) ? null : (
          <div key={key} role="gridcell" class={`cell-${key} ${kind}`}>
            {key === 'call' ? null : cells[key](call, now)}
          </div>
        ),
      )}
    </div>
  )
}

const cells: Readonly<Record<SortKey, (call: CallRecord, now: number) => ComponentChildren>> = {
  agent: ({ row }) => <Name text={row.agent} />,
  queue: ({ row }) => <Name text={row.queue} />,
  caller: ({ row }) => (
    <span title={row.callee === null ? undefined : `to ${row.callee}`}>
      <Name text={row.caller} />
    </span>
  ),
  state: ({ row }) => <StateLabel state={row.state} />,
  started: ({ createdAt }, now) => (
    <time dateTime={new Date(createdAt).toISOString()} title={formatDateAndTime(createdAt)}>
      {formatStart(createdAt, now)}
    </time>
  ),
  duration: (call, now) => formatDuration(call.durationMs(now)),
  packets: ({ row }) => formatCount(row.total_received),
  loss: ({ loss, row }) => <Loss share={loss} missing={row.missing_count} />,
  last: (call, now) => <LastPacket call={call} now={now} />,
  sentiment: ({ row }) => <SentimentLabel sentiment={row.sentiment} />,
  call: ({ id }) => (
    <span class="call-id" title={id}>
      {id}
    </span>
  ),
}

function Name({ text }: { readonly text: string | null }) {
  return text === null ? <span class="quiet">–</span> : <span dir="auto">{text}</span>
}

function LastPacket({ call, now }: { readonly call: CallRecord; readonly now: number }) {
  const ms = now - call.lastPacketAt
  if (call.isLive && ms >= silentAfterMs) return <span class="alarming">silent {formatAge(ms)}</span>
  return (
    <>
      {formatAge(ms)}
      <span class="quiet"> ago</span>
    </>
  )
}

/** The bar is full at 10 %: by then nobody understands the caller. */
const fullBar = 0.1

function Loss({ share, missing }: { readonly share: number; readonly missing: number }) {
  const grade = share >= 0.05 ? 'bad' : share >= 0.01 ? 'some' : 'none'
  return (
    <span class={`loss loss-${grade}`} title={`${formatCount(missing)} packets missing`}>
      <span class="loss-bar" aria-hidden="true">
        <span style={{ width: `${Math.min(1, share / fullBar) * 100}%` }} />
      </span>
      <span>
        {formatShare(share)}
        <span class="only-narrow"> lost</span>
      </span>
    </span>
  )
}
