/** The keys of the page. They work wherever the focus is, except in a field. */
import { useEffect, useRef } from 'preact/hooks'
import type { Place } from './route.js'

export interface KeyActions {
  move(by: number): void
  open(): void
  escape(): void
  go(place: Place): void
  search(): void
  acknowledge(): void
  help(): void
  theme(): void
}

export const keyHelp: readonly (readonly [keys: readonly string[], text: string])[] = [
  [['j', '↓'], 'Next call'],
  [['k', '↑'], 'Previous call'],
  [['Enter'], 'Open the call'],
  [['Esc'], 'Close it'],
  [['Space'], 'Play the recording, or pause it'],
  [['←', '→'], '5 s back, 5 s on'],
  [['a'], 'Acknowledge the call'],
  [['/'], 'Search calls'],
  [['n'], 'Needs attention'],
  [['c'], 'All calls'],
  [['f'], 'The floor'],
  [['t'], 'Light, dark, or as the system'],
  [['?'], 'This help'],
]

const actionOf: Readonly<Record<string, (actions: KeyActions) => void>> = {
  j: (actions) => actions.move(1),
  ArrowDown: (actions) => actions.move(1),
  k: (actions) => actions.move(-1),
  ArrowUp: (actions) => actions.move(-1),
  PageDown: (actions) => actions.move(10),
  PageUp: (actions) => actions.move(-10),
  Enter: (actions) => actions.open(),
  Escape: (actions) => actions.escape(),
  a: (actions) => actions.acknowledge(),
  '/': (actions) => actions.search(),
  n: (actions) => actions.go('needs'),
  c: (actions) => actions.go('calls'),
  f: (actions) => actions.go('floor'),
  t: (actions) => actions.theme(),
  '?': (actions) => actions.help(),
}
/** Keys that mean something to the element that has the focus. */
const ownKeys: readonly (readonly [selector: string, keys: readonly string[]])[] = [
  ['button, a, summary, audio', ['Enter', ' ']],
  ['audio', ['ArrowDown', 'ArrowUp']],
  ['.transcript, .ledger-scroll', ['ArrowDown', 'ArrowUp', 'PageDown', 'PageUp']],
]

export function useKeys(actions: KeyActions): void {
  const latest = useRef(actions)
  latest.current = actions
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof Element)) return
      const { key, target } = event
      const action = Object.hasOwn(actionOf, key) ? actionOf[key] : undefined
      if (action === undefined) return
      if (target.matches('input, textarea, select') && !leavesField(key, target)) return
      if (ownKeys.some(([selector, keys]) => keys.includes(key) && target.matches(selector))) return
      event.preventDefault()
      action(latest.current)
    }
    document.addEventListener('keydown', listener)
    return () => document.removeEventListener('keydown', listener)
  }, [])
}

/** Out of the search field the arrows and Enter go on to the list, and Esc goes back to it. */
function leavesField(key: string, field: Element): boolean {
  if (field.id !== 'search') return false
  if (key === 'Escape') {
    ;(field as HTMLInputElement).blur()
    return false
  }
  return key === 'ArrowDown' || key === 'ArrowUp' || key === 'Enter'
}
