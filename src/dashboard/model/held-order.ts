/**
 * The rows of a list that somebody is at. What is told of a row goes on changing, its place does not: who clicks means
 * the row that was there. Pure.
 */
export interface HeldOrder<Item> {
  readonly items: readonly Item[]
  /** Keys of those that are in the list only because they were. */
  readonly gone: ReadonlySet<string>
}

/** The rows as they stood; one whose item is gone keeps its place with what was last known, new ones come at the end. */
export function heldOrder<Item>(
  before: readonly Item[],
  now: readonly Item[],
  keyOf: (item: Item) => string,
): HeldOrder<Item> {
  const coming = new Map(now.map((item) => [keyOf(item), item]))
  const gone = new Set<string>()
  const held = before.map((item) => {
    const key = keyOf(item)
    const current = coming.get(key)
    if (!coming.delete(key)) gone.add(key)
    return current ?? item
  })
  return { items: [...held, ...coming.values()], gone }
}
