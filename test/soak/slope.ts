/** Does a series of samples rise? Pure. */
import { median } from '../../bench/measure/statistics.js'

export type Point = readonly [x: number, y: number]

/**
 * Theil–Sen: the median of the slopes of all pairs of points. A third of the points may lie anywhere, so a collection of
 * garbage in the middle, or a burst of memory, does not pass for a trend. NaN for fewer than two points.
 */
export function theilSen(points: readonly Point[]): number {
  const slopes: number[] = []
  for (const [index, [x, y]] of points.entries())
    for (const [laterX, laterY] of points.slice(index + 1))
      if (laterX !== x) slopes.push((laterY - y) / (laterX - x))
  return median(slopes)
}

/**
 * The lowest point of each of `count` windows of equal length. What a process holds is what is left after a collection
 * of garbage; between two of them its memory rises in every process, leaking or not.
 */
export function floors(points: readonly Point[], count: number): readonly Point[] {
  const first = points[0]?.[0] ?? 0
  const span = (points.at(-1)?.[0] ?? 0) - first
  const lowest = new Map<number, Point>()
  for (const point of points) {
    const window = Math.min(count - 1, Math.floor(((point[0] - first) / (span || 1)) * count))
    const known = lowest.get(window)
    if (known === undefined || point[1] < known[1]) lowest.set(window, point)
  }
  return [...lowest.values()]
}
