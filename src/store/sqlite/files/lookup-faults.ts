/**
 * Can calls be found in this file? A row that is read has a checksum, but SQLite has none for its pages: with one byte of an index
 * changed, a call that is there is not found, and its next packet begins it anew. So before a start everything that calls are
 * found by is compared: `calls` with its indexes, `details`, the tail, and the list of free pages, which must not name one that is used.
 *
 * `quick_check` looks at the pages of a table and of its indexes and counts what they hold; `integrity_check` looks for each
 * row in each index, too, which for a million random names takes 9 s. Here the entries of each index of `calls` are summed up in its own
 * order and must come to what the rows do: 3 s. Runs and lifecycles are not looked at: there are too many, and who
 * reads them knows from the call's row what must be there. https://www.sqlite.org/pragma.html#pragma_quick_check
 */

import { crc32 } from 'node:zlib'
import { messageOf } from '../../../errors.js'
import { callStates } from '../../../protocol/call-states.js'
import type { CallTableRow } from '../reading/stored-call-row.js'
import { callChecksum } from '../row-checksum.js'
import { compareDetails } from './mended-details.js'
import type { Db } from './schema.js'
import { isCorrupt } from './sqlite-error.js'

const structures = [
  'quick_check(calls)',
  'quick_check(journal)',
  'quick_check(erasures)',
  'quick_check(run_mark)',
  // The one table with which SQLite checks the list of free pages.
  'integrity_check(sqlite_schema)',
]

/** Of one row, whose checksum does not fit then: an answer for its call alone. */
const ofOneRow = /^(NULL value|non-\w+ value|CHECK constraint failed) in calls/
/** The others are of what stands in the pages, which are whole. */
const ofPages = /^\*\*\* in database/

export interface LookupVerdict {
  /** What is wrong, for people; the first fault of each kind. */
  readonly faults: readonly string[]
  /** Rows and index of the details differ, and can be made anew (`mendDetails`). */
  readonly areDetailsMendable: boolean
}

export function lookAtLookups(db: Db): LookupVerdict {
  try {
    const details = messagesOf(db, 'integrity_check(details)')
    const pages = pageFaults(db, details)
    const faults = pages.length > 0 ? pages : indexFaults(db)
    if (faults.length > 0 || details.length === 0) return { faults, areDetailsMendable: false }
    return lookAtDetails(db)
  } catch (error) {
    if (!isCorrupt(error)) throw error
    return { faults: [messageOf(error)], areDetailsMendable: false }
  }
}

function pageFaults(db: Db, details: readonly string[]): readonly string[] {
  const faults = structures.flatMap(
    (check) => messagesOf(db, check).find((text) => !ofOneRow.test(text)) ?? [],
  )
  const all = [...faults, ...details.filter((text) => ofPages.test(text))]
  return all.map((text) => text.replaceAll('*** in database main ***\n', ''))
}

function messagesOf(db: Db, check: string): readonly string[] {
  const found = db.prepare<[], string>(`PRAGMA ${check}`).pluck().all()
  return found.filter((text) => text !== 'ok')
}

function lookAtDetails(db: Db): LookupVerdict {
  const { damaged, restored } = compareDetails(db)
  const lost = damaged - restored.length
  const fault = `${lost} of their details are damaged, and the index of these, too`
  return { faults: lost === 0 ? [] : [fault], areDetailsMendable: lost === 0 }
}

/** No number that one changed byte turns into another has the same remainder. */
const prime = 65_521
const product = (value: string) => `(${value} % ${prime} + 1) * (key % ${prime} + 1)`
const stateNumber = `CASE state ${callStates.map((state, i) => `WHEN '${state}' THEN ${i + 1}`).join(' ')} ELSE 0 END`

interface Entries {
  /** Rows in which it is null have no entry. */
  readonly column: string
  /** Depends on all that an entry of the index holds. */
  readonly number: string
}

const entries: Readonly<Record<string, Entries>> = {
  sqlite_autoindex_calls_1: { column: 'call_id', number: 'name_sum(call_id, key)' },
  calls_by_state: { column: 'state', number: product(stateNumber) },
  calls_by_due: { column: 'due_at', number: product('due_at') },
  calls_by_end: { column: 'ended_at', number: product('ended_at') },
}

function indexFaults(db: Db): readonly string[] {
  // The same bytes as another type are another name.
  db.function('name_sum', { deterministic: true }, (callId, key) =>
    typeof callId === 'string' ? crc32(callId, (Number(key) % prime) >>> 0) : 0,
  )
  const differing = differingIndexes(db, [])
  if (differing.length === 0) return []
  // A row that is damaged differs from its entries, which are right then.
  const damaged = damagedKeys(db)
  const wrong = damaged.length === 0 ? differing : differingIndexes(db, damaged)
  return wrong.map((index) => `the index ${index} does not say what the rows of calls do`)
}

const sumOf = (number: string) => `coalesce(sum(${number}), 0)`

function differingIndexes(db: Db, without: readonly number[]): readonly string[] {
  const others = without.length === 0 ? 'TRUE' : `key NOT IN (${without.join(', ')})`
  const sums = Object.values(entries).flatMap(({ column, number }) => [`count(${column})`, sumOf(number)])
  const ofRows = db
    .prepare<[], number[]>(`SELECT ${sums.join(', ')} FROM calls NOT INDEXED WHERE ${others}`)
    .raw()
    .get() as number[]
  return Object.entries(entries).flatMap(([index, { column, number }], i) => {
    const ofIndex = db
      .prepare<[], number[]>(
        `SELECT count(*), ${sumOf(number)} FROM calls INDEXED BY ${index} WHERE ${column} IS NOT NULL AND ${others}`,
      )
      .raw()
      .get() as number[]
    return ofIndex[0] === ofRows[2 * i] && ofIndex[1] === ofRows[2 * i + 1] ? [] : [index]
  })
}

function damagedKeys(db: Db): readonly number[] {
  const damaged: number[] = []
  for (const row of db.prepare<[], CallTableRow>('SELECT * FROM calls NOT INDEXED').iterate())
    if (callChecksum(row) !== row.checksum) damaged.push(row.key)
  return damaged
}
