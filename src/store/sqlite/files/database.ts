/**
 * The database file: how it is made and opened, by whom, and what must be true of it before. One connection writes;
 * others checkpoint, read, or only keep the log from being closed.
 */
import assert from 'node:assert/strict'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { messageOf, NoStoredCalls, StoredDamage } from '../../../errors.js'
import { type LookupVerdict, lookAtLookups } from './lookup-faults.js'
import { mendDetails } from './mended-details.js'
import { assertSchema, createTables, type Db } from './schema.js'
import { checkWal, cutRemains, type WalVerdict } from './wal-check.js'

export function databasePath(dataDir: string): string {
  return join(dataDir, 'voicestream.db')
}

/** What was acknowledged may be missing from the database; only an operator can decide to go on without it. */
class DataLossError extends Error {
  override readonly name = 'DataLossError'
}

/**
 * Opens for writing, or creates, and marks the database as open. Throws when the file is not ours, has another layout,
 * or has lost what it once held (`DataLossError`, unless `acceptDataLoss`). `damaged` is told of what was made anew.
 */
export function openForWriting(
  path: string,
  acceptDataLoss = false,
  damaged: (damage: string) => void = () => {},
): Db {
  if (!existsSync(path) || (acceptDataLoss && statSync(path).size === 0)) create(path)
  const { areDetailsMendable } = assertUsable(path, acceptDataLoss)
  // Where opening fails midway, on a full disk, the close would empty the log: a loss, for the next start.
  const guard = openGuard(path)
  try {
    return openMarked(path, (db) => {
      if (areDetailsMendable) for (const mended of mendDetails(db)) damaged(mended)
    })
  } finally {
    guard.close()
  }
}

