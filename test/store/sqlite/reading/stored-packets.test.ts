/**
 * Packets in the database: none of them twice, a page is exact whatever is folded and whatever is pending, and people can
 * read them with `sqlite3`.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { StoredDamage } from '../../../../src/errors.js'
import { limits } from '../../../../src/limits.js'
import { openForWriting } from '../../../../src/store/sqlite/files/database.js'
import type { Db } from '../../../../src/store/sqlite/files/schema.js'
import { packetsOf, recordHeaderBytes, writeRecord } from '../../../../src/store/sqlite/packet-record.js'
import { StoredPackets } from '../../../../src/store/sqlite/reading/stored-packets.js'
import type { RecordPage } from '../../../../src/store/sqlite/thread-messages.js'
import { Folds } from '../../../../src/store/sqlite/writing/folds.js'
import { Tail } from '../../../../src/store/sqlite/writing/tail.js'
import { callId } from '../../../support/calls.js'
import { atEnd } from '../../../support/cleanup.js'
import { append, packetEntry, snapshot, storedCall } from '../../../support/journals.js'
import { holds } from '../../../support/property.js'
import { temporaryFolder } from '../../../support/service.js'
import { change, close, fileOf, inspect, openJournal } from '../../../support/sqlite.js'

const callKey = 7

function record(version: number, sequence: number, data = `version ${version}`): Buffer {
  const bytes = Buffer.alloc(recordHeaderBytes + Buffer.byteLength(data))
  writeRecord(bytes, 0, callKey, version, {
    sequence,
    data: Buffer.from(data),
    timestamp: 1,
    receivedAt: 1000 + version,
  })
  return bytes
}

function openDatabase(t: TestContext): Db {
  const db = openForWriting(fileOf(temporaryFolder(t)))
  atEnd(t, () => db.close())
  return db
}

/** What the writer holds of the call. */
function tailOf(records: readonly Buffer[]): Tail {
  const tail = new Tail()
  if (records.length > 0) tail.add(1, Buffer.concat(records))
  return tail
}

const nothing: RecordPage = { records: new Uint8Array(0), nextFrom: null }

function sequencesOf(db: Db): number[] {
  const found: number[] = []
  for (let from: number | null = 0; from !== null; ) {
    const page = new StoredPackets(db).page(callKey, from, 3, nothing)
    found.push(...packetsOf(Buffer.from(page.records.buffer)).map(({ sequence }) => sequence))
    from = page.nextFrom
  }
  return found
}

const order = fc.uniqueArray(fc.nat(40), { maxLength: 40 })
const cases = fc.record({
  order,
  /** How many of them each fold takes; what is left is pending. */
  folds: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }),
  limit: fc.integer({ min: 1, max: 45 }),
  /** Of what is pending, so many were folded since. */
  foldedSince: fc.nat(8),
})

