/** A row of `calls` as it is read. */
import { StoredDamage } from '../../../errors.js'
import type { CallState } from '../../../protocol/call.js'
import type { CallId } from '../../../protocol/call-id.js'
import { callChecksum } from '../row-checksum.js'
import type { StoredCallRow } from '../thread-messages.js'

export interface CallTableRow {
  readonly key: number
  readonly call_id: CallId
  readonly version: number
  readonly state: CallState
  readonly created_at: number
  readonly due_at: number | null
  readonly ended_at: number | null
  readonly is_settled: 0 | 1
  readonly snapshot: string
  readonly checksum: number
}

/** Throws `StoredDamage`. */
export function storedCall(row: CallTableRow): StoredCallRow {
  if (callChecksum(row) !== row.checksum)
    throw new StoredDamage(`the row of the call with key ${row.key} is damaged`)
  return {
    key: row.key,
    callId: row.call_id,
    version: row.version,
    snapshot: {
      state: row.state,
      createdAt: row.created_at,
      dueAt: row.due_at,
      endedAt: row.ended_at,
      isSettled: row.is_settled === 1,
      body: row.snapshot,
    },
  }
}
