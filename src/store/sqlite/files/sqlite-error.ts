/** Whether the process may go on after an error of the database. */
import { codeOf, StoredDamage } from '../../../errors.js'

/** The file does not hold what was written to it. */
export function isCorrupt(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error))
}

/** Found out by SQLite, or by a checksum of ours. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof StoredDamage || isCorrupt(error)
}

/** An fsync error, a damaged file, a bug: going on could acknowledge what is not there. A full disk or a lock passes. */
export function isFatal(code: string): boolean {
  const passing = [
    'SQLITE_FULL',
    'SQLITE_BUSY',
    'SQLITE_LOCKED',
    'SQLITE_IOERR_WRITE',
    'SQLITE_IOERR_NOMEM',
    'SQLITE_NOMEM',
    'SQLITE_READONLY',
    // The index of the log could not grow: the commit is taken back.
    'SQLITE_IOERR_SHMSIZE',
    // A file system that copies what it writes may need space to clear the gaps of a page.
    'ENOSPC',
    'EDQUOT',
  ]
  return !passing.some((prefix) => code === prefix || code.startsWith(`${prefix}_`))
}
