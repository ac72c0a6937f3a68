/**
 * What a file says of itself as a copy of the shared log, in one row: through which message it holds the log, who owns what by
 * then, and the highest key of a call. It is written in the transactions that apply messages. Only the file of a cluster's node has
 * the table.
 */
import { crc32 } from 'node:zlib'
import type { Statement } from 'better-sqlite3'
import { StoredDamage } from '../../../errors.js'
import type { Db } from '../files/schema.js'

export interface CopyState {
  /** Of the last message that is in the file. */
  readonly sequence: number
  /** The highest one that was ever given: a call that has been erased may have had it, and other nodes may still erase that call. */
  readonly lastKey: number
  /** A snapshot of the `OwnerTable`. */
  readonly owners: string
}

const table = `
  CREATE TABLE log_copy(
    only INTEGER PRIMARY KEY CHECK (only = 1),
    sequence INTEGER NOT NULL,
    last_key INTEGER NOT NULL,
    owners TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT`

export class StoredCopyState {
  readonly #put: Statement

  private constructor(db: Db) {
    this.#put = db.prepare(
      'INSERT OR REPLACE INTO log_copy(only, sequence, last_key, owners, checksum) VALUES (1, ?, ?, ?, ?)',
    )
  }

  /** From now on the file is a copy. Throws where it is one already. */
  static create(db: Db, state: CopyState): StoredCopyState {
    return db
      .transaction(() => {
        db.exec(table)
        const stored = new StoredCopyState(db)
        stored.put(state)
        return stored
      })
      .immediate()
  }

  /** Null for a file that is no copy. */
  static read(db: Db): { readonly stored: StoredCopyState; readonly state: CopyState } | null {
    const isCopy = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'log_copy'").get() !== undefined
    if (!isCopy) return null
    const row = db
      .prepare<[], CopyState & { readonly checksum: number }>(
        'SELECT sequence, last_key AS lastKey, owners, checksum FROM log_copy',
      )
      .get()
    if (row === undefined || row.checksum !== checksumOf(row))
      throw new StoredDamage(
        'the place of this copy in the log is damaged: start with a copy of another node’s file',
      )
    const { sequence, lastKey, owners } = row
    return { stored: new StoredCopyState(db), state: { sequence, lastKey, owners } }
  }

  put(state: CopyState): void {
    this.#put.run(state.sequence, state.lastKey, state.owners, checksumOf(state))
  }
}

function checksumOf({ sequence, lastKey, owners }: CopyState): number {
  return crc32(String(owners), crc32(`${sequence} ${lastKey}`))
}