describe('packets in the database', () => {
  test('come in pages that hold each once, ascending, and in versions that are whole, however they arrived', async (t) => {
    // Guards against a packet that is pending behind the end of a page and is skipped by the next one.
    const db = openDatabase(t)
    const packets = new StoredPackets(db)
    let pages = 0
    await holds(t, cases, 300, ({ order: sequences, folds: sizes, limit, foldedSince }) => {
      db.exec('DELETE FROM runs')
      const folds = new Folds(db)
      const records = sequences.map((sequence, index) => record(index + 1, sequence))
      for (const size of sizes) folds.add({ callKey, records: records.splice(0, size) })
      const tail = tailOf(records)
      folds.add({ callKey, records: records.slice(0, foldedSince) })

      const found: number[] = []
      for (let from: number | null = 0; from !== null; pages++) {
        const page = packets.page(callKey, from, limit, tail.page(callKey, from, limit))
        const numbers = packetsOf(Buffer.from(page.records.buffer)).map(({ sequence }) => sequence)
        assert(numbers.length === limit || page.nextFrom === null, 'a page is full, but for the last')
        found.push(...numbers)
        from = page.nextFrom
      }
      assert.deepEqual(
        found,
        sequences.toSorted((a, b) => a - b),
      )
      for (const after of [0, 3]) {
        const entries = [...packets.entries(callKey, after, tail.headsAfter(callKey, after))]
        assert.deepEqual(
          entries.map(({ version, entry }) => [version, entry.type === 'packet' && entry.sequence]),
          sequences.map((sequence, index) => [index + 1, sequence]).slice(after),
        )
      }
      assert.equal(folds.takeDropped().size, 0)
    })
    assert(pages > 300)
  })

  test('come in pages that end before their bound of bytes, and hold at least one', (t) => {
    const db = openDatabase(t)
    const large = 'y'.repeat(limits.dataBytesMax)
    const records = [...Array(100).keys()].map((sequence) => record(sequence + 1, sequence, large))
    new Folds(db).add({ callKey, records: records.slice(0, 50) })
    const pending = tailOf(records.slice(50)).page(callKey, 0, 1000)
    const page = new StoredPackets(db).page(callKey, 0, 1000, pending)
    assert(page.records.length <= limits.pageBytesMax)
    assert.equal(page.nextFrom, Math.floor(limits.pageBytesMax / (limits.dataBytesMax + recordHeaderBytes)))
  })

  test('are refused by the database itself where they are stored already, alone or within a run', (t) => {
    const db = openDatabase(t)
    new Folds(db).add({ callKey, records: [10, 11, 12, 13].map((sequence) => record(sequence, sequence)) })
    const insert = db.prepare(
      `INSERT INTO runs(call_key, first_sequence, last_sequence, last_version, checksum, records)
       VALUES (?, ?, ?, 1, 0, x'00')`,
    )
    for (const [first, last] of [
      [10, 10],
      [13, 13],
      [11, 12],
      [8, 10],
      [13, 20],
      [8, 20],
      [10, 13],
    ])
      assert.throws(
        () => insert.run(callKey, first, last),
        { code: /SQLITE_CONSTRAINT/ },
        `${first} to ${last}`,
      )
    insert.run(callKey, 9, 9)
    insert.run(callKey, 14, 20)
    insert.run(callKey + 1, 10, 13)
    assert.throws(() => insert.run(callKey, 0, 8 + 1), { code: /SQLITE_CONSTRAINT/ })
  })

  test('are refused as damaged where the index leads to a run for the second time', (t) => {
    // Guards against a changed byte of that index: a page showed its first packet once more behind its last.
    const db = openDatabase(t)
    new Folds(db).add({ callKey, records: [record(1, 0), record(2, 1)] })
    // In front of the real table: all of its rows twice.
    db.exec(`CREATE TEMP TABLE runs(entry INTEGER UNIQUE, key, call_key, first_sequence, last_sequence, last_version, checksum, records);
      CREATE INDEX temp.runs_by_version ON runs(call_key, last_version);
      INSERT INTO temp.runs SELECT 1, * FROM main.runs;
      INSERT INTO temp.runs SELECT 2, * FROM main.runs`)
    assert.throws(() => new StoredPackets(db).page(callKey, 0, 10, nothing), StoredDamage)
  })

  test('of a journal that holds some twice are the first ones; the others are dropped and counted', (t) => {
    const db = openDatabase(t)
    const folds = new Folds(db)
    folds.add({ callKey, records: [record(1, 5, 'first'), record(2, 6), record(3, 5, 'second')] })
    folds.add({ callKey, records: [record(4, 4), record(5, 5, 'third'), record(6, 6), record(7, 7)] })
    assert.deepEqual(sequencesOf(db), [4, 5, 6, 7])
    const { records } = new StoredPackets(db).page(callKey, 5, 1, nothing)
    assert.equal(Buffer.from(packetsOf(Buffer.from(records.buffer))[0]?.data ?? []).toString(), 'first')
    assert.deepEqual([...folds.takeDropped()], [[callKey, 3]])
    assert.deepEqual(
      [...new StoredPackets(db).entries(callKey, 0, Buffer.alloc(0))].map(({ version, entry }) => [
        version,
        entry.type,
      ]),
      [1, 2, 3, 4, 5, 6, 7].map((version) => [version, [3, 5, 6].includes(version) ? 'dropped' : 'packet']),
    )
  })

  test('can be read with the query that docs/operations.md gives', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    await storedCall(journal, callId('c2'), [0])
    const stream = await storedCall(journal, callId('c1'), [0, 1, 2])
    await append(journal, stream, [
      packetEntry(5, 'dätä'),
      packetEntry(4, ''),
      packetEntry(6, 'z'.repeat(30_000)),
    ])
    await close(journal)
    const text = readFileSync('docs/operations.md', 'utf8')
    const query = /```sql\n(WITH RECURSIVE[^`]*)```/.exec(text)?.[1]
    assert(query !== undefined)
    const rows = inspect(dataDir, (db) => db.prepare(query).all({ call: 'c1' }) as Record<string, unknown>[])
    assert.deepEqual(
      rows.map(({ sequence }) => sequence),
      [0, 1, 2, 4, 5, 6],
    )
    assert.deepEqual(
      rows.slice(3).map(({ data }) => data),
      ['', 'dätä', 'z'.repeat(30_000)],
    )
  })
})

describe('a packet that was written into the journal behind the back of its receive log', () => {
  test('stops no start: the first one stays, and the second is dropped, counted and told', async (t) => {
    // Guards against a uniqueness violation that ends each start and each commit anew.
    const { journal, dataDir } = await openJournal(t)
    const stream = await storedCall(journal, callId('c1'), [0, 1, 2])
    const { key } = stream as typeof stream & { key: number }
    await close(journal)
    const second = Buffer.alloc(recordHeaderBytes + 6)
    writeRecord(second, 0, key, stream.version + 1, {
      sequence: 1,
      data: Buffer.from('second'),
      timestamp: 1,
      receivedAt: 2000,
    })
    change(dataDir, (db) => db.prepare('INSERT INTO journal VALUES (1, ?, ?)').run(crc32(second), second))

    const dropped: (string | number)[][] = []
    const options = { dataDir, onDropped: (id: string, packets: number) => dropped.push([id, packets]) }
    const { journal: next, fatal } = await openJournal(t, options)
    const history = await next.replay(callId('c1'))
    assert(history)
    const first = async (of: typeof next) =>
      (await of.packets(callId('c1'), 0, 10)).packets.map(({ sequence, data }) => [
        sequence,
        Buffer.from(data).toString(),
      ])
    const before = await first(next)
    assert.deepEqual(
      before.map(([sequence]) => sequence),
      [0, 1, 2],
    )
    assert.notEqual(before[1]?.[1], 'second')
    await append(next, history.stream, [packetEntry(3)], snapshot({ isSettled: true }))
    await close(next)
    assert.deepEqual(fatal, [])
    assert.deepEqual(dropped, [['c1', 1]])

    const { journal: last } = await openJournal(t, options)
    assert.deepEqual((await first(last)).slice(0, 3), before)
    assert.equal((await first(last)).length, 4)
    assert.deepEqual(dropped, [['c1', 1]], 'once')
  })
})
