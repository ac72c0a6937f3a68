/** The floor over the last hour. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { callStates } from '../../protocol/call-states.js'
import type { Floor, FloorBucket } from '../../protocol/floor.js'
import { NotSignedIn, type Session } from '../feed/session.js'
import { formatCount, formatRate, formatShare } from '../format.js'
import type { FloorPicture } from '../model/floor-picture.js'
import { Chart, type Line } from '../parts/chart.js'
import { StateLabel } from '../parts/icons.js'
import { Empty } from './empty.js'

const readMs = 5000

interface FloorViewProps {
  readonly session: Session
  readonly picture: FloorPicture
}

export function FloorView({ session, picture }: FloorViewProps) {
  const [floor, setFloor] = useState<Floor | null>(null)
  const [failure, setFailure] = useState<string | null>(null)
  useEffect(() => {
    const read = () =>
      session.read<Floor>('v1/floor').then(
        (answer) => {
          setFloor(answer)
          setFailure(null)
        },
        (error: unknown) => {
          if (!(error instanceof NotSignedIn))
            setFailure(error instanceof Error ? error.message : String(error))
        },
      )
    void read()
    const timer = setInterval(() => void read(), readMs)
    return () => clearInterval(timer)
  }, [session])
  return (
    <section class="view view-scrolls" aria-labelledby="floor-title">
      <div class="view-head">
        <h1 id="floor-title">The last hour</h1>
        {failure !== null && <span class="tag tag-old">charts could not be renewed: {failure}</span>}
      </div>
      <StateBar picture={picture} />
      {floor === null ? <Empty drawing="wave" title="Reading the last hour…" /> : <Charts floor={floor} />}
    </section>
  )
}

/** Calls by state, as long as their share; the words carry the figures. */
function StateBar({ picture }: { readonly picture: FloorPicture }) {
  const total = callStates.reduce((sum, state) => sum + picture.count(state), 0)
  return (
    <div class="state-bar">
      <div class="state-bar-parts" aria-hidden="true">
        {callStates.map((state) =>
          picture.count(state) === 0 ? null : (
            <span key={state} class={`part-${state}`} style={{ flexGrow: picture.count(state) / total }} />
          ),
        )}
      </div>
      <ul class="state-bar-words" aria-label={`${formatCount(total)} calls are stored`}>
        {callStates.map((state) => (
          <li key={state}>
            <StateLabel state={state} /> <strong>{formatCount(picture.count(state))}</strong>
          </li>
        ))}
      </ul>
    </div>
  )
}

interface ChartPlan {
  readonly title: string
  readonly lines: readonly Line[]
  readonly most: number
  format(value: number): string
  /** One value a line; null where there was nothing to divide by. */
  values(bucket: FloorBucket, seconds: number): readonly (number | null)[]
}

const plans: readonly ChartPlan[] = [
  {
    title: 'Calls',
    lines: [
      { name: 'In progress', colour: '--accent', isFilled: true },
      { name: 'Waiting for AI', colour: '--ai', isDashed: true },
    ],
    most: 5,
    format: (value) => formatCount(Math.round(value)),
    values: ({ calls_in_progress, ai_queue }) => [calls_in_progress, ai_queue],
  },
  {
    title: 'Packets a second',
    lines: [
      { name: 'New', colour: '--accent', isFilled: true },
      { name: 'Duplicate', colour: '--ink-3', isDashed: true },
    ],
    most: 10,
    format: formatRate,
    values: ({ packets, duplicates }, seconds) => [packets / seconds, duplicates / seconds],
  },
  {
    // Not as a share: what is lost is known once a call is over, when the packets beside it have long been counted.
    title: 'Lost packets a second',
    lines: [
      { name: 'Gaps opened', colour: '--warn', isDashed: true },
      { name: 'Lost', colour: '--bad', isFilled: true },
    ],
    most: 1,
    format: formatRate,
    values: ({ lost, skipped }, seconds) => [skipped / seconds, lost / seconds],
  },
  {
    title: 'AI failures',
    lines: [
      { name: 'Attempts', colour: '--warn', isDashed: true },
      { name: 'Calls', colour: '--bad', isFilled: true },
    ],
    most: 0.1,
    format: formatShare,
    values: (bucket) => [
      ratio(bucket.ai_attempts_failed, bucket.ai_attempts_failed + bucket.ai_attempts_succeeded),
      ratio(bucket.calls_failed, bucket.calls_failed + bucket.calls_archived),
    ],
  },
]

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}

function Charts({ floor }: { readonly floor: Floor }) {
  const data = useMemo(() => {
    // The last one is still open: half a bucket would look like a drop.
    const closed = floor.history.length > 1 ? floor.history.slice(0, -1) : floor.history
    const times = closed.map(({ at }) => Date.parse(at) / 1000)
    return plans.map(({ lines, values }) => [
      times,
      ...lines.map((_, index) => closed.map((bucket) => values(bucket, floor.bucket_seconds)[index] ?? null)),
    ])
  }, [floor])
  if (floor.history.length < 3)
    return (
      <Empty drawing="wave" title="The first minutes">
        <p>
          Curves begin a little after the service has started: a point stands for {floor.bucket_seconds} s.
        </p>
      </Empty>
    )
  return (
    <div class="charts">
      {plans.map(({ title, lines, most, format }, index) => (
        <section class="chart-card" key={title}>
          <h2>{title}</h2>
          <Chart
            label={title}
            lines={lines}
            data={data[index] ?? []}
            height={208}
            most={most}
            format={format}
          />
        </section>
      ))}
    </div>
  )
}
