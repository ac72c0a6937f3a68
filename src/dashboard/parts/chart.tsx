/** A chart over time. The only importer of uPlot. Its colours are those of the page, read when the theme changes. */
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { formatTime } from '../format.js'
import { useTheme } from './theme.js'

export interface Line {
  readonly name: string
  /** A custom property of the page's style, for example `--ok`. */
  readonly colour: string
  readonly isFilled?: boolean
  readonly isDashed?: boolean
}

interface ChartProps {
  readonly label: string
  readonly lines: readonly Line[]
  /** Seconds since 1970, then one list a line; null where nothing is known. */
  readonly data: readonly (readonly (number | null)[])[]
  readonly height: number
  /** The scale reaches at least so far, so that next to nothing looks like it. */
  readonly most: number
  format(value: number): string
}

const axisFont = '12px system-ui, sans-serif'

export function Chart({ label, lines, data, height, most, format }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const theme = useTheme()

  useEffect(() => {
    const element = place.current
    if (element === null) return
    const made = new uPlot(
      optionsOf({ lines, height, most, format, label, data }, element.clientWidth),
      aligned(data),
      element,
    )
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = null
    }
    // The rest of a chart never changes while it is shown.
  }, [theme, height])
  useEffect(() => {
    plot.current?.setData(aligned(data))
    plot.current?.setLegend({})
  }, [data])

  return (
    <div class="chart" ref={place} role="img" aria-label={`${label}. ${summaryOf(lines, data, format)}`} />
  )
}

function aligned(data: ChartProps['data']): uPlot.AlignedData {
  return data.map((values) => [...values]) as unknown as uPlot.AlignedData
}

/** What somebody who does not see the curve is told of it. */
function summaryOf(
  lines: readonly Line[],
  data: ChartProps['data'],
  format: (value: number) => string,
): string {
  return lines
    .map(({ name }, index) => {
      const last = data[index + 1]?.findLast((value) => value !== null)
      return last === undefined || last === null ? `${name}: nothing yet` : `${name}: ${format(last)} last`
    })
    .join(', ')
}

/** Minutes, unless so short a time is shown that they would all be the same. */
function axisTime(at: number, plot: uPlot): string {
  const { min, max } = plot.scales['x'] ?? {}
  return formatTime(at * 1000).slice(0, (max ?? 0) - (min ?? 0) < 600 ? 8 : 5)
}

/** Where nobody points at a time, the legend tells the last one. */
function lastOf(plot: uPlot, line: number): number | null {
  return plot.data[line]?.at(-1) ?? null
}

/** Undefined where the pointer is still at a time that the data no longer reach. */
const textOf = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? '–' : format(value)

function optionsOf(props: ChartProps, width: number): uPlot.Options {
  const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const axis = { stroke: colour('--ink-3'), font: axisFont, ticks: { show: false }, border: { show: false } }
  return {
    width,
    height: props.height,
    // The last time stands under the end of its line.
    padding: [8, 28, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    legend: { live: true },
    scales: { y: { range: (_, __, max) => [0, Math.max(props.most, (max ?? 0) * 1.1)] } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 28,
        space: 72,
        values: (plot, splits) => splits.map((at) => axisTime(at, plot)),
      },
      {
        ...axis,
        size: 56,
        space: 36,
        grid: { stroke: colour('--line'), width: 1 },
        values: (_, splits) => splits.map((value) => props.format(value)),
      },
    ],
    series: [
      {
        label: 'Time',
        value: (plot, at) => textOf(at ?? lastOf(plot, 0), (known) => formatTime(known * 1000)),
      },
      ...props.lines.map(({ name, colour: property, isFilled, isDashed }) => ({
        label: name,
        stroke: colour(property),
        width: 2,
        ...(isFilled ? { fill: `${colour(property)}22` } : {}),
        ...(isDashed ? { dash: [5, 4] } : {}),
        points: { show: false },
        value: (plot: uPlot, value: number | null | undefined, line: number, index?: number | null) =>
          textOf(typeof index === 'number' ? value : lastOf(plot, line), props.format),
      })),
    ],
  }
}