function openMarked(path: string, mend: (db: Db) => void): Db {
  const db = new Database(path, { timeout: 1500 })
  try {
    configure(db)
    mend(db)
    // In the database file itself, so that a log that goes missing is missed. Until the clean stop the log holds at
    // least this one frame.
    markOpen(db)
    db.pragma('wal_checkpoint(PASSIVE)')
    // WAL would answer with its default before the first write: asserted after it.
    assert.equal(db.pragma('synchronous', { simple: true }), 2, 'synchronous is FULL')
    assert.equal(db.pragma('journal_mode', { simple: true }), 'wal')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function assertUsable(path: string, acceptDataLoss: boolean): LookupVerdict {
  const wal = checkWal(`${path}-wal`)
  if (!acceptDataLoss) assertNothingLost(path, wal)
  const verdict = assertReadable(path, acceptDataLoss ? null : wal)
  cutRemains(`${path}-wal`, wal)
  return verdict
}

/** Looks with a connection that cannot write: one that could would empty the log when it is closed. */
function assertReadable(path: string, wal: WalVerdict | null): LookupVerdict {
  const db = openForLooking(path)
  try {
    assertSqliteVersion(db)
    assertSchema(db)
    if (wal === null) return { faults: [], areDetailsMendable: false }
    assertLogIsThere(db, wal)
    const verdict = lookAtLookups(db)
    assertCallsAreFound(verdict)
    return verdict
  } finally {
    db.close()
  }
}

function openForLooking(path: string): Db {
  try {
    return openForReading(path)
  } catch (cause) {
    throw new Error(`cannot open ${path}: ${messageOf(cause)}`, {
      cause,
    })
  }
}

export function markOpen(db: Db): void {
  db.exec('UPDATE run_mark SET is_open = 1')
}

/** The last write of a clean stop; the checkpoint after it empties the log. */
export function markClosed(db: Db): void {
  db.exec('UPDATE run_mark SET is_open = 0')
}

/** Whole or not at all, so that an empty database file is always a damaged one. */
function create(path: string): void {
  const fresh = `${path}.new`
  for (const suffix of ['', '-wal', '-shm']) rmSync(fresh + suffix, { force: true })
  const db = new Database(fresh)
  configure(db)
  createTables(db)
  db.close()
  syncFile(fresh)
  // A log that belonged to another database would be recovered into this one.
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
  renameSync(fresh, path)
  syncFile(dirname(path))
}

function syncFile(path: string): void {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}

/** What of the database file was written past its connections. It fails as they would. */
export function syncDatabase(databaseFd: number): void {
  try {
    fsyncSync(databaseFd)
  } catch (cause) {
    throw Object.assign(new Error('the database could not be synced', { cause }), {
      code: 'SQLITE_IOERR_FSYNC',
    })
  }
}

function configure(db: Db): void {
  checkCells(db)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('wal_autocheckpoint = 0')
  db.pragma('journal_size_limit = 67108864')
  db.pragma('cache_size = -32768')
  // What is deleted is overwritten with zeros. Folding frees pages that it soon fills again: 0 to 6 % more bytes a packet.
  db.pragma('secure_delete = ON')
}

/** A page whose cells reach beyond it is damage when it is read, and not when somebody falls over it. */
function checkCells(db: Db): void {
  db.pragma('cell_size_check = ON')
}

function assertNothingLost(path: string, wal: WalVerdict): void {
  if (statSync(path).size === 0) throw new DataLossError(`the database ${path} is empty`)
  if (wal.kind === 'damaged')
    throw new DataLossError(
      `the write-ahead log is damaged at frame ${wal.frame}, and ${wal.commitsAfter} commits follow that SQLite would drop`,
    )
}

function assertLogIsThere(db: Db, wal: WalVerdict): void {
  if (wal.kind !== 'missing' && wal.kind !== 'empty') return
  const isOpen = db.prepare('SELECT is_open FROM run_mark').pluck().get()
  if (isOpen === 1)
    throw new DataLossError('the database was not stopped cleanly, and its write-ahead log is gone')
}

function assertCallsAreFound({ faults: [fault, ...more] }: LookupVerdict): void {
  if (fault === undefined) return
  const others = more.length === 0 ? '' : `, and ${more.length} more`
  throw new DataLossError(`the database is damaged, and calls would not be found: ${fault}${others}`)
}

/** Like every connection that writes, it syncs what it moves. */
export function openForCheckpoints(path: string): Db {
  const db = new Database(path, { fileMustExist: true, timeout: 1500 })
  checkCells(db)
  db.pragma('synchronous = FULL')
  return db
}

/**
 * Held open by the main thread for the life of the process. When a process exits, Node closes the connections of its
 * worker threads, and SQLite's last close would move the log into the database and delete it; after an fsync error
 * nobody knows what that would be worth, and a log that is gone looks like a loss. While this connection is open, it is
 * not the last one; the main thread's are not closed at exit.
 */
export function openGuard(path: string): Db {
  const db = openForReading(path)
  db.prepare('SELECT is_open FROM run_mark').get()
  return db
}

/** For `rebuildIndexes`: without a look at what it is to mend. */
export function openForRepair(path: string): Db {
  const db = new Database(path, { fileMustExist: true, timeout: 1500 })
  configure(db)
  return db
}

export function openForReading(path: string): Db {
  const db = new Database(path, { readonly: true, timeout: 1500 })
  checkCells(db)
  db.pragma('query_only = ON')
  db.pragma('cache_size = -16384')
  return db
}

/** Before 3.51.3 a WAL reset could corrupt the database. */
function assertSqliteVersion(db: Db): void {
  const version = db.prepare('SELECT sqlite_version()').pluck().get() as string
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  assert(major * 1e6 + minor * 1e3 + patch >= 3_051_003, `SQLite ${version} is older than 3.51.3`)
}

/** Of a service that may be running, or of a backup: read-only. Throws `NoStoredCalls`, or `StoredDamage` where there is something else. */
export function openStored(path: string): Db {
  if (!existsSync(path)) throw new NoStoredCalls(`no database ${path}`)
  if (statSync(path).size === 0) throw new StoredDamage(`the database ${path} is empty`)
  let db: Db | null = null
  try {
    db = openForReading(path)
    assertSqliteVersion(db)
    assertSchema(db)
    return db
  } catch (cause) {
    db?.close()
    throw new StoredDamage(`cannot read ${path}: ${messageOf(cause)}`, {
      cause,
    })
  }
}

/** What would refuse a start of the service. Only where no service has the files open: a log that grows looks torn. */
export function logFaults(path: string, db: Db): string[] {
  try {
    const wal = checkWal(`${path}-wal`)
    assertNothingLost(path, wal)
    assertLogIsThere(db, wal)
    return []
  } catch (error) {
    if (error instanceof DataLossError) return [error.message]
    throw error
  }
}
