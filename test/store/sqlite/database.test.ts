/** How the database is opened: durable, ours, of a version that we know, and by one process only. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { limits } from '../../../src/limits.js'
import { parseSearch } from '../../../src/protocol/search.js'
import { openForReading, openForWriting } from '../../../src/store/sqlite/database.js'
import { callId } from '../../support/calls.js'
import { append, snapshot, storedCall } from '../../support/journals.js'
import { temporaryFolder } from '../../support/service.js'
import { change, close, fileOf, inspect, openJournal } from '../../support/sqlite.js'

describe('the database', () => {
  test('is opened with synchronous = FULL in WAL mode, and checkpoints when we say so', (t) => {
    // Guards against NORMAL, with which a 202 does not wait for its fsync; WAL answers with its default before a write.
    const db = openForWriting(fileOf(temporaryFolder(t)), false)
    t.after(() => db.close())
    db.exec("INSERT INTO calls VALUES (1, 'c1', 1, 'FAILED', 1, NULL, 1, '{}', NULL)")
    assert.equal(db.pragma('synchronous', { simple: true }), 2)
    assert.equal(db.pragma('journal_mode', { simple: true }), 'wal')
    assert.equal(db.pragma('wal_autocheckpoint', { simple: true }), 0)
  })

  test('says what it is: an application id and a version', async (t) => {
    const { dataDir } = await openJournal(t)
    inspect(dataDir, (db) => {
      assert.equal(db.pragma('application_id', { simple: true }), 0x56535452)
      assert.equal(db.pragma('user_version', { simple: true }), 4)
    })
  })

  test('cannot be written through the connection that reads', (t) => {
    const file = fileOf(temporaryFolder(t))
    openForWriting(file, false).close()
    const reader = openForReading(file)
    t.after(() => reader.close())
    assert.throws(() => reader.exec('DELETE FROM calls'), /readonly/)
  })

  test('of a newer version is refused and left as it is', async (t) => {
    // Guards against an old program that writes what a newer one no longer understands.
    const { journal, dataDir } = await openJournal(t)
    await close(journal)
    change(dataDir, (db) => db.pragma('user_version = 5'))
    await assert.rejects(openJournal(t, { dataDir }), /schema version 5, and this program knows 4/)
    inspect(dataDir, (db) => assert.equal(db.pragma('user_version', { simple: true }), 5))
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
    // Its folder is older than the journal, and would go before it.
    await close(journal)
  })

  test('of the first version is brought forward, and keeps its calls', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    await storedCall(journal, callId('old'), [0, 1])
    await close(journal)
    change(dataDir, (db) => {
      db.exec(`DROP TABLE words; DROP VIEW transcripts; DROP TABLE details; DROP INDEX calls_by_end; DROP TABLE erasures; ALTER TABLE calls DROP COLUMN ended_at;
        UPDATE calls SET state = 'FAILED', snapshot = '{"endedAt":1700000000123}'; PRAGMA user_version = 1`)
    })
    const { journal: next } = await openJournal(t, { dataDir })
    assert.deepEqual(await next.ended({ endedAt: 0, key: 0 }, Number.MAX_SAFE_INTEGER, 10), [
      { callId: 'old', key: 1, endedAt: 1_700_000_000_123 },
    ])
    assert.equal((await next.packets(callId('old'), 0, 10)).packets.length, 2)
  })

  test('of the second version is brought forward, and its transcripts are found', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    const result = { sentiment: 'neutral', confidence: 1 } as const
    for (const transcription of ['an old invoice', 'another one']) {
      const stream = journal.create(callId(transcription.replaceAll(' ', '-')))
      await append(
        journal,
        stream,
        [{ type: 'analysed', at: 1, result: { ...result, transcription } }],
        snapshot(),
      )
    }
    await storedCall(journal, callId('never-analysed'))
    await close(journal)
    change(dataDir, (db) =>
      db.exec('DROP TABLE words; DROP VIEW transcripts; DROP TABLE details; PRAGMA user_version = 2'),
    )
    const { journal: next } = await openJournal(t, { dataDir })
    const found = await next.calls({ state: null, search: parseSearch('old'), cursor: null, limit: 5 })
    assert.deepEqual(
      found.calls.map((call) => String(call.callId)),
      ['an-old-invoice'],
    )
  })

  test('of the third version is brought forward, and a long transcript is in the index as it would be now', async (t) => {
    // Guards against words that nothing takes out again when the call is erased, because its text is cut since.
    const { journal, dataDir } = await openJournal(t)
    const long = `${'some words '.repeat(limits.indexedCharactersMax / 10)}outside`
    for (const [name, transcription] of [
      ['long', long],
      ['short', 'short, and outside'],
    ] as const) {
      const result = { transcription, sentiment: 'neutral', confidence: 1 } as const
      await append(journal, journal.create(callId(name)), [{ type: 'analysed', at: 1, result }], snapshot())
    }
    await close(journal)
    change(dataDir, (db) =>
      db.exec(`INSERT INTO words(words) VALUES ('delete-all');
        DROP VIEW transcripts;
        CREATE VIEW transcripts AS SELECT call_key, entry ->> '$.result.transcription' AS text FROM lifecycle
          WHERE entry ->> '$.type' = 'analysed';
        INSERT INTO words(rowid, text) SELECT call_key, text FROM transcripts;
        PRAGMA user_version = 3`),
    )
    const { journal: next } = await openJournal(t, { dataDir })
    const said = async (text: string) =>
      (await next.calls({ state: null, search: parseSearch(text), cursor: null, limit: 5 })).calls.map(
        (call) => String(call.callId),
      )
    assert.deepEqual(await said('outside'), ['short'])
    assert.deepEqual(await said('words'), ['long'])
    await close(next)
    change(dataDir, (db) => db.exec("INSERT INTO words(words, rank) VALUES ('integrity-check', 1)"))
  })
})
