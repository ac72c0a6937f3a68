/**
 * Every byte of the details and of their index, changed one at a time. Guards against one byte of what was said of one call
 * that takes the whole service from everybody (the start was refused), and against one that is served: a call found by what
 * nobody said of it, or missing where it was said.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import { lookAtLookups } from '../../../../src/store/sqlite/files/lookup-faults.js'
import { mendDetails } from '../../../../src/store/sqlite/files/mended-details.js'
import { detailChecksum } from '../../../../src/store/sqlite/row-checksum.js'
import { usedBytes } from '../../../support/data-files.js'
import { close, fileOf, openJournal } from '../../../support/sqlite.js'

const calls = 8
const detailsOf = (callKey: number) =>
  Object.entries({
    agent: `agent-${callKey % 3}`,
    caller: `+49 30 ${1000 + callKey}`,
    'meta.crm': `crm-${callKey}`,
  })
const looks = [
  'SELECT call_key, name, value, checksum FROM details ORDER BY call_key, name',
  "SELECT call_key FROM details WHERE name = 'agent' AND value = 'agent-1' AND call_key < 1000 ORDER BY call_key DESC",
  "SELECT 1 FROM details WHERE call_key = 7 AND name = 'meta.crm' AND value = 'crm-7'",
]
const answersOf = (db: Database.Database) => JSON.stringify(looks.map((sql) => db.prepare(sql).raw().all()))

async function describedCalls(t: TestContext): Promise<Buffer> {
  const { journal, dataDir } = await openJournal(t)
  await close(journal)
  const content = readFileSync(fileOf(dataDir))
  // A log is nothing that a database in memory can have.
  content.fill(1, 18, 20)
  const db = new Database(content)
  const insert = db.prepare('INSERT INTO details VALUES (:callKey, :name, :value, :checksum)')
  for (let callKey = 1; callKey <= calls; callKey++)
    for (const [name, value] of detailsOf(callKey)) {
      const row = { callKey, name, value }
      insert.run({ ...row, checksum: detailChecksum(row) })
    }
  const file = db.serialize()
  db.close()
  return file
}

const pagesOf = (db: Database.Database, tree: string) =>
  db.prepare<[string], number>('SELECT pageno FROM dbstat WHERE name = ?').pluck().all(tree)

test('a changed byte of a detail or of its index is made good, or is no byte of a detail', async (t) => {
  const file = await describedCalls(t)
  const whole = new Database(file)
  const truth = answersOf(whole)
  const found = { mended: 0, refused: 0, same: 0, inCells: 0, refusedInCells: 0 }
  for (const tree of ['details', 'details_by_value'])
    for (const page of pagesOf(whole, tree)) {
      const cells = (page - 1) * 4096 + file.readUInt16BE((page - 1) * 4096 + 5)
      for (const at of usedBytes(file, page))
        for (const change of [1, 0xff]) {
          const changed = Buffer.from(file)
          changed[at] = (changed[at] ?? 0) ^ change
          const outcome = outcomeOf(changed, truth, `${tree}: byte ${at} ^ ${change}`)
          found[outcome]++
          if (at < cells) continue
          found.inCells++
          if (outcome === 'refused') found.refusedInCells++
        }
    }
  whole.close()
  t.diagnostic(JSON.stringify(found))
  assert(found.mended > 1000, `${found.mended} were mended`)
  // What is left are the bytes that say how long a cell and each of its values is.
  assert(found.refusedInCells < found.inCells / 5, JSON.stringify(found))
})

function outcomeOf(changed: Buffer, truth: string, what: string): 'mended' | 'refused' | 'same' {
  const db = new Database(changed)
  try {
    const { faults, areDetailsMendable } = lookAtLookups(db)
    if (faults.length > 0) return 'refused'
    if (areDetailsMendable) assert(mendDetails(db).length > 0, what)
    // `verify` names a row in which only the checksum has changed; what it is found by is true.
    const without = (text: string) => (areDetailsMendable ? text : text.replace(/,-?\d+\]/g, ']'))
    assert.equal(without(answersOf(db)), without(truth), what)
    assert.deepEqual(db.pragma('integrity_check(details)', { simple: true }), 'ok', what)
    return areDetailsMendable ? 'mended' : 'same'
  } finally {
    db.close()
  }
}

test('a detail that is damaged in both places is refused at a start, and left out where all is made anew', async (t) => {
  const file = await describedCalls(t)
  const whole = new Database(file)
  for (const [tree, to] of [
    ['details', 'crm-8'],
    ['details_by_value', 'crm-9'],
  ] as const)
    for (const page of pagesOf(whole, tree)) {
      const at = file.indexOf('crm-7', (page - 1) * 4096)
      if (at >= 0 && at < page * 4096) file.write(to, at)
    }
  whole.close()
  const db = new Database(file)
  assert.match(lookAtLookups(db).faults.join(), /^1 of their details are damaged/)
  assert.match(mendDetails(db).join(), /1 details are damaged/)
  assert.equal(db.prepare('SELECT count(*) FROM details').pluck().get(), 3 * calls - 1)
  assert.equal(db.pragma('integrity_check(details)', { simple: true }), 'ok')
  db.close()
})
