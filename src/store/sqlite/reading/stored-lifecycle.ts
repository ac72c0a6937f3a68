/** Rows of `lifecycle` as they are written and read: an entry is given out as it was written, or not at all. */
import { StoredDamage } from '../../../errors.js'
import type { LifecycleFacts } from '../../journal.js'
import { type LifecycleColumns, lifecycleChecksum, textChecksum } from '../row-checksum.js'

export const insertLifecycle = `INSERT INTO lifecycle(call_key, version, type, entry, checksum, text_checksum, text)
   VALUES (:callKey, :version, :type, :entry, :checksum, :textChecksum, :text)`

export interface LifecycleValues {
  readonly callKey: number
  readonly version: number
  readonly type: string
  readonly entry: string
  readonly text: string | null
}

export function lifecycleValues({ callKey, version, type, entry, text }: LifecycleValues) {
  const row = { callKey, version, type, entry, textChecksum: text === null ? null : textChecksum(text) }
  return { ...row, text, checksum: lifecycleChecksum(row) }
}

/** What a statement selects, with the key of the call. */
export const lifecycleColumns =
  'call_key AS callKey, version, type, entry, checksum, text_checksum AS textChecksum'

/** Likewise, with the text beside the entry as its bytes. */
export const lifecycleTextColumns = `${lifecycleColumns}, CAST(text AS BLOB) AS text`

export interface LifecycleTableRow extends LifecycleColumns {
  readonly checksum: number
}

export interface LifecycleTextRow extends LifecycleTableRow {
  readonly text: Buffer | null
}

/** Throws `StoredDamage`. */
export function factsIn(row: LifecycleTableRow): LifecycleFacts {
  if (lifecycleChecksum(row) !== row.checksum) throw damaged(row)
  // As it was written, by this program.
  return JSON.parse(row.entry) as LifecycleFacts
}

/** Throws `StoredDamage`. */
export function textIn(row: LifecycleTextRow): Buffer {
  factsIn(row)
  if (row.text === null || textChecksum(row.text) !== row.textChecksum) throw damaged(row)
  return row.text
}

function damaged({ callKey, version }: LifecycleTableRow): StoredDamage {
  return new StoredDamage(`lifecycle entry ${version} of the call with key ${callKey} is damaged`)
}
