/** Medians and quantiles. Pure. */

/** Of an even count the mean of the two in the middle; NaN of nothing. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Nearest rank: a value that was really measured, never one between two. NaN of nothing. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.ceil(share * sorted.length)
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1] ?? Number.NaN
}

/** A share of the values, 0 to 1, and the value that so many of them do not exceed. */
export type CurvePoint = readonly [share: number, value: number]

export interface Distribution {
  readonly count: number
  readonly mean: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly curve: readonly CurvePoint[]
}

const curveShares = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1]

/** Sorts `values` in place. */
export function distribution(values: Float64Array): Distribution {
  values.sort()
  const count = values.length
  let sum = 0
  for (const value of values) sum += value
  return {
    count,
    mean: sum / count,
    p50: quantile(values, 0.5),
    p99: quantile(values, 0.99),
    p999: quantile(values, 0.999),
    max: quantile(values, 1),
    // A quantile that less than one value lies beyond would only say the maximum again.
    curve: curveShares
      .filter((share) => count > 0 && (share === 1 || (1 - share) * count >= 1))
      .map((share) => [share, quantile(values, share)] as const),
  }
}

/** The median of each member over several runs. */
export function mediansOf<Key extends string>(
  runs: readonly Readonly<Record<Key, number>>[],
  keys: readonly Key[],
): Record<Key, number> {
  const pairs = keys.map((key) => [key, median(runs.map((run) => run[key]))] as const)
  return Object.fromEntries(pairs) as Record<Key, number>
}

/** The curve of the medians of several runs, at the shares that all of them have. */
export function medianCurve(curves: readonly (readonly CurvePoint[])[]): readonly CurvePoint[] {
  const valuesAt = (share: number) =>
    curves.flatMap((curve) => curve.filter(([other]) => other === share).map(([, value]) => value))
  return (curves[0] ?? [])
    .filter(([share]) => valuesAt(share).length === curves.length)
    .map(([share]) => [share, median(valuesAt(share))] as const)
}
