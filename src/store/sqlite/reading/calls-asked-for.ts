/**
 * Which calls may be what a query asks for, in its order: the keys of its rarest filter. The others are asked for each of them, by the
 * indexes alone.
 *
 * What was said of calls is in order of their keys for one text, but not for several that begin alike. So few calls are sorted, few texts
 * are gone through side by side, and a beginning that many calls of many texts have does not lead.
 *
 * Keys grow with the time of creation, so a range of time is a range of keys. Its ends are searched for with a margin, and each call in it
 * is asked for its time: the clock may have been set back a little in between.
 */
import type { Statement } from 'better-sqlite3'
import { limits } from '../../../limits.js'
import { type DetailFilter, isFolded, matcherOf } from '../../../protocol/call-details.js'
import type { CallQuery } from '../../journal.js'
import type { Db } from '../files/schema.js'
import { indexHasState } from './damaged-calls.js'

/** Inclusive. */
interface KeyRange {
  readonly first: number
  readonly last: number
}

interface Lead {
  /** What each of its calls has. */
  readonly of: DetailFilter | 'state' | 'time' | 'words'
  /** Not told exactly where it is more than `callsCountedMax`. */
  readonly count: number
  keys(): Iterable<number>
}

export interface AskedCalls {
  /** In the order that was asked for. */
  readonly keys: Iterable<number>
  /** Whether the call has all of it; its words it has been found by. */
  fits(key: number): boolean
  /** How often the indexes were asked for that. */
  lookups(): number
}

type AnyStatement = Statement<unknown[]>
type Direction = 'ASC' | 'DESC'

interface Source {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

/** Every number is bound as REAL, and FTS5 ignores such a bound of its rows: it goes over all that have the word. */
const integer = 'CAST(? AS INTEGER)'
const all: Source = { sql: 'SELECT key FROM calls WHERE key BETWEEN ? AND ?', values: [] }
const ofState = (state: string): Source => ({
  sql: 'SELECT key FROM calls INDEXED BY calls_by_state WHERE state = ? AND key BETWEEN ? AND ?',
  values: [state],
})
const ofText = (name: string, value: string): Source => ({
  sql: 'SELECT call_key AS key FROM details WHERE name = ? AND value = ? AND call_key BETWEEN ? AND ?',
  values: [name, value],
})
/** The last character stands behind all that can follow the beginning. */
const ofBeginning =
  (text: string) =>
  (name: string): Source => ({
    sql: `SELECT call_key AS key FROM details
      WHERE name = ? AND value >= ? AND value < ? AND +call_key BETWEEN ? AND ?`,
    values: [name, text, `${text}\u{10ffff}`],
  })
const ofWords = (words: string): Source => ({
  sql: `SELECT rowid AS key FROM words WHERE words MATCH ? AND rowid BETWEEN ${integer} AND ${integer}`,
  values: [words],
})

/** Of each text, at a time. */
const mergedMax = 128

export class CallsAskedFor {
  readonly #db: Db
  readonly #statements = new Map<string, AnyStatement>()

  constructor(db: Db) {
    this.#db = db
  }

  /** `words` in the language of the index, or null. */
  find(query: CallQuery, words: string | null): AskedCalls {
    const direction = query.order === 'oldest' ? 'ASC' : 'DESC'
    const range = this.#rangeOf(query)
    // How often words occur together nobody knows before they were looked for.
    const lead =
      words === null
        ? this.#rarest(query, range, direction)
        : this.#leadOf('words', ofWords(words), range, direction)
    return { keys: lead.keys(), ...this.#askerOf(query, lead.of) }
  }

  #askerOf(
    { state, details = [], from = null, before = null }: CallQuery,
    lead: Lead['of'],
  ): Omit<AskedCalls, 'keys'> {
    let lookups = 0
    const look = (sql: string, ...values: (string | number)[]) => {
      lookups++
      return this.#get(sql, ...values)
    }
    const others = details.filter((filter) => filter !== lead)
    const filters = others.map((filter) => ({ names: filter.names, matches: remembered(matcherOf(filter)) }))
    const isInTime = (key: number) => {
      if (from === null && before === null) return true
      const at = look('SELECT created_at FROM calls WHERE key = ?', key)
      return typeof at === 'number' && (from ?? at) <= at && (before === null || at < before)
    }
    const textOf = (key: number, name: string) =>
      look('SELECT value FROM details WHERE call_key = ? AND name = ?', key, name)
    // Most calls have the state that is asked for.
    const hasState = (key: number) =>
      state === null || lead === 'state' || look(indexHasState, state, key) !== undefined
    const fits = (key: number) =>
      isInTime(key) &&
      filters.every(({ names, matches }) =>
        names.some((name) => {
          const text = textOf(key, name)
          return typeof text === 'string' && matches(text)
        }),
      ) &&
      hasState(key)
    return { fits, lookups: () => lookups }
  }

