/** A journal that stores nothing: appends wait for `commit`, which settles them. What an actor costs is measured without a store. */

import type { CallId } from '../../src/protocol/call-id.js'
import {
  type CallSnapshot,
  type CallStream,
  type Journal,
  type JournalEntry,
  type Settlement,
  tellCommitted,
} from '../../src/store/journal.js'

interface Stream extends CallStream {
  version: number
}

export class IdleJournal implements Journal {
  #waiting: Settlement[] = []

  isNew(): boolean {
    return true
  }

  create(callId: CallId): CallStream {
    return { callId, version: 0 }
  }

  async replay(): Promise<null> {
    return null
  }

  async unreadable(): Promise<null> {
    return null
  }

  hasRoom(): boolean {
    return true
  }

  append(
    stream: CallStream,
    _version: number,
    entries: readonly JournalEntry[],
    _snapshot: CallSnapshot | null,
    settlement: Settlement,
  ): void {
    ;(stream as Stream).version += entries.length
    this.#waiting.push(settlement)
  }

  erase(_stream: CallStream, _version: number, settlement: Settlement): void {
    this.#waiting.push(settlement)
  }

  settled(_stream: CallStream, settlement: Settlement): void {
    this.#waiting.push(settlement)
  }

  hasPending(): boolean {
    return this.#waiting.length > 0
  }

  release(): void {}

  commit(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const settlement of waiting) tellCommitted(settlement)
  }
}
