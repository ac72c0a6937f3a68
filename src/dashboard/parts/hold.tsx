/** Lists that keep their order while somebody is at them. */
import { useMemo, useReducer, useRef } from 'preact/hooks'
import { type HeldOrder, heldOrder } from '../model/held-order.js'
import { Hold } from '../model/hold.js'

export function useHold(): Hold {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  return useMemo(() => new Hold(() => redraw(0)), [])
}

/** `asked` is what the viewer asked for: who asks for something else gets it at once. */
export function useHeldOrder<Item>(
  items: readonly Item[],
  isHeld: boolean,
  asked: unknown,
  keyOf: (item: Item) => string,
): HeldOrder<Item> {
  const drawn = useRef({ items, asked })
  const isSame = drawn.current.asked === asked
  const order = isHeld && isSame ? heldOrder(drawn.current.items, items, keyOf) : { items, gone: none }
  drawn.current = { items: order.items, asked }
  return order
}

const none: ReadonlySet<string> = new Set()

/** Below a list: above it a line that comes and goes would move the rows. */
export function HeldNote({ isHeld }: { readonly isHeld: boolean }) {
  if (!isHeld) return null
  return <span class="held">Order held while you are on the list; new ones come at its end</span>
}
