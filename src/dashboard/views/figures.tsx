/** The floor in five figures. */
import type { ComponentChildren } from 'preact'
import type { Trend } from '../feed/floor-watch.js'
import { formatCount, formatRate, formatShare } from '../format.js'
import type { FloorPicture } from '../model/floor-picture.js'
import { Sparkline } from '../parts/sparkline.js'

interface FigureProps {
  readonly name: string
  readonly value: string
  readonly note: ComponentChildren
  readonly points?: readonly number[]
}

function Figure({ name, value, note, points }: FigureProps) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>
        <span class="figure-value">{value}</span>
        {points !== undefined && <Sparkline points={points} />}
        <span class="figure-note">{note}</span>
      </dd>
    </div>
  )
}

export function Figures({ picture, trend }: { readonly picture: FloorPicture; readonly trend: Trend }) {
  const { totals } = picture
  if (totals === null) return null
  const { calls, last_hour: hour } = totals
  const ended = hour.archived + hour.failed
  return (
    <dl class="figures">
      <Figure
        name="In progress"
        value={formatCount(calls.IN_PROGRESS)}
        note={`${formatCount(calls.COMPLETED)} completing`}
        points={trend.live}
      />
      <Figure
        name="Packets/s"
        value={formatRate(totals.packets_per_second)}
        note={`${formatRate(totals.late_per_second)} late`}
        points={trend.packetsPerSecond}
      />
      <Figure
        name="Lost, 1 h"
        value={formatShare(share(hour.lost, hour.packets + hour.lost))}
        note={`${formatCount(hour.lost)} lost`}
      />
      <Figure
        name="AI queue"
        value={formatCount(totals.ai_queue)}
        note={`${formatCount(hour.archived)} analysed in 1 h`}
      />
      <Figure
        name="AI failed, 1 h"
        value={formatShare(share(hour.failed, ended))}
        note={`${formatCount(hour.failed)} of ${formatCount(ended)} analyses`}
      />
    </dl>
  )
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
