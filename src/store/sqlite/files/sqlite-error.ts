/** What an error of the database is called, and whether the process may go on after it. */

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN'
}

/** The file does not hold what was written to it. */
export function isCorrupt(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error))
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
  ]
  return !passing.some((prefix) => code === prefix || code.startsWith(`${prefix}_`))
}
