/**
 * Bounds on time that are the machine's as well: on a quiet one as they are written, on a busy one so many times as long as
 * there are processes that want each of its cores. With a load of 8 on two cores everything takes four times as long.
 */
import { availableParallelism, loadavg } from 'node:os'

/** The load is the last minute's, and without one (Windows) it is 0. */
export function patience(quietMs: number): number {
  const [load = 0] = loadavg()
  return quietMs * Math.max(1, load / availableParallelism())
}
