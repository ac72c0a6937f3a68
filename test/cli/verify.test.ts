/** `voicestream verify` on a database that a service left behind, whole and with damage that was done to it. */
import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { crc32 } from 'node:zlib'
import Database from 'better-sqlite3'
import type { CheckReport } from '../../src/cli/check.js'
import { recordEnd, writeRecord } from '../../src/store/sqlite/packet-record.js'
import { type CallColumns, callChecksum } from '../../src/store/sqlite/row-checksum.js'
import { bulkLines, numbers, postLines, runCommand } from '../support/command.js'
import { eventually, get, post, startService, temporaryFolder } from '../support/service.js'
import { changeIn, fileOf, whileLocked } from '../support/sqlite.js'

type Db = Database.Database

const large = (sequence: number) => String(sequence).padStart(1024, 'x')

/** Killed, so that part of it is in the log and in the journal's tail. */
let crashed: string

async function fill(t: TestContext): Promise<void> {
  const service = await startService(t, { dataDir: crashed, settings: { AI_SIMULATED_LATENCY_MAX_MS: 1 } })
  await postLines(service, bulkLines('ended', numbers(0, 300), large))
  await post(service, '/v1/call/complete/ended', { total_packets: 302 })
  await postLines(service, bulkLines('open', [...numbers(0, 100), ...numbers(110, 410), 105], large))
  await postLines(service, bulkLines('other', numbers(0, 300), large))
  await postLines(service, bulkLines('fresh', [3], large))
  await eventually(
    () => get(service, '/v1/call/ended'),
    ({ body }) => body['state'] === 'ARCHIVED',
  )
  service.kill('SIGKILL')
  await service.exited
}

function copyOf(t: TestContext): string {
  const dataDir = temporaryFolder(t)
  for (const suffix of ['', '-wal'])
    if (existsSync(fileOf(crashed) + suffix)) copyFileSync(fileOf(crashed) + suffix, fileOf(dataDir) + suffix)
  return dataDir
}

async function verify(dataDir: string): Promise<{ code: number | null; report: CheckReport }> {
  const { code, out, err } = await runCommand(['verify', '--data-dir', dataDir, '--json'])
  assert.equal(err, '')
  return { code, report: JSON.parse(out.toString()) as CheckReport }
}

/** Done to the database, and what must be found. */
async function damage(t: TestContext, doTo: (db: Db) => void): Promise<CheckReport> {
  const dataDir = copyOf(t)
  const db = new Database(fileOf(dataDir))
  doTo(db)
  // Closing moves the log away, as a clean stop does.
  db.exec('UPDATE run_mark SET is_open = 0')
  db.close()
  const { code, report } = await verify(dataDir)
  assert.equal(code, 1)
  assert.equal(report.good, false)
  return report
}

const faultsOf = (report: CheckReport, callId: string) =>
  report.damaged.find(({ call_id }) => call_id === callId)?.faults.join('; ') ?? ''

const keyOf = (db: Db, callId: string) =>
  db.prepare<[string], number>('SELECT key FROM calls WHERE call_id = ?').pluck().get(callId) as number

interface Run {
  readonly key: number
  readonly call_key: number
  readonly first_sequence: number
  readonly last_sequence: number
  readonly last_version: number
  readonly checksum: number
  readonly records: Buffer
}

const runsOf = (db: Db, callId: string) =>
  db
    .prepare<[number], Run>('SELECT * FROM runs WHERE call_key = ? ORDER BY last_version')
    .all(keyOf(db, callId))

function firstRunOf(db: Db, callId: string): Run {
  const [run] = runsOf(db, callId)
  assert(run !== undefined, `${callId} has been folded`)
  return run
}

function insertRun(db: Db, run: Omit<Run, 'key'>): void {
  db.prepare(
    `INSERT INTO runs(call_key, first_sequence, last_sequence, last_version, checksum, records)
     VALUES (:call_key, :first_sequence, :last_sequence, :last_version, :checksum, :records)`,
  ).run(run)
}

