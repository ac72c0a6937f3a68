/** `voicestream backup` beside a service that writes, and a start from what it made. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import Database from 'better-sqlite3'
import { copyDatabase } from '../../src/store/sqlite/files/database-copy.js'
import { bulkLines, numbers, postLines, runCommand, runProgram } from '../support/command.js'
import {
  eventually,
  get,
  mainPath,
  packet,
  post,
  type Service,
  startService,
  temporaryFolder,
} from '../support/service.js'
import { fileOf } from '../support/sqlite.js'
import { suiteService } from '../support/suite-service.js'

const data = (sequence: number) => String(sequence).padStart(700, 'x')

/** Posts packets of many calls until it is stopped; what was acknowledged grows. */
function load(service: Service): { readonly acknowledged: () => number; stop(): Promise<void> } {
  let sequence = 0
  let isRunning = true
  const running = (async () => {
    while (isRunning) {
      const block = numbers(sequence, sequence + 50)
      await postLines(
        service,
        numbers(0, 8)
          .map((call) => bulkLines(`c${call}`, block, data))
          .join('\n'),
      )
      sequence += 50
    }
  })()
  return {
    acknowledged: () => sequence,
    stop() {
      isRunning = false
      return running
    },
  }
}

describe('a backup of a service under load', () => {
  test('holds what was acknowledged before it began, and a service starts from it', async (t) => {
    const service = await startService(t)
    const file = join(temporaryFolder(t), 'backup.db')
    const source = load(service)
    await eventually(
      async () => source.acknowledged(),
      (sequence) => sequence >= 2000,
    )
    const before = source.acknowledged()
    const { code, out, err } = await runProgram(['backup', '--data-dir', service.dataDir, file])
    const during = source.acknowledged()
    assert.equal(code, 0, err)
    assert(during > before, 'the service went on')
    assert.match(
      out.toString(),
      /backup\.db: [\d.]+ MiB, 8 calls, [\d,]+ packets; copied in [\d.]+ s, verified in/,
    )
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(join(file, '..')), ['backup.db'])
    await source.stop()

    const dataDir = temporaryFolder(t)
    copyFileSync(file, fileOf(dataDir))
    const restored = await startService(t, { dataDir, settings: { CALL_IDLE_TIMEOUT_MS: 900_000 } })
    for (const call of numbers(0, 8)) {
      const { body } = await get(restored, `/v1/call/c${call}`)
      assert.equal(body['state'], 'IN_PROGRESS')
      assert(Number(body['total_received']) >= before, `${body['total_received']} of ${before}`)
    }
    // Every packet with its bytes: sent again it is a duplicate, and one that differed would be told in the log.
    const { duplicate } = await postLines(restored, bulkLines('c3', numbers(0, before), data))
    assert.equal(duplicate, before)
    assert.equal((await post(restored, '/v1/call/stream/c3', packet(2 ** 30))).status, 202, 'it goes on')
  })

  test('sees one state of the database and ends, however much is written meanwhile', async (t) => {
    // Guards against a copy without a transaction: it starts again whenever another process writes.
    const service = await startService(t)
    await postLines(service, bulkLines('c1', numbers(0, 100), data))
    const other = new Database(fileOf(service.dataDir))
    t.after(() => other.close())
    // Several steps of a copy.
    other.exec(`CREATE TABLE filler(bytes);
      WITH RECURSIVE rows(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < 48)
      INSERT INTO filler SELECT zeroblob(1048576) FROM rows`)
    const target = join(temporaryFolder(t), 'copy.db')
    const left: number[] = []
    await copyDatabase(fileOf(service.dataDir), target, ({ pagesLeft }) => {
      left.push(pagesLeft)
      assert(left.length < 100, 'the copy does not end')
      other.exec('UPDATE calls SET created_at = created_at + 1')
    })
    assert(left.length > 3, 'there were writes between the steps')
    assert.deepEqual(
      left,
      [...left].sort((a, b) => b - a),
      'what is left only shrinks',
    )
    assert.equal(new Set(left).size, left.length)
  })
})

