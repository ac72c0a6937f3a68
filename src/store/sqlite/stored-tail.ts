/** The journal's tail as a reader finds it: the packets that are committed and not in the runs of their calls yet. */
import { crc32 } from 'node:zlib'
import { StoredDamage } from '../../errors.js'
import { recordCallKey, recordEnd, recordStarts, recordVersion } from './packet-record.js'
import type { Db } from './schema.js'

export class StoredTail {
  readonly #rows
  readonly #foldedThrough

  constructor(db: Db) {
    this.#rows = db.prepare<[], { offset: number; checksum: number; records: Buffer }>(
      'SELECT "offset", checksum, records FROM journal ORDER BY "offset"',
    )
    // A fold takes all that is pending of a call, so what it has left behind is told by one version a call.
    this.#foldedThrough = db
      .prepare<[number], number | null>('SELECT max(last_version) FROM runs WHERE call_key = ?')
      .pluck()
  }

  /** The records of one call, copied, in the order of their appends. Throws `StoredDamage`. */
  of(callKey: number): Buffer[] {
    const folded = this.#foldedThrough.get(callKey) ?? 0
    const found: Buffer[] = []
    for (const { offset, checksum, records } of this.#rows.iterate()) {
      assertWhole(offset, checksum, records)
      for (const record of split(records, offset))
        if (recordCallKey(record, 0) === callKey && recordVersion(record, 0) > folded)
          found.push(Buffer.from(record))
    }
    return found
  }

  /** The records of every call by its key. The writer keeps the tail below `limits.tailBytesMax`, so it fits. */
  all(damaged: (fault: StoredDamage) => void): Map<number, Buffer[]> {
    const folded = new Map<number, number>()
    const found = new Map<number, Buffer[]>()
    for (const { offset, checksum, records } of this.#rows.iterate())
      try {
        assertWhole(offset, checksum, records)
        for (const record of split(records, offset)) {
          const callKey = recordCallKey(record, 0)
          const through = folded.get(callKey) ?? this.#foldedThrough.get(callKey) ?? 0
          folded.set(callKey, through)
          if (recordVersion(record, 0) <= through) continue
          const known = found.get(callKey)
          if (known === undefined) found.set(callKey, [record])
          else known.push(record)
        }
      } catch (error) {
        if (!(error instanceof StoredDamage)) throw error
        damaged(error)
      }
    return found
  }
}

function assertWhole(offset: number, checksum: number, records: Buffer): void {
  if (crc32(records) !== checksum) throw new StoredDamage(`the journal is damaged at offset ${offset}`)
}

/** Checked by a checksum before, so a record that does not fit was written so. */
function split(records: Buffer, offset: number): Buffer[] {
  try {
    return [...recordStarts(records)].map((at) => records.subarray(at, recordEnd(records, at)))
  } catch (cause) {
    throw new StoredDamage(`the journal holds no records at offset ${offset}`, { cause })
  }
}
