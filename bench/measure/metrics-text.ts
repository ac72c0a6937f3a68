/** The Prometheus text format, as far as the service writes it: what it counted between two looks. */

/** By name and labels as they are written, for example `voicestream_packets_total{status="accepted"}`. */
export type Readings = ReadonlyMap<string, number>

export function parseMetrics(text: string): Readings {
  const readings = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const space = line.lastIndexOf(' ')
    readings.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return readings
}

export async function readMetrics(url: string): Promise<Readings> {
  const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(15_000) })
  return parseMetrics(await answer.text())
}

/** What was counted between two looks; 0 for what neither knows. Meant for counters and histograms, not for gauges. */
export function counted(before: Readings, after: Readings, name: string): number {
  return (after.get(name) ?? 0) - (before.get(name) ?? 0)
}

export interface Bucket {
  /** Upper bound, inclusive; the last one is infinite. */
  readonly most: number
  readonly count: number
}

export interface BucketHistogram {
  readonly count: number
  readonly sum: number
  readonly buckets: readonly Bucket[]
}

/** A histogram between two looks; `label`, as it is written, names one series of those that have a label. */
export function histogramBetween(
  before: Readings,
  after: Readings,
  name: string,
  label: string | null = null,
): BucketHistogram {
  const prefix = `${name}_bucket{le="`
  const end = label === null ? '"}' : `",${label}}`
  const labels = label === null ? '' : `{${label}}`
  const bounds = [...after.keys()]
    .filter((key) => key.startsWith(prefix) && key.endsWith(end))
    .map((key) => key.slice(prefix.length, -end.length))
  let below = 0
  const buckets = bounds.map((bound) => {
    const through = counted(before, after, `${prefix}${bound}${end}`)
    const count = through - below
    below = through
    return { most: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), count }
  })
  return {
    count: counted(before, after, `${name}_count${labels}`),
    sum: counted(before, after, `${name}_sum${labels}`),
    buckets,
  }
}

export const meanOf = ({ sum, count }: BucketHistogram): number => sum / count

/** Interpolated within its bucket, so no better than the buckets are; beyond the last bound, that bound. */
export function bucketQuantile({ count, buckets }: BucketHistogram, share: number): number {
  const wanted = share * count
  let below = 0
  let least = 0
  for (const bucket of buckets) {
    if (below + bucket.count >= wanted && bucket.count > 0) {
      if (bucket.most === Number.POSITIVE_INFINITY) return least
      return least + ((bucket.most - least) * (wanted - below)) / bucket.count
    }
    below += bucket.count
    if (bucket.most !== Number.POSITIVE_INFINITY) least = bucket.most
  }
  return count === 0 ? Number.NaN : least
}

/** Share of the values up to each bound: the points of a cumulative curve, from its last 0 to its first 1. */
export function cumulative({ count, buckets }: BucketHistogram): readonly (readonly [number, number])[] {
  let below = 0
  const points: (readonly [number, number])[] = []
  for (const bucket of buckets) {
    if (bucket.most === Number.POSITIVE_INFINITY || below === count) break
    below += bucket.count
    if (below === 0) points.length = 0
    points.push([bucket.most, below / count])
  }
  return points
}

/** All that several of the same bounds counted. */
export function merged(histograms: readonly BucketHistogram[]): BucketHistogram {
  const sumOf = (value: (histogram: BucketHistogram) => number) =>
    histograms.reduce((sum, histogram) => sum + value(histogram), 0)
  return {
    count: sumOf(({ count }) => count),
    sum: sumOf(({ sum }) => sum),
    buckets: (histograms[0]?.buckets ?? []).map(({ most }, index) => ({
      most,
      count: sumOf(({ buckets }) => buckets[index]?.count ?? 0),
    })),
  }
}
