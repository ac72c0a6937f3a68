/**
 * The calls that this viewer has acknowledged. Kept in the browser alone: others still see the call. A call reappears
 * when one of its concerns gets worse, when a new one begins, or when the same one begins again.
 */
import { concernKinds, type Need } from './attention.js'

const storageKey = 'voicestream.acknowledged'
/** The oldest are forgotten beyond it: a list that long is no list. */
const acknowledgedMax = 2000

/** The part of `localStorage` that is used; it may be missing, full or forbidden. */
export interface Keep {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

type Levels = Readonly<Record<string, number>>

export class Acknowledgements {
  readonly #keep: Keep | null
  readonly #seen = new Map<string, Levels>()

  constructor(keep: Keep | null) {
    this.#keep = keep
    for (const [callId, levels] of readEntries(keep)) this.#seen.set(callId, levels)
  }

  /** Of the concerns that the viewer sees; what was acknowledged of others stays so. */
  add({ call, concerns }: Need): void {
    const before = this.#seen.get(call.id)
    this.#seen.delete(call.id)
    this.#seen.set(call.id, {
      ...before,
      ...Object.fromEntries(concerns.map(({ kind, level }) => [kind, level])),
    })
    for (const callId of this.#seen.keys()) {
      if (this.#seen.size <= acknowledgedMax) break
      this.#seen.delete(callId)
    }
    this.#write()
  }

  remove(callId: string): void {
    if (this.#seen.delete(callId)) this.#write()
  }

  covers({ call, concerns }: Need): boolean {
    const levels = this.#seen.get(call.id)
    return levels !== undefined && concerns.every(({ kind, level }) => level <= (levels[kind] ?? 0))
  }

  /** Forgets what is over, so that it is told again when it comes back. To be called with a whole picture only. */
  settle(needs: readonly Need[]): void {
    if (this.#seen.size === 0) return
    const now = new Map(needs.map((need) => [need.call.id, need]))
    let isChanged = false
    for (const [callId, levels] of this.#seen) {
      const kinds = now.get(callId)?.concerns.map(({ kind }): string => kind) ?? []
      const kept = Object.entries(levels).filter(([kind]) => kinds.includes(kind))
      if (kept.length === Object.keys(levels).length) continue
      isChanged = true
      if (kept.length === 0) this.#seen.delete(callId)
      else this.#seen.set(callId, Object.fromEntries(kept))
    }
    if (isChanged) this.#write()
  }

  #write(): void {
    try {
      this.#keep?.setItem(storageKey, JSON.stringify([...this.#seen]))
    } catch {
      // Storage is full or forbidden: then it holds until the page is closed.
    }
  }
}

/** Whatever somebody else may have written there is checked, and thrown away when it is not ours. */
function* readEntries(keep: Keep | null): Generator<readonly [string, Levels]> {
  let stored: unknown
  try {
    stored = JSON.parse(keep?.getItem(storageKey) ?? '[]')
  } catch {
    return
  }
  if (!Array.isArray(stored)) return
  for (const entry of stored.slice(-acknowledgedMax)) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string') continue
    if (typeof entry[1] !== 'object' || entry[1] === null) continue
    const levels = Object.entries(entry[1] as Record<string, unknown>).filter(
      (pair): pair is [string, number] =>
        concernKinds.some((kind) => kind === pair[0]) && typeof pair[1] === 'number',
    )
    if (levels.length > 0) yield [entry[0], Object.fromEntries(levels)]
  }
}
