/**
 * Makes anew what is there a second time: the indexes, from the rows of their tables, and the words that calls are found by, from
 * their transcripts. For `verify`, where no service has the files open.
 */
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { StoredDamage } from '../../../errors.js'
import { databasePath, logFaults, markClosed, openForRepair, openStored } from './database.js'
import { takeInstanceLock } from './instance-lock.js'
import { compareDetails, mendDetails } from './mended-details.js'
import { type Db, rebuildWords } from './schema.js'
import { isCorrupt } from './sqlite-error.js'

/** Throws with a message for people: a service runs, the log is damaged, or SQLite cannot read the rows. */
export function rebuildIndexes(path: string): void {
  const folder = dirname(path)
  const unlock = path === databasePath(folder) ? takeInstanceLock(folder) : () => {}
  try {
    assertLogWhole(path)
    const db = openForRepair(path)
    try {
      restoreDetails(db)
      db.exec('REINDEX')
      db.exec(rebuildWords)
      // The close moves the log into the database, and a log that is gone would look like a loss.
      markClosed(db)
    } finally {
      db.close()
    }
  } catch (cause) {
    if (!(cause instanceof Database.SqliteError)) throw cause
    throw new StoredDamage(`the indexes of ${path} cannot be rebuilt: ${cause.message}`, { cause })
  } finally {
    unlock()
  }
}

/** Before their index is made anew: it may be what still says what was written. */
function restoreDetails(db: Db): void {
  try {
    if (compareDetails(db).damaged > 0) mendDetails(db)
  } catch (error) {
    if (!isCorrupt(error)) throw error
  }
}

function assertLogWhole(path: string): void {
  const db = openStored(path)
  try {
    const [fault] = logFaults(path, db)
    if (fault !== undefined) throw new StoredDamage(fault)
  } finally {
    db.close()
  }
}
