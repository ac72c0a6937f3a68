/** A write-ahead log that is cut, damaged or gone: what a crash leaves is taken, and what it cannot leave is refused. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import { checkWal, cutRemains } from '../../../src/store/sqlite/files/wal-check.js'
import { callId } from '../../support/calls.js'
import { append, packetEntry, storedCall } from '../../support/journals.js'
import { randomNumbers, seed } from '../../support/property.js'
import { temporaryFolder } from '../../support/service.js'
import { close, fileOf, openJournal } from '../../support/sqlite.js'

const id = callId('c1')
const commits = 12
const frameBytes = 24 + 4096

/** The folder of a journal that committed packets 0 … 11 one by one, as a crash leaves it. */
async function crashImage(t: TestContext): Promise<{ image: string; log: Buffer }> {
  const { journal, dataDir } = await openJournal(t)
  const stream = await storedCall(journal, id, [0])
  for (let sequence = 1; sequence < commits; sequence++)
    await append(journal, stream, [packetEntry(sequence)])
  const image = join(temporaryFolder(t), 'image')
  cpSync(dataDir, image, { recursive: true })
  rmSync(`${fileOf(image)}-shm`, { force: true })
  return { image, log: readFileSync(`${fileOf(image)}-wal`) }
}

/** Where each frame of a log starts. */
function framesOf(log: Buffer): number[] {
  return [...Array((log.length - 32) / frameBytes).keys()].map((i) => 32 + i * frameBytes)
}

const logOf = (folder: string) => `${fileOf(folder)}-wal`

describe('a write-ahead log', () => {
  test('is whole as the journal leaves it, and missing or empty where it is', async (t) => {
    const { image } = await crashImage(t)
    assert.equal(checkWal(logOf(image)).kind, 'whole')
    assert.deepEqual(checkWal(join(image, 'nothing')), { kind: 'missing' })
    truncateSync(logOf(image))
    assert.deepEqual(checkWal(logOf(image)), { kind: 'empty' })
  })

  test('that is cut off anywhere is never called damaged: a crash may do that', async (t) => {
    // Guards against a service that does not start after a power cut.
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const { image, log } = await crashImage(t)
    const random = randomNumbers(40)
    const path = join(image, 'cut')
    const cuts = [
      1,
      31,
      32,
      33,
      55,
      56,
      log.length - 1,
      ...[...Array(40)].map(() => Math.floor(random() * log.length)),
    ]
    for (const bytes of cuts) {
      writeFileSync(path, log.subarray(0, bytes))
      assert.notEqual(checkWal(path).kind, 'damaged', `cut to ${bytes} bytes`)
    }
  })

  test('whose last transaction was half-written is torn, whatever stands in its frames', async (t) => {
    // A power cut leaves frames at their full length with anything in them; none of that was acknowledged.
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const { image, log } = await crashImage(t)
    const random = randomNumbers(42)
    const path = join(image, 'torn')
    const commitFrames = framesOf(log).filter((at) => log.readUInt32BE(at + 4) !== 0)
    const lastBegins = (commitFrames.at(-2) ?? 0) + frameBytes
    assert(lastBegins < log.length)
    for (let round = 0; round < 40; round++) {
      const torn = Buffer.from(log)
      const from = lastBegins + Math.floor(random() * (log.length - lastBegins))
      const kind = round % 3
      if (kind === 0) torn.fill(0, from)
      else if (kind === 1) torn.writeUInt8(torn.readUInt8(from) ^ 0x55, from)
      else torn.set(torn.subarray(32, 32 + log.length - from), from)
      if (torn.equals(log)) continue
      writeFileSync(path, torn)
      assert.equal(checkWal(path).kind, 'torn', `byte ${from}, ${kind}`)
    }
  })

  test('behind which an older log has left its frames is not damaged', async (t) => {
    const { image, log } = await crashImage(t)
    const older = Buffer.from(log.subarray(32))
    for (let at = 0; at < older.length; at += frameBytes) older.writeUInt32BE(12_345, at + 8)
    const path = join(image, 'reused')
    writeFileSync(path, Buffer.concat([log, older]))
    assert.equal(checkWal(path).kind, 'torn')
  })

  test('whose damage more than one commit follows is damaged, wherever a bit flips', async (t) => {
    // Guards against SQLite's own recovery, which drops all that was acknowledged behind the damage without a word.
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const { image, log } = await crashImage(t)
    const random = randomNumbers(41)
    const path = join(image, 'flipped')
    let damaged = 0
    for (let round = 0; round < 40; round++) {
      const frame = Math.floor(random() * 3)
      // Not in the salt: a frame of another salt is what an older log has left there.
      const within = [0, 4, 16, 23, 24, 4000][Math.floor(random() * 6)] ?? 0
      const flipped = Buffer.from(log)
      const at = 32 + frame * frameBytes + within
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at)
      writeFileSync(path, flipped)
      const verdict = checkWal(path)
      assert(verdict.kind === 'damaged', `${verdict.kind} at byte ${at}`)
      assert.equal(verdict.frame, frame)
      assert(verdict.commitsAfter > 1)
      damaged++
    }
    assert.equal(damaged, 40)
  })
})

/** A database with the settings of ours, to write logs of any shape. */
function plainDatabase(path: string): Database.Database {
  const db = new Database(path)
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'wal_autocheckpoint = 0'])
    db.pragma(pragma)
  db.exec('CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, b BLOB)')
  return db
}

