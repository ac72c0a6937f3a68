/** Which node a partition is for: rendezvous hashing, so that a node that comes or goes moves only what is its own. */
import { textHash } from '../text-hash.js'

/** The first of the nodes by rank for this partition; null where there is none. */
export function firstOf(partition: number, nodes: readonly string[]): string | null {
  let first: string | null = null
  let highest = -1
  for (const node of nodes) {
    const rank = textHash(`${node}/${partition}`)
    if (rank < highest || (rank === highest && first !== null && node > first)) continue
    highest = rank
    first = node
  }
  return first
}
