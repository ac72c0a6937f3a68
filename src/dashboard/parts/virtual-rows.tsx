/**
 * A long list of which only the rows in sight exist: its cost grows with the window, not with the calls. Rows are
 * placed by hand, which table elements do not allow, so their roles are said in words; the grid itself has the focus.
 */
import type { ComponentChildren, HTMLAttributes } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Hold } from '../model/hold.js'

/** Rows beyond the edges, so that a turn of the wheel shows no empty space. */
const overscanRows = 6

interface VirtualRowsProps<Item> {
  readonly items: readonly Item[]
  readonly rowPixels: number
  /** Of the row that the keyboard is at, or -1. */
  readonly cursor: number
  readonly label: string
  readonly columnCount: number
  /** Stays above the rows while they scroll. */
  readonly header?: ComponentChildren
  /** Of a list whose order changes by itself. */
  readonly hold?: Hold
  keyOf(item: Item): string
  /** What stands in the place of an item that is gone; null while it is there. */
  goneText?(item: Item): string | null
  row(item: Item, index: number): ComponentChildren
  open(item: Item): void
}

const rowId = (key: string): string => `row-${key}`

export function VirtualRows<Item>(props: VirtualRowsProps<Item>) {
  const { items, rowPixels, cursor, label, columnCount, header, hold, keyOf, goneText, row, open } = props
  const scroller = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(600)

  useEffect(() => {
    const element = scroller.current
    if (element === null) return
    const observer = new ResizeObserver(() => setHeight(element.clientHeight))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  // A list that goes away under the pointer says nothing of it.
  useEffect(() => () => hold?.left(), [hold])
  useLayoutEffect(() => {
    if (cursor >= 0 && scroller.current !== null) bringIntoSight(scroller.current, cursor, rowPixels)
  }, [cursor, rowPixels])

  const first = Math.max(0, Math.floor(top / rowPixels) - overscanRows)
  const end = Math.min(items.length, Math.ceil((top + height) / rowPixels) + overscanRows)
  const current = items[cursor]
  return (
    <div
      class="rows"
      ref={scroller}
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={items.length + 1}
      aria-colcount={columnCount}
      aria-activedescendant={current === undefined ? undefined : rowId(keyOf(current))}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      {...(hold === undefined ? {} : holding(hold))}
    >
      {header}
      <div class="rows-space" role="presentation" style={{ height: `${items.length * rowPixels}px` }}>
        {items.slice(first, end).map((item, offset) => {
          const index = first + offset
          const key = keyOf(item)
          const gone = goneText?.(item) ?? null
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the grid itself takes the keys.
            <div
              key={key}
              id={rowId(key)}
              class={index === cursor ? 'row row-current' : 'row'}
              role="row"
              tabIndex={-1}
              aria-rowindex={index + 2}
              aria-selected={index === cursor}
              style={{ height: `${rowPixels}px`, transform: `translateY(${index * rowPixels}px)` }}
              onClick={() => gone === null && open(item)}
            >
              {gone === null ? row(item, index) : <GoneRow text={gone} />}
            </div>
          )
        })}
      </div>
    </div>
  )
}

function GoneRow({ text }: { readonly text: string }) {
  return (
    <div class="row-gone quiet" role="gridcell">
      {text}
    </div>
  )
}

/** What tells that somebody is at the list. A click leaves the focus in it and the viewer goes on: only keys count. */
function holding(hold: Hold): HTMLAttributes<HTMLDivElement> {
  return {
    onPointerEnter: () => hold.pointed(true),
    onPointerLeave: () => hold.pointed(false),
    onPointerMove: () => hold.moved(),
    onWheel: () => hold.moved(),
    onKeyDown: () => hold.moved(),
    onFocusIn: ({ target }) => hold.focused(target instanceof Element && target.matches(':focus-visible')),
    onFocusOut: () => hold.focused(false),
  }
}

/** The header covers the first pixels of what is in sight. */
function bringIntoSight(element: HTMLElement, index: number, rowPixels: number): void {
  const headerPixels = (element.firstElementChild as HTMLElement | null)?.classList.contains('rows-header')
    ? (element.firstElementChild as HTMLElement).offsetHeight
    : 0
  const top = index * rowPixels
  const bottom = top + rowPixels + headerPixels
  if (top < element.scrollTop) element.scrollTop = top
  else if (bottom > element.scrollTop + element.clientHeight)
    element.scrollTop = bottom - element.clientHeight
}
