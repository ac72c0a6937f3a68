/**
 * Calls whose rows cannot be read as they were written. What may still be said of one is what the indexes say: its name and
 * its state, which stand there a second time.
 */
import { StoredDamage } from '../../../errors.js'
import type { CallState } from '../../../protocol/call.js'
import type { CallId } from '../../../protocol/call-id.js'
import { callStates } from '../../../protocol/call-states.js'
import type { Db } from '../files/schema.js'
import { isCorrupt } from '../files/sqlite-error.js'
import type { DamagedCallRow } from '../thread-messages.js'

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
    this.#hasState = db
      .prepare<[string, number], number>(
        'SELECT 1 FROM calls INDEXED BY calls_by_state WHERE state = ? AND +key = ?',
      )
      .pluck()
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
      if (isDamage(error)) return undefined
      throw error
    }
  }
}

export function isDamage(error: unknown): boolean {
  return error instanceof StoredDamage || isCorrupt(error)
}
