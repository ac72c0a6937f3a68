/**
 * A copy of a database while a service writes it, as a file that a service can start from.
 *
 * SQLite's backup copies pages, some at a time, and starts again from the first when another process has written
 * meanwhile: beside a service it would never end. So all of it is one read transaction, which sees one state of the
 * database; the log cannot start anew until it has ended. `VACUUM INTO` would hold the same snapshot, take more time
 * for the same bytes (every row is inserted again), need a connection that may write, and tell nothing of its progress.
 */
import { closeSync, fsyncSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { markClosed, openStored } from './database.js'

/** 8 MiB: between two steps the loop can take a signal. */
const pagesAtOnce = 2048

export interface CopyProgress {
  readonly pages: number
  readonly pagesLeft: number
}

/** Creates `target`, which must not be there; only its owner can read it. It is left behind where this rejects. */
export async function copyDatabase(
  source: string,
  target: string,
  progress: (progress: CopyProgress) => void,
): Promise<void> {
  closeSync(openSync(target, 'wx', 0o600))
  const db = openStored(source)
  try {
    db.exec('BEGIN')
    // A transaction begins with its first read.
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    await db.backup(target, {
      progress: ({ totalPages, remainingPages }) => {
        progress({ pages: totalPages, pagesLeft: remainingPages })
        return pagesAtOnce
      },
    })
  } finally {
    // Ends the transaction as well.
    db.close()
  }
  makeStartable(target)
}

/**
 * The source was open, and says so; a start from the copy would miss its log. It has none: everything is in the one
 * file, which needs nothing beside it and can be read where nothing can be written.
 */
function makeStartable(path: string): void {
  const db = new Database(path, { fileMustExist: true })
  try {
    db.pragma('journal_mode = DELETE')
    db.pragma('synchronous = FULL')
    markClosed(db)
  } finally {
    db.close()
  }
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}
