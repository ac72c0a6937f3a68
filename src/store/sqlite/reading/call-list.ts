/**
 * Pages of calls, newest or oldest first: of all, of a state, of a range of time, of what was said of them or in them. The rarest of these
 * leads, the others are asked for each call that it finds (`calls-asked-for`); a page ends early when it has looked at many that do not fit.
 */

import { randomBytes } from 'node:crypto'
import type { Statement } from 'better-sqlite3'
import { messageOf } from '../../../errors.js'
import { limits } from '../../../limits.js'
import type { MatchPart, SearchTerm } from '../../../protocol/search.js'
import type { CallQuery } from '../../journal.js'
import type { Db } from '../files/schema.js'
import { isUnreadable } from '../files/sqlite-error.js'
import type { DamagedCallRow, FoundCallRow, StoredCallRow } from '../thread-messages.js'
import { CallsAskedFor } from './calls-asked-for.js'
import { DamagedCalls } from './damaged-calls.js'
import { type CallTableRow, storedCall } from './stored-call-row.js'
import { type LifecycleTextRow, lifecycleTextColumns, textIn } from './stored-lifecycle.js'

type Row = StoredCallRow | DamagedCallRow

interface Page {
  readonly calls: readonly (FoundCallRow | DamagedCallRow)[]
  readonly nextCursor: number | null
}

/** Every number is bound as REAL, and FTS5 ignores such a bound of its rows: it goes over all that have the word. */
const integer = 'CAST(? AS INTEGER)'
/** Words around what was found. */
const matchWords = 24

export class CallPages {
  readonly #callByKey: Statement<[number], CallTableRow>
  readonly #asked: CallsAskedFor
  readonly #matches: Statement<
    [string, string, string, number, number, string],
    { key: number; text: string }
  >
  /** Around what was found: nobody who speaks can know them. */
  readonly #open = randomBytes(9).toString('base64')
  readonly #close = randomBytes(9).toString('base64')

  readonly #damagedCalls: DamagedCalls
  readonly #transcript: Statement<[number], LifecycleTextRow>
  readonly #damaged: (damage: string) => void

  /** `damaged` is told what was met that is not what was written. */
  constructor(db: Db, damaged: (damage: string) => void = () => {}) {
    this.#damaged = damaged
    this.#damagedCalls = new DamagedCalls(db)
    this.#transcript = db.prepare(
      `SELECT ${lifecycleTextColumns} FROM lifecycle WHERE call_key = ? AND type IN ('analysed', 'heard')
       ORDER BY version DESC LIMIT 1`,
    )
    this.#callByKey = db.prepare('SELECT * FROM calls WHERE key = ?')
    this.#asked = new CallsAskedFor(db)
    // The plus keeps SQLite from beginning the search anew for each key: a prefix gathers its words at every beginning.
    this.#matches = db.prepare(
      `SELECT rowid AS key, snippet(words, 0, ?, ?, '…', ${matchWords}) AS text FROM words
       WHERE words MATCH ? AND rowid >= ${integer} AND rowid <= ${integer} AND +rowid IN (SELECT value FROM json_each(?))`,
    )
  }

  page(query: CallQuery): Page {
    const words = query.search == null ? null : matchOf(query.search)
    const { calls, nextCursor } = this.#fitting(query, words)
    if (words === null) return { calls, nextCursor }
    const matches = this.#matchesIn(words, calls)
    const found = calls.map((call) =>
      call.snapshot === null ? call : { ...call, match: matches.get(call.key) ?? [] },
    )
    return { calls: found, nextCursor }
  }

  #fitting(query: CallQuery, words: string | null): { calls: Row[]; nextCursor: number | null } {
    const { limit } = query
    const calls: Row[] = []
    let bytes = 0
    let lookedAt = 0
    let last: number | null = null
    const { keys, fits, lookups } = this.#asked.find(query, words)
    for (const key of keys) {
      if (calls.length === limit || lookedAt + lookups() >= limits.callsLookedAtMax)
        return { calls, nextCursor: last }
      lookedAt++
      // By the indexes alone: the row of a call that does not fit, with its snapshot, may be many pages long.
      const call = fits(key) && (words === null || this.#isHeard(key)) ? this.#call(key) : null
      if (call !== null) {
        bytes += call.snapshot?.body.length ?? 0
        if (calls.length > 0 && bytes > limits.pageBytesMax) return { calls, nextCursor: last }
        calls.push(call)
      }
      last = key
    }
    return { calls, nextCursor: null }
  }

  #call(key: number): Row | null {
    try {
      const row = this.#callByKey.get(key)
      return row === undefined ? null : storedCall(row)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#damaged(messageOf(error))
      return this.#damagedCalls.find(key)
    }
  }

  /** What was found in a transcript that is not what was written is no find. */
  #isHeard(key: number): boolean {
    try {
      const row = this.#transcript.get(key)
      if (row !== undefined) textIn(row)
      return row !== undefined
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#damaged(messageOf(error))
      return false
    }
  }

  #matchesIn(words: string, calls: readonly Row[]): ReadonlyMap<number, readonly MatchPart[]> {
    const keys = calls.map(({ key }) => key)
    const [first, last] = [Math.min(...keys), Math.max(...keys)]
    if (keys.length === 0) return new Map()
    const rows = this.#matches.all(this.#open, this.#close, words, first, last, JSON.stringify(keys))
    return new Map(rows.map(({ key, text }) => [key, this.#partsOf(text)]))
  }

  #partsOf(text: string): readonly MatchPart[] {
    return text.split(this.#open).flatMap((part, index) => {
      const [found = '', rest = ''] = index === 0 ? ['', part] : part.split(this.#close)
      return [
        { text: found, found: true },
        { text: rest, found: false },
      ].filter(({ text: each }) => each !== '')
    })
  }
}

/** Each term is a string of FTS5's language, in which nothing has a meaning but the quotation mark, which none has. */
function matchOf(search: readonly SearchTerm[]): string {
  return search.map(({ text, isPrefix }) => `"${text}"${isPrefix ? ' *' : ''}`).join(' ')
}