describe('after a power cut, a log', () => {
  test('with a frame whose header is half from an older log is torn, not damaged', (t) => {
    // Guards against a service that does not start because the size field of an older commit stands before a new salt:
    // a sector can end between the two.
    const path = join(temporaryFolder(t), 'a.db')
    const db = plainDatabase(path)
    db.prepare('INSERT INTO t(b) VALUES (zeroblob(100))').run()
    // The older log: each frame is a commit.
    for (let i = 0; i < 80; i++) db.exec(`UPDATE t SET b = zeroblob(${i + 1})`)
    db.pragma('wal_checkpoint(RESTART)')
    const put = db.prepare('INSERT INTO t(b) VALUES (?)')
    for (let i = 0; i < 5; i++) put.run(Buffer.alloc(100))
    const synced = readFileSync(`${path}-wal`)
    db.transaction(() => {
      for (let i = 0; i < 60; i++) put.run(Buffer.alloc(4000))
    })()
    const written = readFileSync(`${path}-wal`)
    db.close()
    let mixes = 0
    for (const at of framesOf(written)) {
      if ((at + 8) % 512 !== 0) continue
      const mixed = Buffer.from(written)
      synced.copy(mixed, at + 8 - 512, at + 8 - 512, at + 8)
      assert(mixed.readUInt32BE(at + 4) !== 0, 'it has the size field of a commit')
      writeFileSync(`${path}-mixed`, mixed)
      assert.equal(checkWal(`${path}-mixed`).kind, 'torn')
      mixes++
    }
    assert(mixes > 0)
  })

  test('is cut where it is torn, so that a second power cut finds nothing of the first', (t) => {
    // Guards against two legitimate crashes that together look like the loss of a commit.
    const folder = temporaryFolder(t)
    const db = plainDatabase(join(folder, 'a.db'))
    const put = db.prepare('INSERT INTO t(b) VALUES (?)')
    for (let i = 0; i < 5; i++) put.run(Buffer.alloc(100))
    const synced = readFileSync(join(folder, 'a.db-wal')).length
    db.transaction(() => {
      for (let i = 0; i < 12; i++) put.run(Buffer.alloc(4000))
    })()
    const path = join(folder, 'b.db')
    cpSync(join(folder, 'a.db'), path)
    // Torn, but for its last frame, which says that it is committed.
    const torn = readFileSync(join(folder, 'a.db-wal'))
    torn.fill(0, synced + 2 * frameBytes + 24, synced + 3 * frameBytes)
    writeFileSync(`${path}-wal`, torn)
    db.close()
    const verdict = checkWal(`${path}-wal`)
    assert.deepEqual(verdict, {
      kind: 'torn',
      frame: (synced - 32) / frameBytes + 2,
      remainsAt: synced + 2 * frameBytes,
    })
    cutRemains(`${path}-wal`, verdict)
    const next = plainDatabase(path)
    assert.equal(next.prepare('SELECT count(*) FROM t').pluck().get(), 5)
    next.exec('INSERT INTO t(b) VALUES (zeroblob(100))')
    const after = readFileSync(`${path}-wal`)
    next.close()
    // The second cut: the end of the first new commit never came to the disk.
    const mixed = Buffer.from(after)
    mixed.fill(0, synced + 1000, synced + frameBytes)
    assert(!mixed.equals(after))
    writeFileSync(`${path}-wal`, mixed)
    assert.equal(checkWal(`${path}-wal`).kind, 'torn')
  })

  test('never has frames behind a header that does not fit: that is damage', async (t) => {
    // Guards against a flipped bit in the salt, with which SQLite drops the whole log without a word.
    const { image, log } = await crashImage(t)
    for (const at of [0, 9, 16, 20, 23, 24, 31]) {
      const flipped = Buffer.from(log)
      flipped.writeUInt8(flipped.readUInt8(at) ^ 4, at)
      writeFileSync(logOf(image), flipped)
      assert.equal(checkWal(logOf(image)).kind, 'damaged', `byte ${at}`)
    }
    writeFileSync(logOf(image), log.subarray(0, 32).fill(7, 20))
    assert.equal(checkWal(logOf(image)).kind, 'torn', 'it was never finished')
  })
})

describe('a journal whose log', () => {
  test('is torn at its end opens, without what was never acknowledged', async (t) => {
    const { image, log } = await crashImage(t)
    truncateSync(logOf(image), log.length - 10)
    const { journal } = await openJournal(t, { dataDir: image })
    const { packets } = await journal.packets(id, 0, 100)
    assert.deepEqual(
      packets.map(({ sequence }) => sequence),
      [...Array(commits - 1).keys()],
    )
  })

  test('is damaged is refused, unless the loss is accepted', async (t) => {
    const { image, log } = await crashImage(t)
    log.write('damage', 32 + 2 * (24 + 4096) + 500)
    writeFileSync(logOf(image), log)
    await assert.rejects(openJournal(t, { dataDir: image }), /log is damaged at frame 2/)
    await assert.rejects(openJournal(t, { dataDir: image }), /log is damaged/, 'a refusal changes nothing')
    const { journal } = await openJournal(t, { dataDir: image, acceptDataLoss: true })
    assert((await journal.packets(id, 0, 100)).packets.length < commits)
  })

  test('is gone after a crash is refused, and is not missed after a clean stop', async (t) => {
    const { image } = await crashImage(t)
    rmSync(logOf(image))
    await assert.rejects(openJournal(t, { dataDir: image }), /log is gone/)
    truncateSync(fileOf(image))
    await assert.rejects(openJournal(t, { dataDir: image }), /is empty/)

    const { journal, dataDir } = await openJournal(t)
    await storedCall(journal, id, [0])
    await close(journal)
    rmSync(logOf(dataDir), { force: true })
    const { journal: next } = await openJournal(t, { dataDir })
    assert.equal((await next.packets(id, 0, 10)).packets.length, 1)
  })
})
