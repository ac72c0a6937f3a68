/**
 * One run of a node as a member: says hello, lives, takes over from nodes that are gone, gives to those that come.
 *
 * It acts for a partition once this node has applied the message that gave it, and its own hello, and until it decides to give
 * it away. What it has to say goes behind the open batch, in the same message (`takeControl`): a grant is then behind
 * everything that was taken for its partitions. Claims go to the subject of the node that they take from, beside the batches.
 */
import type { Clock, Millis } from '../../clock.js'
import type { Log } from '../log.js'
import { partitions } from '../partitions.js'
import { appendCertainly } from './append-path.js'
import { lookMs, staleMs, tickMs } from './cluster-times.js'
import { Liveness } from './liveness.js'
import { encodeMessage, messageFormat } from './message.js'
import type { Control } from './message-head.js'
import type { Applied, OwnerTable } from './owner-table.js'
import { firstOf } from './ranking.js'
import { subjectOf } from './subjects.js'

export interface MemberPorts {
  readonly name: string
  /** Of this run alone. */
  readonly run: string
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  /** As this node has applied it. */
  readonly table: OwnerTable
  nextId(): string
  isConnected(node: string): boolean
  /** Of this node's file. */
  synced(): number
  /** There is control to take, or something that it is behind. */
  wake(): void
  /** This run is over: it has left, or another one has its name. */
  ended(why: 'left' | 'replaced'): void
}

const all = Array.from({ length: partitions }, (_, partition) => partition)

export class Member {
  readonly #ports: MemberPorts
  readonly #subject: string
  readonly #liveness: Liveness
  /** Since this run's hello was applied here. */
  #isActing = false
  #isLeaving = false
  #isOver = false
  readonly #granting = new Set<number>()
  #control: Control[] = []
  #saidAt: Millis
  #heardOwnAt: Millis
  #isClaiming = false
  /** Subjects of which the log has trimmed all that this node knows. */
  readonly #trimmed = new Map<string, number>()
  #stop = () => {}

  constructor(ports: MemberPorts) {
    this.#ports = ports
    this.#subject = subjectOf(ports.name)
    this.#liveness = new Liveness(ports.clock, (node) => ports.isConnected(node))
    this.#saidAt = ports.clock.now()
    this.#heardOwnAt = this.#saidAt
  }

