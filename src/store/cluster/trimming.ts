/** How far the log may be trimmed: what every node that lives has safely in its file, and no further. */
import type { OwnerTable } from './owner-table.js'
import { subjectOf } from './subjects.js'

/** Two copies beside the log, however few nodes live. */
const copiesMin = 2

/** 0 for not at all. `live`: nodes that are waited for. */
export function trimmableThrough(table: OwnerTable, live: readonly string[]): number {
  if (live.length < copiesMin) return 0
  let through = Number.POSITIVE_INFINITY
  for (const node of live) {
    through = Math.min(through, table.nodes.get(node)?.synced ?? 0)
    // What a node wrote last stays: a subject that ends with nothing takes its next message for an old one.
    through = Math.min(through, table.lastOf(subjectOf(node)) - 1)
  }
  return Math.max(0, through)
}
