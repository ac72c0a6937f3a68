/** How the database is opened: durable, ours, of a version that we know, and by one process only. */
import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openForReading, openForWriting } from '../../../../src/store/sqlite/files/database.js'
import { temporaryFolder } from '../../../support/service.js'
import { change, close, fileOf, inspect, openJournal } from '../../../support/sqlite.js'
import { fingerprint } from '../../../torture/refusal.js'

describe('the database', () => {
  test('is opened with synchronous = FULL in WAL mode, and checkpoints when we say so', (t) => {
    // Guards against NORMAL, with which a 202 does not wait for its fsync; WAL answers with its default before a write.
    const db = openForWriting(fileOf(temporaryFolder(t)), false)
    t.after(() => db.close())
    db.exec("INSERT INTO calls VALUES (1, 'c1', 1, 'FAILED', 1, NULL, NULL, 1, '{}', 0)")
    assert.equal(db.pragma('synchronous', { simple: true }), 2)
    assert.equal(db.pragma('journal_mode', { simple: true }), 'wal')
    assert.equal(db.pragma('wal_autocheckpoint', { simple: true }), 0)
  })

  test('says what it is: an application id and a version', async (t) => {
    const { dataDir } = await openJournal(t)
    inspect(dataDir, (db) => {
      assert.equal(db.pragma('application_id', { simple: true }), 0x56535452)
      assert.equal(db.pragma('user_version', { simple: true }), 1)
    })
  })

  test('cannot be written through the connection that reads', (t) => {
    const file = fileOf(temporaryFolder(t))
    openForWriting(file, false).close()
    const reader = openForReading(file)
    t.after(() => reader.close())
    assert.throws(() => reader.exec('DELETE FROM calls'), /readonly/)
  })

  for (const [what, statement, reason] of [
    ['of a newer version', 'PRAGMA user_version = 5', /schema version 5, and this program supports only 1/],
    ['of an older version', 'PRAGMA user_version = 0', /schema version 0, and this program supports only 1/],
    [
      'that lacks a column',
      'DROP INDEX calls_by_end; ALTER TABLE calls DROP COLUMN ended_at',
      /the layout of this program: calls/,
    ],
    ['that lacks a table', 'DROP TABLE erasures', /the layout of this program: erasures is missing/],
  ] as const)
    test(`${what} is refused and left as it is`, async (t) => {
      // Guards against a program that writes what another one no longer understands.
      const { journal, dataDir } = await openJournal(t)
      await close(journal)
      change(dataDir, (db) => db.exec(statement))
      const before = fingerprint(dataDir, ['voicestream.db'])
      await assert.rejects(openJournal(t, { dataDir }), reason)
      assert.deepEqual(fingerprint(dataDir, ['voicestream.db']), before)
    })

  test('keeps its log where opening it fails midway', async (t) => {
    // The close of a connection that can write empties the log, and the next start missed it: “its log is gone”.
    const { dataDir } = await openJournal(t)
    const refusing = "CREATE TRIGGER mine BEFORE UPDATE ON run_mark BEGIN SELECT RAISE(ABORT, 'no room'); END"
    change(dataDir, (db) => db.exec(refusing))
    const copy = temporaryFolder(t)
    for (const file of ['voicestream.db', 'voicestream.db-wal'])
      copyFileSync(join(dataDir, file), join(copy, file))
    change(dataDir, (db) => db.exec('DROP TRIGGER mine'))
    for (let start = 0; start < 2; start++) assert.throws(() => openForWriting(fileOf(copy)), /no room/)
  })

  test('may have what an operator has added', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    await close(journal)
    change(dataDir, (db) => db.exec('CREATE INDEX mine ON calls(created_at); ANALYZE'))
    const { journal: next } = await openJournal(t, { dataDir })
    await close(next)
  })

  test('of another program is refused and left as it is', async (t) => {
    const dataDir = temporaryFolder(t)
    change(dataDir, (db) => db.exec('CREATE TABLE theirs(x)'))
    await assert.rejects(openJournal(t, { dataDir }), /belongs to another program/)
    inspect(dataDir, (db) => {
      assert.deepEqual(db.prepare('SELECT name FROM sqlite_schema').pluck().all(), ['theirs'])
      assert.equal(db.pragma('journal_mode', { simple: true }), 'delete')
    })
  })

  test('that is no database is refused', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    await close(journal)
    const { writeFileSync } = await import('node:fs')
    writeFileSync(
      fileOf(dataDir),
      'this is a text, and a long enough one to be no header of a database at all.'.repeat(20),
    )
    await assert.rejects(openJournal(t, { dataDir }), /not a database/)
  })

  test('is used by one instance at a time, and is free again once that has closed', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    await assert.rejects(openJournal(t, { dataDir }), /another instance uses the data folder/)
    await close(journal)
    const { journal: next } = await openJournal(t, { dataDir })
    assert.deepEqual((await next.calls({ state: null, cursor: null, limit: 1 })).calls, [])
  })

  test('is made in a folder that is made for it', async (t) => {
    const dataDir = join(temporaryFolder(t), 'a', 'b')
    const { journal } = await openJournal(t, { dataDir })
    inspect(dataDir, (db) => assert.equal(db.prepare('SELECT count(*) FROM calls').pluck().get(), 0))
    await close(journal)
  })
})