  // --- the filter that leads --------------------------------------------------------------------------------------

  #rarest({ state, details = [], from, before }: CallQuery, range: KeyRange, direction: Direction): Lead {
    // The rows themselves are not counted: they are long.
    const whole: Lead = {
      of: 'time',
      count: Math.max(0, range.last - range.first + 1),
      keys: () => this.#ordered(all, range, direction),
    }
    const leads = [
      ...details.flatMap((filter) => this.#leadOfFilter(filter, range, direction) ?? []),
      ...(state === null ? [] : [this.#leadOf('state', ofState(state), range, direction)]),
      ...(from == null && before == null ? [] : [whole]),
    ]
    if (leads.length < 2) return leads[0] ?? whole
    return leads.reduce((rarest, lead) => (lead.count < rarest.count ? lead : rarest))
  }

  /** Counted when somebody asks. */
  #leadOf(of: Lead['of'], source: Source, range: KeyRange, direction: Direction): Lead {
    const count = () => this.#count(source, range, limits.callsCountedMax + 1)
    return {
      of,
      get count() {
        return count()
      },
      keys: () => this.#ordered(source, range, direction),
    }
  }

  /** Null where it cannot lead. */
  #leadOfFilter(filter: DetailFilter, range: KeyRange, direction: Direction): Lead | null {
    const { names, text, isPrefix } = filter
    const [name] = names
    if (!isPrefix && names.length === 1 && name !== undefined)
      return this.#leadOf(filter, ofText(name, text), range, direction)
    const isRange = isPrefix && !isFolded(filter)
    const few = isRange ? this.#gathered(names.map(ofBeginning(text)), range) : null
    if (few !== null) return gatheredLead(filter, few, direction)
    const sources = this.#sourcesOf(filter, isRange ? limits.textsMergedMax : limits.namesLookedAtMax)
    if (sources === null) return null
    const found = isRange ? null : this.#gathered(sources, range)
    if (found !== null) return gatheredLead(filter, found, direction)
    if (sources.length > limits.textsMergedMax) return null
    return {
      of: filter,
      count: limits.callsCountedMax + 1,
      keys: () => this.#merged(sources, range, direction),
    }
  }

  /** The texts that are asked for, each under its name; null where more than so many would have to be looked at. */
  #sourcesOf(filter: DetailFilter, textsMax: number): readonly Source[] | null {
    const { names, text, isPrefix } = filter
    if (!isPrefix) return names.map((name) => ofText(name, text))
    const matches = matcherOf(filter)
    const isRange = !isFolded(filter)
    const sources: Source[] = []
    for (const name of names) {
      const texts = this.#texts(name, isRange ? text : '', textsMax + 1)
      const found = texts.filter(matches)
      if ((isRange ? found : texts).length > textsMax) return null
      sources.push(...found.map((value) => ofText(name, value)))
    }
    return sources
  }

