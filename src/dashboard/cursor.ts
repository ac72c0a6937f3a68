/** The row that the keys act on, and the way to what it names. */
import { useState } from 'preact/hooks'
import { callHash } from './route.js'

export const goTo = (hash: string) => {
  location.hash = hash
}

export function useCursor(ids: readonly string[], callId: string | null) {
  const [cursorId, setCursorId] = useState<string | null>(null)
  const cursor = cursorId === null ? -1 : ids.indexOf(cursorId)
  const open = (id: string) => {
    setCursorId(id)
    goTo(callHash(id))
  }
  const openCursor = () => cursorId !== null && cursor >= 0 && open(cursorId)
  const move = (by: number) => {
    const next = ids[Math.min(ids.length - 1, Math.max(0, cursor === -1 ? 0 : cursor + by))]
    if (next === undefined) return
    setCursorId(next)
    // With a call open beside the list the list leafs through the calls.
    if (callId !== null) location.replace(callHash(next))
  }
  /** To the neighbour of a row that is about to go. */
  const leave = (id: string) => {
    const at = ids.indexOf(id)
    setCursorId(ids[at + 1] ?? ids[at - 1] ?? null)
  }
  return { cursor, open, openCursor, move, leave }
}
