/**
 * A call over its sequence numbers: a band where packets are here, notches where they are missing, and marks below
 * where they came late. Each has a place and a shape of its own, so that the colours are not needed to read it.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { formatCount } from '../format.js'
import { missingByColumn, type Range } from '../model/missing-ranges.js'
import { useTheme } from './theme.js'

interface GapPictureProps {
  readonly ranges: readonly Range[]
  readonly late: ReadonlySet<number>
  /** Sequences 0 to this one are in the picture. */
  readonly last: number
  /** Rises when any of it changed. */
  readonly version: number
}

const bandHeight = 48
const lateTop = bandHeight + 6
const lateHeight = 8
const height = lateTop + lateHeight

export function GapPicture({ ranges, late, last, version }: GapPictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)
  const [pointedAt, setPointedAt] = useState<number | null>(null)
  const theme = useTheme()
  useEffect(() => {
    const element = canvas.current
    if (element === null) return
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  // The ranges and late packets change in place; their version tells.
  useEffect(() => {
    if (canvas.current !== null && width > 0) draw(canvas.current, width, { ranges, late, last })
  }, [width, theme, version, last])

  const total = last + 1
  const missing = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0)
  const summary = `Packets 0 to ${formatCount(last)}: ${formatCount(missing)} missing in ${formatCount(ranges.length)} ranges, ${formatCount(late.size)} late.`
  return (
    <figure class="gap-picture">
      <canvas
        ref={canvas}
        role="img"
        aria-label={summary}
        onPointerMove={(event) => setPointedAt(event.offsetX / Math.max(1, width))}
        onPointerLeave={() => setPointedAt(null)}
      />
      <div class="gap-scale" aria-hidden="true">
        <span>0</span>
        <span class="gap-pointed">
          {pointedAt === null ? '' : textAt(pointedAt, width, { ranges, late, last })}
        </span>
        <span>{formatCount(last)}</span>
      </div>
      <figcaption class="legend">
        <span class="legend-received">Received</span>
        <span class="legend-missing">Missing</span>
        <span class="legend-late">Late</span>
        <span class="quiet">
          {total > width && width > 0 ? `${(total / width).toFixed(1)} packets a pixel` : ''}
        </span>
      </figcaption>
    </figure>
  )
}

type Content = Pick<GapPictureProps, 'ranges' | 'late' | 'last'>

function draw(canvas: HTMLCanvasElement, width: number, { ranges, late, last }: Content): void {
  const ratio = window.devicePixelRatio
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(height * ratio)
  const context = canvas.getContext('2d')
  if (context === null) return
  context.scale(ratio, ratio)
  const style = getComputedStyle(canvas)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const total = last + 1
  const columns = Math.max(1, Math.min(Math.floor(width), total))
  context.fillStyle = colour('--received')
  context.fillRect(0, 0, width, bandHeight)

  const shares = missingByColumn(ranges, total, columns)
  const edge = (column: number) => Math.round((column / columns) * width)
  for (const [column, share] of shares.entries()) {
    if (share === 0) continue
    // However little of a column is missing, it can be seen; half of it reaches the bottom.
    const depth = Math.max(0.35, Math.min(1, share * 2)) * bandHeight
    const [left, across] = [edge(column), Math.max(1, edge(column + 1) - edge(column))]
    context.fillStyle = colour('--surface')
    context.fillRect(left, 0, across, depth)
    context.fillStyle = colour('--bad')
    context.fillRect(left, 0, across, Math.max(4, depth - 3))
  }
  context.fillStyle = colour('--warn')
  const marks = new Set<number>()
  for (const sequence of late) marks.add(Math.floor((sequence / total) * columns))
  for (const column of marks) {
    const middle = (edge(column) + edge(column + 1)) / 2
    context.beginPath()
    context.moveTo(middle, lateTop)
    context.lineTo(middle + 2.5, lateTop + lateHeight)
    context.lineTo(middle - 2.5, lateTop + lateHeight)
    context.fill()
  }
}

function textAt(share: number, width: number, { ranges, late, last }: Content): string {
  const total = last + 1
  const from = Math.min(last, Math.max(0, Math.floor(share * total)))
  const to = Math.max(from, Math.min(last, Math.floor((share + 1 / width) * total) - 1))
  let missing = 0
  for (const [first, end] of ranges) missing += Math.max(0, Math.min(end, to) - Math.max(first, from) + 1)
  let lateCount = 0
  for (let sequence = from; sequence <= to && to - from < 10_000; sequence++)
    if (late.has(sequence)) lateCount++
  const what = [
    ...(missing > 0 ? [`${formatCount(missing)} missing`] : []),
    ...(lateCount > 0 ? [`${formatCount(lateCount)} late`] : []),
  ]
  const where = from === to ? formatCount(from) : `${formatCount(from)}–${formatCount(to)}`
  return `${where}: ${what.length === 0 ? 'all here' : what.join(', ')}`
}