  start(): void {
    for (const node of this.#ports.table.nodes.keys()) this.#liveness.heard(node)
    this.#sayHello()
    this.#lookAgain()
  }

  close(): void {
    this.#isOver = true
    this.#stop()
  }

  actsFor(partition: number): boolean {
    return this.#isActing && !this.#isLeaving && !this.#granting.has(partition) && this.#owns(partition)
  }

  /** Its own messages come back: it would know if it had been fenced. */
  get isCurrent(): boolean {
    return this.#isActing && this.#ports.clock.now() - this.#heardOwnAt <= staleMs
  }

  isLive(node: string): boolean {
    if (node === this.#ports.name) return this.#isActing && !this.#isLeaving
    const known = this.#ports.table.nodes.get(node)
    return known !== undefined && !known.hasLeft && !this.#liveness.isGone(node)
  }

  /** No partition is this node's any more when it has been applied. */
  leave(): void {
    this.#isLeaving = true
    if (this.#isActing) this.#sayLeave()
  }

  #owns(partition: number): boolean {
    return this.#ports.table.ownerOf(partition) === this.#ports.name
  }

  // --- what goes with the next message ----------------------------------------------------------------------------

  get hasControl(): boolean {
    return this.#control.length > 0
  }

  takeControl(): readonly Control[] {
    const control = this.#control
    this.#control = []
    return control
  }

  /** A message of this node is in the log. */
  stored(): void {
    this.#saidAt = this.#ports.clock.now()
  }

  /** The message with the control that was taken is not. `last`: what the subject ends with. */
  fenced(last: number): void {
    this.#granting.clear()
    this.#control = []
    // Only a hello may expect a subject without messages: what was decided before may be older than what was trimmed.
    if (last === 0) this.#isActing = false
    if (!this.#isActing) this.#sayHello()
    else if (this.#isLeaving) this.#sayLeave()
  }

  #say(control: Control): void {
    this.#control.push(control)
    this.#ports.wake()
  }

  #sayHello(): void {
    this.#say({ kind: 'hello', reads: [messageFormat], url: this.#ports.url })
  }

  #sayLeave(): void {
    const others = this.#others().filter((node) => this.isLive(node))
    this.#grant(
      all.filter((partition) => this.#owns(partition)),
      others,
    )
    this.#say({ kind: 'leave' })
  }

  // --- what comes from the log ------------------------------------------------------------------------------------

  /** In the file and in the table. */
  applied(message: Applied): void {
    const { node, run, subject, control } = message
    const isOwn = node === this.#ports.name && subject === this.#subject
    if (!isOwn) {
      if (subject === subjectOf(node)) this.#liveness.heard(node)
      return
    }
    const isHello = control.some(({ kind }) => kind === 'hello')
    if (run !== this.#ports.run) {
      if (isHello && this.#isActing) this.#end('replaced')
      return
    }
    this.#heardOwnAt = this.#ports.clock.now()
    this.#liveness.heardOwn()
    if (isHello) this.#hasJoined()
    for (const partition of this.#granting) if (!this.#owns(partition)) this.#granting.delete(partition)
    if (control.some(({ kind }) => kind === 'leave')) this.#end('left')
  }

  #hasJoined(): void {
    this.#isActing = true
    if (this.#isLeaving) this.#sayLeave()
  }

  #end(why: 'left' | 'replaced'): void {
    if (this.#isOver) return
    this.close()
    this.#ports.ended(why)
  }

  // --- looks at the others ----------------------------------------------------------------------------------------

  #lookAgain(): void {
    this.#stop = this.#ports.clock.after(lookMs, () => {
      if (this.#isOver) return
      this.#look()
      this.#lookAgain()
    })
  }

  #look(): void {
    if (!this.#isActing || this.#isLeaving) return
    const others = this.#others()
    this.#claim([this.#ports.name, ...others.filter((node) => this.isLive(node))])
    const steady = others.filter((node) => this.isLive(node) && this.#liveness.isSteady(node))
    const nodes = [this.#ports.name, ...steady]
    const given = all.filter(
      (partition) => this.actsFor(partition) && firstOf(partition, nodes) !== this.#ports.name,
    )
    if (this.#granting.size === 0) this.#grant(given, nodes)
    if (!this.hasControl && this.#ports.clock.now() - this.#saidAt >= tickMs) {
      this.#saidAt = this.#ports.clock.now()
      this.#say({ kind: 'tick', synced: this.#ports.synced() })
    }
  }

  #others(): readonly string[] {
    return [...this.#ports.table.nodes.keys()].filter((node) => node !== this.#ports.name)
  }

  /** Nothing more is taken for them from here on. */
  #grant(given: readonly number[], nodes: readonly string[]): void {
    const parts = new Map<string, number[]>()
    for (const partition of given) {
      const to = firstOf(partition, nodes)
      if (to === null) continue
      this.#granting.add(partition)
      parts.set(to, [...(parts.get(to) ?? []), partition])
    }
    for (const [to, part] of parts) this.#say({ kind: 'grant', to, partitions: part })
  }

  /** One claim at a time, from one node that is gone. */
  #claim(live: readonly string[]): void {
    if (this.#isClaiming) return
    const wanted = all.filter(
      (partition) =>
        !live.includes(this.#ports.table.ownerOf(partition)) && firstOf(partition, live) === this.#ports.name,
    )
    const [first] = wanted
    if (first === undefined) return
    const from = this.#ports.table.ownerOf(first)
    const claimed = wanted.filter((partition) => this.#ports.table.ownerOf(partition) === from)
    this.#appendClaim(from, { kind: 'claim', from, partitions: claimed })
  }

  #appendClaim(from: string, claim: Control): void {
    const { log, clock, table, name, run } = this.#ports
    const subject = subjectOf(from)
    const known = table.lastOf(subject)
    const expected = Math.min(known, this.#trimmed.get(subject) ?? known)
    const id = this.#ports.nextId()
    const head = { id, node: name, run, calls: [], lifecycle: [], erasures: [], control: [claim] }
    const body = encodeMessage({ ...head, records: Buffer.alloc(0), facts: [] })
    this.#isClaiming = true
    appendCertainly(log, clock, { subject, expected, id, body }, (outcome) => {
      this.#isClaiming = false
      this.#trimmed.delete(subject)
      // A subject ends earlier than what is known of it only where that was trimmed: nothing has come since.
      if (outcome.kind === 'refused' && outcome.last < known) this.#trimmed.set(subject, outcome.last)
    })
  }
}
