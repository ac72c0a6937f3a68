/** One chart as inline SVG: lines with points, a grid, labelled axes. Colours come from the page, for light and dark. */
import type { ChartData, Series } from '../scenario.js'
import { numberLabel, type Scale, scaleOf } from './scale.js'

const width = 720
const height = 340
const margin = { left: 72, right: 20, top: 16, bottom: 52 }
const plot = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom }

export const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

interface Scales {
  readonly x: Scale
  readonly y: Scale
}

const left = (scales: Scales, x: number) => margin.left + scales.x.place(x) * plot.width
const top = (scales: Scales, y: number) => margin.top + (1 - scales.y.place(y)) * plot.height
const px = (value: number) => value.toFixed(1)

function grid(scales: Scales): string {
  const bottom = margin.top + plot.height
  const vertical = scales.x.ticks.map(({ at, label }) => {
    const x = px(left(scales, at))
    return `<line class="grid" x1="${x}" x2="${x}" y1="${margin.top}" y2="${bottom}"/><text x="${x}" y="${bottom + 18}" text-anchor="middle">${escapeText(label)}</text>`
  })
  const horizontal = scales.y.ticks.map(({ at, label }) => {
    const y = px(top(scales, at))
    return `<line class="grid" x1="${margin.left}" x2="${margin.left + plot.width}" y1="${y}" y2="${y}"/><text x="${margin.left - 8}" y="${y}" dy="0.32em" text-anchor="end">${escapeText(label)}</text>`
  })
  return [...vertical, ...horizontal].join('')
}

function axisLabels({ x, y }: ChartData): string {
  const middle = margin.top + plot.height / 2
  return (
    `<text class="axis" x="${margin.left + plot.width / 2}" y="${height - 8}" text-anchor="middle">${escapeText(x.label)}</text>` +
    `<text class="axis" x="16" y="${middle}" text-anchor="middle" transform="rotate(-90 16 ${middle})">${escapeText(y.label)}</text>`
  )
}

function line(scales: Scales, { name, points }: Series, index: number): string {
  const drawn = points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))
  const path = drawn.map(([x, y]) => `${px(left(scales, x))},${px(top(scales, y))}`).join(' ')
  // Points of a long series would run into one another.
  const dots =
    drawn.length > 60
      ? ''
      : drawn
          .map(
            ([x, y]) =>
              `<circle cx="${px(left(scales, x))}" cy="${px(top(scales, y))}" r="3.5"><title>${escapeText(name)}: ${numberLabel(x)} → ${numberLabel(y)}</title></circle>`,
          )
          .join('')
  return `<g class="series s${index % 6}"><polyline points="${path}"/>${dots}</g>`
}

function bounds(scales: Scales, data: ChartData): string {
  return (data.bounds ?? [])
    .map(({ y, label }) => {
      const at = px(top(scales, y))
      const right = margin.left + plot.width
      return `<line class="bound" x1="${margin.left}" x2="${right}" y1="${at}" y2="${at}"/><text x="${right - 4}" y="${at}" dy="-0.4em" text-anchor="end">${escapeText(label)}</text>`
    })
    .join('')
}

const legend = (series: readonly Series[]) =>
  series
    .map(({ name }, index) => `<span class="key"><i class="s${index % 6}"></i>${escapeText(name)}</span>`)
    .join('')

export function chartFigure(data: ChartData): string {
  const points = data.series.flatMap((series) => series.points)
  if (points.length === 0) return ''
  const scales = {
    x: scaleOf(
      data.x,
      points.map(([x]) => x),
    ),
    y: scaleOf(data.y, [...points.map(([, y]) => y), ...(data.bounds ?? []).map(({ y }) => y)]),
  }
  const drawn = data.series.map((series, index) => line(scales, series, index)).join('')
  return `<figure><figcaption>${escapeText(data.title)}</figcaption><div class="legend">${legend(data.series)}</div><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(data.title)}">${grid(scales)}${axisLabels(data)}${bounds(scales, data)}${drawn}</svg></figure>`
}
