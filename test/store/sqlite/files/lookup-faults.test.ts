/**
 * Every byte of the indexes of calls, changed one at a time. Guards against one that is in no row and in no sum: `key` stood
 * twice in an entry, and by a changed second one calls were missing from the list of their state.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { lookAtLookups } from '../../../../src/store/sqlite/files/lookup-faults.js'
import { createTables } from '../../../../src/store/sqlite/files/schema.js'
import type { CallTableRow } from '../../../../src/store/sqlite/reading/stored-call-row.js'
import { callChecksum } from '../../../../src/store/sqlite/row-checksum.js'
import { usedBytes } from '../../../support/data-files.js'
import { endedCall } from '../../../support/ended-calls.js'
import { close, fileOf, openJournal } from '../../../support/sqlite.js'

const indexes = ['sqlite_autoindex_calls_1', 'calls_by_state', 'calls_by_due', 'calls_by_end']
const looks = [
  ...['ARCHIVED', 'FAILED'].map(
    (state) => `SELECT key FROM calls WHERE state = '${state}' AND key < 1000 ORDER BY key DESC`,
  ),
  'SELECT call_id, key FROM calls ORDER BY call_id',
  "SELECT key FROM calls WHERE call_id = 'call-7'",
  'SELECT key, ended_at FROM calls WHERE ended_at IS NOT NULL ORDER BY ended_at, key',
  'SELECT key, due_at FROM calls WHERE due_at IS NOT NULL ORDER BY due_at, key',
]

test('a changed byte of an index is found before a start, or changes nothing that is found', async (t) => {
  const { journal, dataDir } = await openJournal(t)
  for (let call = 0; call < 12; call++)
    await endedCall(
      journal,
      `call-${call}`,
      { transcription: 'x', sentiment: 'neutral', confidence: 1 },
      1e12 + call,
    )
  await close(journal)
  const content = readFileSync(fileOf(dataDir))
  // Two calls with a deadline; and a log is nothing that a database in memory can have.
  content.fill(1, 18, 20)
  const whole = new Database(content)
  whole.exec("UPDATE calls SET due_at = ended_at + 7, state = 'FAILED' WHERE call_id IN ('call-2', 'call-7')")
  for (const row of whole.prepare<[], CallTableRow>('SELECT * FROM calls').all())
    whole.prepare('UPDATE calls SET checksum = ? WHERE key = ?').run(callChecksum(row), row.key)
  const file = whole.serialize()
  const answers = (db: Database.Database) => JSON.stringify(looks.map((sql) => db.prepare(sql).raw().all()))
  const truth = answers(whole)
  const pages = whole.prepare<[string], number>('SELECT pageno FROM dbstat WHERE name = ?').pluck()
  const [random, found] = [[1, 2, 0x80, 0xff], { faults: 0, same: 0 }]
  for (const index of indexes)
    for (const page of pages.all(index))
      for (const at of usedBytes(file, page))
        for (const change of random) {
          const changed = Buffer.from(file)
          changed[at] = (changed[at] ?? 0) ^ change
          const db = new Database(changed)
          if (faultsOf(db).length > 0) found.faults++
          else {
            assert.equal(answers(db), truth, `${index}: byte ${at} ^ ${change}`)
            found.same++
          }
          db.close()
        }
  whole.close()
  t.diagnostic(JSON.stringify(found))
  assert(found.faults > 1000, `${found.faults} bytes were found`)
})

test('keys of any size are compared', () => {
  // Guards against a key that is the beginning of a checksum: past 2^32 no start was possible.
  const db = new Database(':memory:')
  createTables(db)
  const insert = db.prepare("INSERT INTO calls VALUES (?, ?, 1, 'ARCHIVED', 1, NULL, 2, 1, '{}', ?)")
  for (const key of [-1, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 51, 2 ** 60]) {
    const row = { key, call_id: `c${key}`, version: 1, state: 'ARCHIVED', created_at: 1, due_at: null }
    insert.run(key, row.call_id, callChecksum({ ...row, ended_at: 2, is_settled: 1, snapshot: '{}' }))
  }
  assert.deepEqual(lookAtLookups(db), { faults: [], areDetailsMendable: false })
  db.close()
})

function faultsOf(db: Database.Database): readonly string[] {
  try {
    return lookAtLookups(db).faults
  } catch (error) {
    return [String(error)]
  }
}
