/**
 * The details that calls are found by stand twice in the file: in the rows of `details`, with a checksum, and in their index. Of a
 * row that has changed the index still says what was written, and its checksum says which entry that is. So one of the two
 * can change, and a start makes both anew; only where both have changed is a call not found by what was said of it.
 */
import type { Detail } from '../../../protocol/call-details.js'
import { detailChecksum } from '../row-checksum.js'
import type { Db } from './schema.js'

interface Entry extends Detail {
  readonly callKey: number
}

export interface DetailsVerdict {
  /** Rows that are not what was written. */
  readonly damaged: number
  /** What the index says in their place. */
  readonly restored: readonly Entry[]
}

/** Where the trees are whole; else SQLite throws. */
export function compareDetails(db: Db): DetailsVerdict {
  defineSum(db)
  const damaged = db
    .prepare<[], { checksum: unknown; sum: number }>(
      `SELECT checksum, ${sum} AS sum FROM details NOT INDEXED WHERE checksum IS NOT ${sum}`,
    )
    .all()
  if (damaged.length === 0) return { damaged: 0, restored: [] }
  // Its own sum: that of a row in which only the checksum has changed.
  const wanted = damaged.flatMap(({ checksum, sum }) => [checksum, sum]).filter(Number.isInteger)
  const restored = db
    .prepare<[string], Entry>(
      `SELECT call_key AS callKey, name, value FROM details INDEXED BY details_by_value
       WHERE name IS NOT NULL AND ${sum} IN (SELECT value FROM json_each(?))`,
    )
    .all(JSON.stringify(wanted))
  return { damaged: damaged.length, restored }
}

/** Returns what was wrong, for people. What is damaged in both places is left out. */
export function mendDetails(db: Db): readonly string[] {
  const { damaged, restored } = db.transaction(() => madeAnew(db)).immediate()
  if (damaged === 0) return ['the index of details did not say what its rows do, and was made anew']
  const keys = [...new Set(restored.map(({ callKey }) => callKey))]
  const lost = damaged - restored.length
  return [
    ...keys.map((key) => `details of the call with key ${key} are damaged, and were read from their index`),
    ...(lost > 0 ? [`${lost} details are damaged, and so is their index: they were left out`] : []),
  ]
}

function madeAnew(db: Db): DetailsVerdict {
  const verdict = compareDetails(db)
  // Not a temporary table: what was said of calls stays in this file, where an erasure overwrites it.
  db.exec(`CREATE TABLE details_kept AS SELECT * FROM details NOT INDEXED WHERE checksum IS ${sum}`)
  // Without a condition: SQLite looks for the index entries of each row that it deletes, but not when all of them go.
  db.exec('DELETE FROM details')
  db.exec(`${insert} SELECT * FROM details_kept ORDER BY call_key, name`)
  db.exec('DROP TABLE details_kept')
  const restore = db.prepare(`${insert} VALUES (:callKey, :name, :value, :checksum)`)
  for (const entry of verdict.restored) restore.run({ ...entry, checksum: detailChecksum(entry) })
  return verdict
}

const sum = 'detail_sum(call_key, name, value)'
const insert = 'INSERT OR IGNORE INTO details(call_key, name, value, checksum)'

function defineSum(db: Db): void {
  db.function('detail_sum', { deterministic: true }, (callKey, name, value) =>
    detailChecksum({ callKey, name, value } as Entry),
  )
}
