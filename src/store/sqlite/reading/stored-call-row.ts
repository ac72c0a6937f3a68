/** A row of `calls` as it is read. */
import { StoredDamage } from '../../../errors.js'
import type { CallState } from '../../../protocol/call.js'
import type { CallId } from '../../../protocol/call-id.js'
import { type CallColumns, callChecksum } from '../row-checksum.js'
import type { StoredCallRow } from '../thread-messages.js'

export interface CallTableRow extends CallColumns {
  readonly call_id: CallId
  readonly state: CallState
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
