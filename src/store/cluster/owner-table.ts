/**
 * Who owns which partition, and which nodes there are: what follows from the messages of the log, in their order. So it is the
 * same on every node that has applied the same messages, and a node stores it with them.
 *
 * - A claim counts on the subject of the node that it takes from, because there it fences that node.
 * - A grant counts on the subject of the node that gives.
 * - Either moves only partitions of that node; the rest of it is void, as is anything else in another place.
 */

import { partitions } from '../partitions.js'
import type { Control, MessageHead } from './message-head.js'
import { nobody, subjectOf } from './subjects.js'

export interface KnownNode {
  readonly run: string
  readonly reads: readonly number[]
  readonly url: string
  /** Where its hello is. */
  readonly since: number
  /** Its file has been synced through this message. */
  readonly synced: number
  readonly hasLeft: boolean
}

/** What of a message the table needs. */
export interface Applied extends Pick<MessageHead, 'id' | 'node' | 'run' | 'control'> {
  readonly sequence: number
  readonly subject: string
}

interface Stored {
  readonly owners: readonly string[]
  readonly since: readonly number[]
  readonly nodes: readonly (readonly [string, KnownNode])[]
  readonly last: readonly (readonly [string, number])[]
}

export class OwnerTable {
  readonly #owners = new Array<string>(partitions).fill(nobody)
  readonly #since = new Array<number>(partitions).fill(0)
  readonly #nodes = new Map<string, KnownNode>()
  readonly #last = new Map<string, number>()

  /** `nobody` where it has none. */
  ownerOf(partition: number): string {
    return this.#owners[partition] as string
  }

  /** The message that gave the partition to its owner. */
  sinceOf(partition: number): number {
    return this.#since[partition] as number
  }

  get nodes(): ReadonlyMap<string, KnownNode> {
    return this.#nodes
  }

  /** The last message on the subject; 0 before the first. */
  lastOf(subject: string): number {
    return this.#last.get(subject) ?? 0
  }

  /** Its data are in the file before its control acts. */
  apply(message: Applied): void {
    this.#last.set(message.subject, message.sequence)
    for (const control of message.control) this.#act(message, control)
  }

  #act({ sequence, subject, node, run }: Applied, control: Control): void {
    if (control.kind === 'claim') {
      const { from } = control
      if (subject === subjectOf(from)) this.#move(control.partitions, from, node, sequence)
      return
    }
    if (subject !== subjectOf(node)) return
    if (control.kind === 'grant') return this.#move(control.partitions, node, control.to, sequence)
    if (control.kind === 'hello') {
      const { reads, url } = control
      const synced = this.#nodes.get(node)?.synced ?? 0
      this.#nodes.set(node, { run, reads, url, since: sequence, synced, hasLeft: false })
      return
    }
    const known = this.#nodes.get(node)
    if (known === undefined) return
    if (control.kind === 'leave') this.#nodes.set(node, { ...known, hasLeft: true })
    else this.#nodes.set(node, { ...known, synced: control.synced })
  }

  #move(moved: readonly number[], from: string, to: string, sequence: number): void {
    for (const partition of moved) {
      if (this.#owners[partition] !== from || from === to) continue
      this.#owners[partition] = to
      this.#since[partition] = sequence
    }
  }

  /** All of it, the same text for the same table. */
  snapshot(): string {
    const sorted = <Value>(map: ReadonlyMap<string, Value>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
    const stored: Stored = {
      owners: this.#owners,
      since: this.#since,
      nodes: sorted(this.#nodes),
      last: sorted(this.#last),
    }
    return JSON.stringify(stored)
  }

  static restore(snapshot: string): OwnerTable {
    // Written by `snapshot`.
    const { owners, since, nodes, last } = JSON.parse(snapshot) as Stored
    const table = new OwnerTable()
    for (const [partition, owner] of owners.entries()) table.#owners[partition] = owner
    for (const [partition, sequence] of since.entries()) table.#since[partition] = sequence
    for (const [name, node] of nodes) table.#nodes.set(name, node)
    for (const [subject, sequence] of last) table.#last.set(subject, sequence)
    return table
  }
}
