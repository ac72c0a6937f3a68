/** A node's file in a simulation: rows, the table of owners and the position, in transactions that a fault can break off. */
import type { CopyFile, MessageInOrder } from '../../src/store/cluster/applier.js'
import { type Applied, OwnerTable } from '../../src/store/cluster/owner-table.js'
import { packetsOf } from '../../src/store/sqlite/packet-record.js'

export interface Row {
  readonly at: number
  readonly key: string
}

export const keyOf = (callKey: number, sequence: number) => `${callKey}/${sequence}`

export class SimFile implements CopyFile {
  rows: Row[] = []
  /** Messages of the transactions that were committed, as far as the table needs them. */
  #applied: Applied[] = []
  #table = new OwnerTable()
  #keys = new Set<string>()
  position = 0
  /** What a power cut leaves. */
  synced = 0
  /** The next transaction fails before it is committed. */
  isBroken = false

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  get table(): string {
    return this.#table.snapshot()
  }

  apply(messages: readonly MessageInOrder[]): void {
    const before = this.rows.length
    try {
      for (const message of messages) this.#addRows(message)
      this.#commit(messages)
    } catch (error) {
      this.rows.length = before
      throw error
    }
  }

  #addRows({ sequence, records }: MessageInOrder): void {
    for (const { callKey, sequence: number } of packetsOf(new Uint8Array(records)))
      this.rows.push({ at: sequence, key: keyOf(callKey, number) })
  }

  #commit(messages: readonly MessageInOrder[]): void {
    if (this.isBroken) {
      this.isBroken = false
      throw new Error('the disk of this node is full')
    }
    for (const message of messages) {
      const { id, node, run, control, sequence, subject } = message
      const applied = { id, node, run, control, sequence, subject }
      this.#applied.push(applied)
      this.#table.apply(applied)
      this.position = sequence
    }
    for (let at = this.rows.length - 1; at >= 0; at--) {
      const row = this.rows[at] as Row
      if (row.at < (messages[0] as MessageInOrder).sequence) break
      this.#keys.add(row.key)
    }
  }

  sync(): void {
    this.synced = this.position
  }

  /** What was not synced is gone, all of a transaction. */
  cutPower(): void {
    this.#take(
      this.rows.filter(({ at }) => at <= this.synced),
      this.#applied.filter(({ sequence }) => sequence <= this.synced),
    )
    this.position = this.synced
  }

  copyOf(other: SimFile): void {
    this.#take([...other.rows], [...other.#applied])
    this.position = other.position
    this.synced = other.position
  }

  #take(rows: Row[], applied: Applied[]): void {
    this.rows = rows
    this.#applied = applied
    this.#keys = new Set(rows.map(({ key }) => key))
    this.#table = new OwnerTable()
    for (const message of applied) this.#table.apply(message)
  }
}
