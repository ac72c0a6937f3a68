/**
 * The rows of a list that somebody is at. What is told of a row goes on changing, its place does not: who clicks means
 * the row that was there. But no order stands for ever, or what is urgent would stay at the end of it.
 */

/** Then the list is sorted anew, once, even under a pointer that never rests. */
const heldMsMax = 60_000
/** Of the rows that are over; those further down are dropped. */
const goneMax = 200

export interface HeldOrder<Item> {
  readonly items: readonly Item[]
  /** Keys of those that are in the list only because they were. */
  readonly gone: ReadonlySet<string>
}

export interface Listed<Item> {
  /** As they would be sorted. */
  readonly items: readonly Item[]
  /** With those which the viewer did not ask for: one of them keeps its place, as what it has become. */
  readonly all: readonly Item[]
}

/** The rows as they stood; one that is over keeps its place with what was last known, new ones come at the end. Pure. */
export function heldOrder<Item>(
  before: readonly Item[],
  { items, all }: Listed<Item>,
  keyOf: (item: Item) => string,
): HeldOrder<Item> {
  const known = new Map(all.map((item) => [keyOf(item), item]))
  const met = new Set<string>()
  const gone = new Set<string>()
  const held: Item[] = []
  for (const item of before) {
    const key = keyOf(item)
    const current = known.get(key)
    met.add(key)
    if (current !== undefined) held.push(current)
    else if (gone.size < goneMax) {
      gone.add(key)
      held.push(item)
    }
  }
  return { items: [...held, ...items.filter((item) => !met.has(keyOf(item)))], gone }
}

/** One list as it was drawn last. */
export class DrawnOrder<Item> {
  readonly #keyOf: (item: Item) => string
  #items: readonly Item[] = []
  #asked: unknown
  #sortedAt = Number.NEGATIVE_INFINITY

  constructor(keyOf: (item: Item) => string) {
    this.#keyOf = keyOf
  }

  /** `asked` is what the viewer asked for: who asks for something else gets it at once. */
  next(
    listed: Listed<Item>,
    { isHeld, asked }: { readonly isHeld: boolean; readonly asked: unknown },
  ): HeldOrder<Item> {
    const now = performance.now()
    const stands = isHeld && asked === this.#asked && now - this.#sortedAt < heldMsMax
    const order = stands ? heldOrder(this.#items, listed, this.#keyOf) : { items: listed.items, gone: none }
    if (!stands) this.#sortedAt = now
    this.#items = order.items
    this.#asked = asked
    return order
  }
}

const none: ReadonlySet<string> = new Set()