describe('a backup', () => {
  const shared = suiteService()

  test('never replaces a file unless it is told to, and then only by a whole one', async (t) => {
    const service = shared()
    await post(service, '/v1/call/stream/c1', packet(0))
    const file = join(temporaryFolder(t), 'backup.db')
    writeFileSync(file, 'mine')
    const words = ['backup', '--data-dir', service.dataDir, file]
    const refused = await runCommand(words)
    assert.deepEqual(
      [refused.code, refused.err],
      [73, `voicestream: ${file} already exists; --force replaces it\n`],
    )
    assert.equal(readFileSync(file, 'utf8'), 'mine')
    assert.equal((await runCommand([...words, '--force'])).code, 0)
    assert.equal((await runCommand(['verify', file])).code, 0)
  })

  test('never comes beside the log of another database, and never in the place of what is no file', async (t) => {
    // Guards against a copy that SQLite reads with a stranger's log, and against a /dev/null that is a file from then on.
    const service = shared()
    await post(service, '/v1/call/stream/c1', packet(0))
    const folder = temporaryFolder(t)
    const crashed = join(folder, 'voicestream.db')
    for (const suffix of ['', '-wal']) copyFileSync(fileOf(service.dataDir) + suffix, crashed + suffix)
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    symlinkSync(pipe, join(folder, 'link'))
    for (const [name, code, reason] of [
      ['voicestream.db', 73, /voicestream\.db-wal is the log of another database/],
      ['pipe', 64, /is not a file/],
      ['link', 64, /is not a file/],
      ['.', 64, /is not a file/],
    ] as const) {
      const ended = await runCommand(['backup', '--data-dir', service.dataDir, '--force', join(folder, name)])
      assert.deepEqual([ended.code, reason.test(ended.err)], [code, true], `${name}: ${ended.err}`)
    }
    assert(statSync(pipe).isFIFO())
    assert.deepEqual(readdirSync(folder).sort(), ['link', 'pipe', 'voicestream.db', 'voicestream.db-wal'])
    rmSync(crashed)
    const { code } = await runCommand(['backup', '--data-dir', service.dataDir, crashed])
    assert.equal(code, 73, 'also where the database itself is gone')
  })

  test('of a damaged database says where the damage is and keeps nothing', async (t) => {
    const dataDir = temporaryFolder(t)
    const service = await startService(t, { dataDir })
    await postLines(service, bulkLines('c1', numbers(0, 400), data))
    service.kill('SIGTERM')
    await service.exited
    const db = new Database(fileOf(dataDir))
    const records = db.prepare('SELECT records FROM runs WHERE key = 1').pluck().get() as Buffer
    records.writeUInt8(records.readUInt8(400) ^ 1, 400)
    db.prepare('UPDATE runs SET records = ? WHERE key = 1').run(records)
    db.close()
    const folder = temporaryFolder(t)
    const { code, err } = await runCommand(['backup', '--data-dir', dataDir, join(folder, 'b.db')])
    assert.equal(code, 1)
    assert.match(err, /damaged: call c1: run 1 is damaged/)
    assert.deepEqual(readdirSync(folder), [])
  })

  test('that cannot be written ends with 74 and leaves nothing', async () => {
    const service = shared()
    await post(service, '/v1/call/stream/c1', packet(0))
    const { code, err } = await runCommand(['backup', '--data-dir', service.dataDir, '/nowhere/b.db'])
    assert.equal(code, 74)
    assert.match(err, /ENOENT/)
  })

  test('that is interrupted leaves nothing, and ends by the signal', async (t) => {
    const dataDir = temporaryFolder(t)
    const service = await startService(t, { dataDir })
    for (const call of numbers(0, 4)) await postLines(service, bulkLines(`c${call}`, numbers(0, 4000), data))
    service.kill('SIGTERM')
    await service.exited
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const folder = temporaryFolder(t)
      const words = ['backup', '--data-dir', dataDir, join(folder, 'b.db')]
      const child = spawn(process.execPath, [mainPath(), ...words])
      t.after(() => child.kill('SIGKILL'))
      const ended = once(child, 'exit')
      await eventually(
        async () => readdirSync(folder),
        (names) => names.length > 0 || child.exitCode !== null,
      )
      child.kill(signal)
      assert.deepEqual(await ended, [null, signal])
      assert.deepEqual(readdirSync(folder), [])
    }
  })
})