describe('verify', () => {
  before(() => {
    crashed = mkdtempSync(join(tmpdir(), 'voicestream-verify-'))
  })
  after(() => rmSync(crashed, { recursive: true, force: true }))

  test('finds that all is good after a crash, and counts what is missing', async (t) => {
    await fill(t)
    const { code, report } = await verify(copyOf(t))
    assert.deepEqual([code, report.good, report.faults, report.damaged], [0, true, [], []])
    assert.equal(report.calls, 4)
    assert.equal(report.packets, 300 + 401 + 300 + 1)
    assert.equal(report.missing, 2 + 9 + 3)
    assert.equal(report.calls_with_gaps, 3)
    assert.deepEqual(
      report.largest_gaps.map(({ call_id, missing }) => [call_id, missing]),
      [
        ['open', 9],
        ['fresh', 3],
        ['ended', 2],
      ],
    )
  })

  test('shows a table to people', async (t) => {
    const { code, out } = await runCommand(['verify', fileOf(copyOf(t))])
    assert.equal(code, 0)
    assert.match(out.toString(), /total\s+│\s+4 │\s+1,002 │\s+14 │\s+3 │\s+0 │/)
    assert.match(out.toString(), /\ngood: the file is intact, and the account of every call is correct\n$/)
  })

  test('finds a flipped byte in a run', async (t) => {
    const report = await damage(t, (db) => {
      const run = firstRunOf(db, 'open')
      run.records.writeUInt8(run.records.readUInt8(500) ^ 1, 500)
      db.prepare('UPDATE runs SET records = ? WHERE key = ?').run(run.records, run.key)
    })
    assert.match(faultsOf(report, 'open'), /^run \d+ is damaged$/)
    assert.equal(report.damaged_calls, 1)
  })

  test('finds a run that is gone, of an ended call and of one in progress', async (t) => {
    // In progress no snapshot knows the packets yet: without a look at the versions they would only be missing.
    for (const callId of ['ended', 'open']) {
      const report = await damage(t, (db) => {
        assert(runsOf(db, callId).length > 1, 'what is gone is not the end')
        db.prepare('DELETE FROM runs WHERE key = ?').run(firstRunOf(db, callId).key)
      })
      assert.match(faultsOf(report, callId), /versions \d+ to \d+ are gone/)
      assert.equal(report.damaged_calls, 1)
    }
  })

  test('finds a packet that is stored twice, under a version of its own', async (t) => {
    const report = await damage(t, (db) => {
      const callKey = keyOf(db, 'fresh')
      const records = Buffer.alloc(37)
      writeRecord(records, 0, callKey, 2, {
        sequence: 3,
        data: Buffer.from('y'),
        timestamp: 1,
        receivedAt: Date.now(),
      })
      db.prepare(
        'INSERT INTO journal("offset", checksum, records) SELECT max("offset") + 1, ?, ? FROM journal',
      ).run(crc32(records), records)
    })
    const what =
      'packet 3 is stored twice: the first is served, and the service drops the second when it folds the tail'
    assert.equal(faultsOf(report, 'fresh'), what)
  })

  test('finds a run that stands twice, where the database was made to take it', async (t) => {
    const report = await damage(t, (db) => {
      const run = firstRunOf(db, 'ended')
      assert.throws(() => insertRun(db, run), { code: /SQLITE_CONSTRAINT/ })
      const trigger = db
        .prepare("SELECT sql FROM sqlite_schema WHERE name = 'a_packet_is_stored_once'")
        .pluck()
        .get() as string
      db.exec('DROP TRIGGER a_packet_is_stored_once')
      // The same records, from the second one on.
      const second = recordEnd(run.records, 0)
      const records = run.records.subarray(second)
      insertRun(db, { ...run, first_sequence: run.first_sequence + 1, records, checksum: crc32(records) })
      db.exec(trigger)
    })
    assert.match(faultsOf(report, 'ended'), /version 2 stands twice; packet 1 is stored twice/)
  })

  test('finds no run that an update moved over another one: the database refuses it', async (t) => {
    const db = new Database(fileOf(copyOf(t)))
    try {
      const [first, second] = runsOf(db, 'ended')
      assert(first !== undefined && second !== undefined, 'there are two runs')
      const moved = () =>
        db.prepare('UPDATE runs SET last_sequence = ? WHERE key = ?').run(second.first_sequence, first.key)
      assert.throws(moved, { code: 'SQLITE_CONSTRAINT_TRIGGER' })
    } finally {
      db.close()
    }
  })

  test('finds a run whose row says something else than its records', async (t) => {
    const report = await damage(t, (db) => {
      const { key } = firstRunOf(db, 'other')
      db.prepare('UPDATE runs SET first_sequence = first_sequence + 1 WHERE key = ?').run(key)
    })
    assert.match(faultsOf(report, 'other'), /is not what its row says/)
  })

  test('finds a lifecycle entry that is gone', async (t) => {
    const report = await damage(t, (db) =>
      db
        .prepare(
          `DELETE FROM lifecycle WHERE (call_key, version) IN
           (SELECT call_key, min(version) FROM lifecycle WHERE call_key = ? GROUP BY call_key)`,
        )
        .run(keyOf(db, 'ended')),
    )
    assert.match(faultsOf(report, 'ended'), /gone; grace-over \(version \d+\) does not follow/)
  })

  test('finds a snapshot that says something else than the journal', async (t) => {
    const report = await damage(t, (db) => {
      db.prepare("UPDATE calls SET state = 'FAILED' WHERE call_id = 'ended'").run()
      db.prepare("UPDATE calls SET snapshot = '{' WHERE call_id = 'fresh'").run()
      // As a fault of this program would have written them.
      for (const row of db.prepare<[], CallColumns>('SELECT * FROM calls').all())
        db.prepare('UPDATE calls SET checksum = ? WHERE key = ?').run(callChecksum(row), row.key)
    })
    assert.equal(
      faultsOf(report, 'ended'),
      'the snapshot says another state: FAILED, but ARCHIVED in the journal',
    )
    assert.equal(faultsOf(report, 'fresh'), 'the snapshot cannot be read')
  })

  test('rebuilds what calls are found by, where no service runs', async (t) => {
    const dataDir = copyOf(t)
    const db = new Database(fileOf(dataDir))
    db.exec("INSERT INTO words(words) VALUES ('delete-all')")
    db.exec('UPDATE run_mark SET is_open = 0')
    db.close()
    const count = () => {
      const looked = new Database(fileOf(dataDir), { readonly: true })
      const found = looked.prepare("SELECT count(*) FROM words WHERE words MATCH 'simulated'").pluck().get()
      looked.close()
      return found
    }
    assert.equal(count(), 0, 'the words are gone')
    changeIn(dataDir, 'sqlite_autoindex_calls_1', 'ended', 'endee')
    const { code, err } = await runCommand(['verify', '--data-dir', dataDir, '--rebuild-index'])
    assert.deepEqual([code, err], [0, ''])
    assert.equal(count(), 1)
    const service = await startService(t, { dataDir })
    assert.equal((await get(service, '/v1/call/ended')).status, 200, 'its name is found again')
    const refused = await runCommand(['verify', '--data-dir', service.dataDir, '--rebuild-index'])
    assert.equal(refused.code, 74)
    assert.match(refused.err, /another instance uses the data folder/)
  })

  test('finds packets of a call that is not there', async (t) => {
    const report = await damage(t, (db) => insertRun(db, { ...firstRunOf(db, 'ended'), call_key: 99 }))
    assert.deepEqual(report.faults, ['runs of a call with key 99, which is not there'])
  })

  test('finds a flipped byte in the journal’s tail', async (t) => {
    const report = await damage(t, (db) =>
      db.exec(
        'UPDATE journal SET checksum = checksum + 1 WHERE "offset" = (SELECT max("offset") FROM journal)',
      ),
    )
    assert.match(report.faults.join(), /^the journal is damaged at offset \d+$/)
  })

  test('finds a log that is gone, and a file that was cut', async (t) => {
    const withoutLog = temporaryFolder(t)
    copyFileSync(fileOf(crashed), fileOf(withoutLog))
    const first = await verify(withoutLog)
    assert.equal(first.code, 1)
    assert.match(first.report.faults.join(), /not stopped cleanly, and its write-ahead log is gone/)

    const backup = join(temporaryFolder(t), 'backup.db')
    const made = await runCommand(['backup', '--data-dir', crashed, backup])
    assert.equal(made.code, 0, made.err)
    truncateSync(backup, 64 * 1024)
    const cut = await runCommand(['verify', backup])
    assert.equal(cut.code, 1)
    assert.match(cut.out.toString() + cut.err, /malformed|damaged/)
  })

  test('finds that all is good beside a service whose commits have failed', async (t) => {
    // Guards against a hole in the versions where an append failed: it would be taken for a loss.
    const service = await startService(t)
    await postLines(service, bulkLines('c1', numbers(0, 50), large))
    await whileLocked(service.dataDir, async () => {
      const answer = await post(service, '/v1/call/stream/c1', {
        sequence: 50,
        data: 'x',
        timestamp: 1,
      })
      assert.equal(answer.status, 503)
    })
    await postLines(service, bulkLines('c1', numbers(50, 100), large))
    const { code, report } = await verify(service.dataDir)
    assert.deepEqual([code, report.damaged, report.faults, report.packets], [0, [], [], 100])
  })
})
