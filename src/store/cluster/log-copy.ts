/**
 * A node's own file as a copy of the shared log. Messages become rows as the batches of a single node do, and the file can be that
 * of a single node again.
 *
 * What has gathered is one transaction, with the position in the log: so a message is applied once, whatever ends the process. Its
 * erasures come first, and what its messages hold of these calls is left out. No later call can have lost by that: keys do not come again.
 */
import assert from 'node:assert/strict'
import { recordStarts } from '../sqlite/packet-record.js'
import type { WriteBatch } from '../sqlite/thread-messages.js'
import { type CopyState, StoredCopyState } from '../sqlite/writing/copy-state.js'
import type { Writer } from '../sqlite/writing/writer.js'
import type { CopyFile, MessageInOrder } from './applier.js'
import { OwnerTable } from './owner-table.js'

export class LogCopy implements CopyFile {
  readonly #writer: Writer
  readonly #stored: StoredCopyState
  #state: CopyState

  private constructor(writer: Writer, stored: StoredCopyState, state: CopyState) {
    this.#writer = writer
    this.#stored = stored
    this.#state = state
  }

  /** Makes a copy of a single node's file: what it holds is all that there was before the log's first message. */
  static create(writer: Writer): LogCopy {
    const state = { sequence: 0, lastKey: writer.lastKey(), owners: new OwnerTable().snapshot() }
    return new LogCopy(writer, StoredCopyState.create(writer.db, state), state)
  }

  /** Null for a file that is no copy. Throws `StoredDamage` for one that does not know its place any more. */
  static open(writer: Writer): LogCopy | null {
    const found = StoredCopyState.read(writer.db)
    return found === null ? null : new LogCopy(writer, found.stored, found.state)
  }

  get state(): CopyState {
    return this.#state
  }

  apply(messages: readonly MessageInOrder[]): void {
    if (messages.length === 0) return
    const state = stateAfter(this.#state, messages)
    this.#writer.commit(batchOf(messages), () => this.#stored.put(state))
    this.#state = state
  }
}

function stateAfter(
  { sequence, lastKey, owners }: CopyState,
  messages: readonly MessageInOrder[],
): CopyState {
  const table = OwnerTable.restore(owners)
  let last = lastKey
  for (const [index, message] of messages.entries()) {
    assert.equal(message.sequence, sequence + 1 + index, 'messages are applied in order, without a hole')
    table.apply(message)
    for (const { key } of message.calls) last = Math.max(last, key)
  }
  return { sequence: sequence + messages.length, lastKey: last, owners: table.snapshot() }
}

/** A copy of the records: the tail keeps them, and would keep whole messages. */
function batchOf(messages: readonly MessageInOrder[]): WriteBatch {
  const bytes = messages.reduce((sum, { records }) => sum + records.length, 0)
  const records = Buffer.from(new ArrayBuffer(bytes))
  let at = 0
  for (const message of messages) at += message.records.copy(records, at)
  return {
    type: 'batch',
    id: (messages.at(-1) as MessageInOrder).sequence,
    records: records.buffer,
    packets: [...recordStarts(records)].length,
    calls: messages.flatMap(({ calls }) => calls),
    lifecycle: messages.flatMap(({ lifecycle }) => lifecycle),
    erasures: messages.flatMap(({ erasures }) => erasures),
  }
}