  /** The different texts under a name, ascending: a search in the index for each, however many calls have it. */
  #texts(name: string, from: string, most: number): readonly string[] {
    return this.#plucked(
      `WITH RECURSIVE texts(value) AS (
         SELECT min(value) FROM details WHERE name = :name AND value >= :from
         UNION ALL
         SELECT (SELECT min(value) FROM details WHERE name = :name AND value > texts.value)
         FROM texts WHERE value IS NOT NULL)
       SELECT value FROM texts WHERE value IS NOT NULL LIMIT :most`,
    ).all({ name, from, most }) as string[]
  }

  /** All keys, each once; null where they are many. */
  #gathered(sources: readonly Source[], range: KeyRange): readonly number[] | null {
    let count = 0
    for (const source of sources) {
      count += this.#count(source, range, limits.callsGatheredMax + 1)
      if (count > limits.callsGatheredMax) return null
    }
    const { first, last } = range
    return [...new Set(sources.flatMap(({ sql, values }) => this.#all(sql, ...values, first, last)))]
  }

  *#merged(sources: readonly Source[], range: KeyRange, direction: Direction): Generator<number> {
    let { first, last } = range
    for (;;) {
      const parts = sources.map(({ sql, values }) =>
        this.#all(`${sql} ORDER BY key ${direction} LIMIT ?`, ...values, first, last, mergedMax),
      )
      // Behind the end of the shortest of those that go on nothing is known yet.
      const ends = parts.flatMap((part) => (part.length === mergedMax ? [part.at(-1) as number] : []))
      const end =
        ends.length === 0
          ? direction === 'DESC'
            ? first
            : last
          : direction === 'DESC'
            ? Math.max(...ends)
            : Math.min(...ends)
      const known = parts.flat().filter((key) => (direction === 'DESC' ? key >= end : key <= end))
      yield* sorted([...new Set(known)], direction)
      if (ends.length === 0) return
      if (direction === 'DESC') last = end - 1
      else first = end + 1
    }
  }

  // --- a range of time is a range of keys -------------------------------------------------------------------------

  #rangeOf({ cursor, order, from = null, before = null }: CallQuery): KeyRange {
    const isOldestFirst = order === 'oldest'
    const first = from === null ? 0 : this.#firstSince(from - limits.clockStepMsMax)
    const end = from === null && before === null ? Number.MAX_SAFE_INTEGER : this.#endKey()
    const last = before === null ? end : this.#firstSince(before + limits.clockStepMsMax) - 1
    return {
      first: cursor !== null && isOldestFirst ? Math.max(first, cursor + 1) : first,
      last: cursor !== null && !isOldestFirst ? Math.min(last, cursor - 1) : last,
    }
  }

  #endKey(): number {
    const key = this.#get('SELECT max(key) FROM calls')
    return typeof key === 'number' ? key : 0
  }

  /** The first key whose call was created then or later, by halving; one more than the last where there is none. */
  #firstSince(at: number): number {
    let [low, high] = [0, this.#endKey() + 1]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const row = this.#statement('SELECT key, created_at FROM calls WHERE key >= ? ORDER BY key LIMIT 1')
        .raw()
        .get(middle) as [key: number, createdAt: number] | undefined
      if (row === undefined || row[1] >= at) high = middle
      else low = row[0] + 1
    }
    return low
  }

  // --- statements -------------------------------------------------------------------------------------------------

  #count({ sql, values }: Source, { first, last }: KeyRange, most: number): number {
    return this.#get(`SELECT count(*) FROM (${sql} LIMIT ?)`, ...values, first, last, most) as number
  }

  #ordered({ sql, values }: Source, { first, last }: KeyRange, direction: Direction): Iterable<number> {
    // Of its own: one that is gone through runs nothing else.
    const statement = this.#db
      .prepare<(string | number)[], number>(`${sql} ORDER BY key ${direction}`)
      .pluck()
    return statement.iterate(...values, first, last)
  }

  #all(sql: string, ...values: (string | number)[]): readonly number[] {
    return this.#plucked(sql).all(...values) as number[]
  }

  #get(sql: string, ...values: (string | number)[]): unknown {
    return this.#plucked(sql).get(...values)
  }

  #plucked(sql: string): AnyStatement {
    return this.#statement(sql, true)
  }

  /** There are some twenty different ones. */
  #statement(sql: string, plucks = false): AnyStatement {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#db.prepare<unknown[]>(sql)
    if (plucks) made.pluck()
    this.#statements.set(sql, made)
    return made
  }
}

/** The calls of a page share few names. */
function remembered(matches: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>()
  return (text) => {
    const answer = known.get(text) ?? matches(text)
    known.set(text, answer)
    return answer
  }
}

function gatheredLead(of: DetailFilter, keys: readonly number[], direction: Direction): Lead {
  return { of, count: keys.length, keys: () => sorted(keys, direction) }
}

function sorted(keys: readonly number[], direction: Direction): readonly number[] {
  return [...keys].sort((a, b) => (direction === 'DESC' ? b - a : a - b))
}
