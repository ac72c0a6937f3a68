/** Positions of the feed: the epoch (one run of the process) and the offset of an event in it. */

export type Place =
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'malformed' | 'other_epoch' }

/** Ten digits to the base 36 hold every offset that a run can reach. */
const pattern = /^([A-Za-z0-9_-]{1,32})\.(0|[1-9a-z][0-9a-z]{0,9})$/

export function positionOf(epoch: string, offset: number): string {
  return `${epoch}.${offset.toString(36)}`
}

export function placeOf(epoch: string, position: string): Place {
  const found = pattern.exec(position)
  if (found === null) return { kind: 'malformed' }
  if (found[1] !== epoch) return { kind: 'other_epoch' }
  return { kind: 'offset', offset: Number.parseInt(found[2] as string, 36) }
}
