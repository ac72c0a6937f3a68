/** The journal's tail as the file has it: what was committed and is not folded yet. */
import { crc32 } from 'node:zlib'
import { StoredDamage } from '../../errors.js'
import type { Db } from './files/schema.js'
import type { StoredPackets } from './reading/stored-packets.js'
import { Tail } from './writing/tail.js'

export interface RecoveredTail {
  readonly tail: Tail
  /** Of the last row. */
  readonly offset: number
}

/** The writer keeps the tail below `limits.tailBytesMax`, so it fits into memory. `damaged` is told of rows that are left out. */
export function recoverTail(
  db: Db,
  packets: StoredPackets,
  damaged: (fault: StoredDamage, offset: number) => void,
): RecoveredTail {
  const tail = new Tail()
  const folded = new Map<number, number>()
  const foldedThrough = (callKey: number): number => {
    const version = folded.get(callKey) ?? packets.foldedThrough(callKey)
    folded.set(callKey, version)
    return version
  }
  const rows = db.prepare<[], { offset: number; checksum: number; records: Buffer }>(
    'SELECT "offset", checksum, records FROM journal ORDER BY "offset"',
  )
  let last = 0
  for (const { offset, checksum, records } of rows.iterate()) {
    last = offset
    if (crc32(records) === checksum)
      tail.add(offset, records, (callKey, version) => version <= foldedThrough(callKey))
    else damaged(new StoredDamage(`the journal is damaged at offset ${offset}`), offset)
  }
  return { tail, offset: last }
}
