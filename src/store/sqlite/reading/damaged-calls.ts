/**
 * Calls whose rows cannot be read as they were written. What may still be said of one is what the indexes say: its name and
 * its state, which stand there a second time.
 */
import type { CallState } from '../../../protocol/call.js'
import type { CallId } from '../../../protocol/call-id.js'
import { callStates } from '../../../protocol/call-states.js'
import type { Db } from '../files/schema.js'
import { isUnreadable } from '../files/sqlite-error.js'
import type { DamagedCallRow } from '../thread-messages.js'

/** By the index alone, where the state of a damaged row stands a second time. */
export const indexHasState = 'SELECT 1 FROM calls INDEXED BY calls_by_state WHERE state = ? AND key = ?'

export class DamagedCalls {
  readonly #nameOf
  readonly #hasState

  constructor(db: Db) {
    // The plus keeps SQLite from reading the row itself. All names are walked over: a damaged row is seldom.
    this.#nameOf = db
      .prepare<[number], CallId>(
        'SELECT call_id FROM calls INDEXED BY sqlite_autoindex_calls_1 WHERE +key = ?',
      )
      .pluck()
    this.#hasState = db.prepare<[string, number], number>(indexHasState).pluck()
  }

  /** Null where not even its name is known. */
  find(key: number): DamagedCallRow | null {
    const callId = this.#trying(() => this.#nameOf.get(key))
    return callId === undefined ? null : this.named(key, callId)
  }

  named(key: number, callId: CallId): DamagedCallRow {
    const state = this.#trying(() => callStates.find((each) => this.#hasState.get(each, key) !== undefined))
    return { key, callId, state: (state as CallState | undefined) ?? null, snapshot: null }
  }

  /** An index may be damaged, too. */
  #trying<T>(look: () => T | undefined): T | undefined {
    try {
      return look()
    } catch (error) {
      if (isUnreadable(error)) return undefined
      throw error
    }
  }
}
