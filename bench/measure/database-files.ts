/** The database from outside: its sizes, and a reader that holds a snapshot. The one importer of better-sqlite3 here but `schema`. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'

export function sizeMib(folder: string, ending: '' | '-wal'): number {
  return (statSync(join(folder, `voicestream.db${ending}`), { throwIfNoEntry: false })?.size ?? 0) / 2 ** 20
}

/** A long backup or analysis by another process: no checkpoint can go past it. Returns what ends it. */
export function holdSnapshot(folder: string): () => void {
  const db = new Database(join(folder, 'voicestream.db'), { readonly: true, timeout: 5000 })
  db.exec('BEGIN')
  // A transaction takes its snapshot with its first read.
  db.prepare('SELECT count(*) FROM sqlite_schema').get()
  return () => {
    db.exec('COMMIT')
    db.close()
  }
}
