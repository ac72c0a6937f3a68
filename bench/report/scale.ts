/** From values to positions along an axis, and where its ticks stand. Pure. */
import type { Axis } from '../scenario.js'

export interface Tick {
  readonly at: number
  readonly label: string
}

export interface Scale {
  /** 0 at the lower end of the axis, 1 at the upper. */
  place(value: number): number
  readonly ticks: readonly Tick[]
}

export function scaleOf(axis: Axis, values: readonly number[]): Scale {
  const finite = values.filter((value) => Number.isFinite(value))
  if (axis.scale === 'tail') return tailScale(finite)
  return axis.scale === 'log' ? logScale(axis, finite) : linearScale(axis, finite)
}

/** 1, 2 or 5 times a power of ten, so that about `count` of them fill `span`. */
function niceStep(span: number, count: number): number {
  const rough = span / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough) ?? 10
  return factor * power
}

function linearScale(axis: Axis, values: readonly number[]): Scale {
  const from = axis.from ?? Math.min(...values, 0)
  const most = Math.max(...values, from + 1e-9)
  const step = niceStep(most - from || 1, 5)
  const to = Math.ceil(most / step) * step
  const ticks: Tick[] = []
  for (let at = Math.ceil(from / step) * step; at <= to + step / 1000; at += step)
    ticks.push({ at, label: numberLabel(Number(at.toPrecision(10))) })
  return { place: (value) => (value - from) / (to - from), ticks }
}

/** 1, 2 and 5 times the powers of ten; only the powers where that would be too many. */
function logTicks(least: number, most: number, factors: readonly number[]): readonly number[] {
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(least)); 10 ** power <= most * 10; power++)
    for (const factor of factors) ticks.push(Number((factor * 10 ** power).toPrecision(12)))
  const first = ticks.findLastIndex((tick) => tick <= least)
  const last = ticks.findIndex((tick) => tick >= most && tick > least)
  return ticks.slice(Math.max(first, 0), last + 1)
}

function logScale(axis: Axis, values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0)
  const least = axis.from ?? (positive.length > 0 ? Math.min(...positive) : 1)
  const most = Math.max(...positive, least)
  const fine = logTicks(least, most, [1, 2, 5])
  const ticks = fine.length <= 13 ? fine : logTicks(least, most, [1])
  const low = Math.log10(ticks[0] as number)
  const high = Math.log10(ticks.at(-1) as number)
  // What is not above 0 has no place on it: the lower end.
  const place = (value: number) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)
  return { place, ticks: ticks.map((at) => ({ at, label: numberLabel(at) })) }
}

/** Each nine takes the same room: a share p stands at −log10(1 − p). */
function tailScale(values: readonly number[]): Scale {
  const depth = (share: number) => -Math.log10(1 - share)
  const nines = Math.max(...values.filter((share) => share < 1).map(depth), 2)
  const most = Math.ceil(nines * 2) / 2 + 0.25
  const shares = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999].filter((share) => depth(share) < most)
  const ticks = shares.map((at) => ({ at, label: `${Number((at * 100).toPrecision(7))} %` }))
  return { place: (share) => Math.min(depth(share), most) / most, ticks: [...ticks, { at: 1, label: 'max' }] }
}

export function numberLabel(value: number): string {
  if (Math.abs(value) >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`
  if (Math.abs(value) >= 10_000) return `${Number((value / 1e3).toPrecision(3))} k`
  return String(Number(value.toPrecision(4)))
}
