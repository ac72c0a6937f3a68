/** Lists that keep their order while somebody is at them. */
import { useMemo, useReducer } from 'preact/hooks'
import { DrawnOrder } from '../model/held-order.js'
import { Hold } from '../model/hold.js'

export function useHold(): Hold {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  return useMemo(() => new Hold(() => redraw(0)), [])
}

export function useDrawnOrder<Item>(keyOf: (item: Item) => string): DrawnOrder<Item> {
  return useMemo(() => new DrawnOrder(keyOf), [keyOf])
}

/** Below a list: above it a line that comes and goes would move the rows. */
export function HeldNote({ isHeld }: { readonly isHeld: boolean }) {
  if (!isHeld) return null
  return <span class="held">Order held while you use the list; new calls are added at the end</span>
}
