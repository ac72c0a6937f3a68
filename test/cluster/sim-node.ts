/**
 * One run of a node in a simulation: the modules of the product, and around them the least of a node that can be wrong: calls
 * that remember what they took, an open batch, answers.
 */
import type { Clock, Millis } from '../../src/clock.js'
import { AppendPath } from '../../src/store/cluster/append-path.js'
import { Applier, type MessageInOrder } from '../../src/store/cluster/applier.js'
import { Member } from '../../src/store/cluster/member.js'
import { encodeMessage } from '../../src/store/cluster/message.js'
import type { Fact } from '../../src/store/cluster/message-facts.js'
import { OwnerTable } from '../../src/store/cluster/owner-table.js'
import { subjectOf } from '../../src/store/cluster/subjects.js'
import { partitionOf } from '../../src/store/partitions.js'
import { packetsOf, recordHeaderBytes, writeRecord } from '../../src/store/sqlite/packet-record.js'
import type { MemoryLog, MemoryLogConnection } from '../support/memory-log.js'
import type { Random } from '../torture/random.js'
import { keyOf, type SimFile } from './sim-file.js'

export type Answer = 'accepted' | 'duplicate' | 'unavailable'

interface Packet {
  readonly callKey: number
  readonly sequence: number
  readonly answer: (answer: Answer) => void
}

export interface SimNodePorts {
  readonly name: string
  readonly run: string
  readonly clock: Clock
  /** What this node's clock is wrong by. */
  readonly skewMs: Millis
  readonly random: Random
  readonly memory: MemoryLog
  readonly file: SimFile
  /** What comes from the log waits so long for its transaction at most. */
  readonly applyMsMax: Millis
  isConnected(node: string): boolean
  ended(why: string): void
}

const fact: Fact = {
  kind: 'accepted',
  state: 'IN_PROGRESS',
  isFirst: false,
  isLate: false,
  totalReceived: 1,
  missingCount: 0,
  skippedCount: 0,
  missing: null,
}

export class SimNode {
  readonly #ports: SimNodePorts
  readonly log: MemoryLogConnection
  readonly table: OwnerTable
  readonly member: Member
  readonly #path: AppendPath
  readonly #applier: Applier
  #isDead = false
  #isPumping = false
  #n = 0
  /** What calls have taken that is not in the file yet. */
  readonly #taken = new Map<string, 'pending' | 'acked'>()
  #open: Packet[] = []
  #sent: Packet[] = []
  /** While it is paused. */
  #waiting: (() => void)[] | null = null
  fences = 0

  constructor(ports: SimNodePorts) {
    this.#ports = ports
    const { name, run, random, file, memory } = ports
    const clock: Clock = {
      now: () => ports.clock.now() + ports.skewMs,
      after: (delayMs, task) => ports.clock.after(delayMs, () => this.#run(task)),
    }
    this.log = memory.connect()
    const log = {
      append: ((attempt, settled) =>
        this.log.append(attempt, (outcome) => this.#run(() => settled(outcome)))) as typeof this.log.append,
      follow: this.log.follow.bind(this.log),
      trim: this.log.trim.bind(this.log),
    }
    this.table = OwnerTable.restore(file.table)
    const subject = subjectOf(name)
    this.#path = new AppendPath(log, clock, subject, this.table.lastOf(subject), file.position)
    this.#applier = new Applier(file.position, {
      file,
      waiting: () => clock.after(random.integer(0, ports.applyMsMax), () => this.#applier.flush()),
      applied: (message) => this.#applied(message),
      failed: (error) => this.#end(error.message),
    })
    this.member = new Member({
      name,
      run,
      url: `http://${name}`,
      clock,
      log,
      table: this.table,
      nextId: () => this.#nextId(),
      isConnected: ports.isConnected,
      synced: () => file.synced,
      wake: () => this.#pumpSoon(),
      ended: (why) => this.#end(why),
    })
    this.log.follow(file.position, {
      take: (message) => this.#run(() => this.#applier.take(message)),
      trimmed: (first) => this.#run(() => this.#applier.trimmed(first)),
      lost: (last) => this.#run(() => this.#applier.lost(last)),
    })
    this.member.start()
  }

  get isPaused(): boolean {
    return this.#waiting !== null
  }

  #nextId(): string {
    return `${this.#ports.run}.${++this.#n}`
  }

  #run(task: () => void): void {
    if (this.#isDead) return
    if (this.#waiting === null) task()
    else this.#waiting.push(task)
  }

  // --- faults -----------------------------------------------------------------------------------------------------

  kill(): void {
    this.#isDead = true
    this.#path.close()
    this.member.close()
    this.log.close()
  }

  #end(why: string): void {
    if (this.#isDead) return
    this.kill()
    this.#ports.ended(why)
  }

  pause(): void {
    this.#waiting ??= []
  }

  resume(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const task of waiting) this.#run(task)
  }

  // --- packets ----------------------------------------------------------------------------------------------------

  packet(callKey: number, sequence: number, answer: Packet['answer']): void {
    this.#run(() => {
      const told = this.#take({ callKey, sequence, answer })
      if (told !== null) answer(told)
    })
  }

  /** Null where the answer comes with the commit. */
  #take(packet: Packet): Answer | null {
    const { callKey, sequence } = packet
    if (!this.member.actsFor(partitionOf(`call-${callKey}`))) return 'unavailable'
    const key = keyOf(callKey, sequence)
    const taken = this.#taken.get(key)
    if (taken === 'pending') return 'unavailable'
    if (taken === 'acked' || this.#ports.file.has(key))
      return this.member.isCurrent ? 'duplicate' : 'unavailable'
    this.#taken.set(key, 'pending')
    this.#open.push(packet)
    this.#pumpSoon()
    return null
  }

  #pumpSoon(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    this.#ports.clock.after(this.#ports.random.integer(0, 5), () =>
      this.#run(() => {
        this.#isPumping = false
        this.#pump()
      }),
    )
  }

  #pump(): void {
    if (this.#path.isBusy || (this.#open.length === 0 && !this.member.hasControl)) return
    const packets = this.#open
    this.#open = []
    this.#sent = packets
    const id = this.#nextId()
    const control = this.member.takeControl()
    const { name: node, run } = this.#ports
    const records = Buffer.concat(packets.map(recordOf))
    const facts = packets.map(() => fact)
    const head = { id, node, run, calls: [], lifecycle: [], erasures: [], control }
    this.#path.append(id, encodeMessage({ ...head, records, facts }), {
      stored: () => this.#stored(),
      fenced: () => this.#fenced(),
    })
  }

  #stored(): void {
    const packets = this.#sent
    this.#sent = []
    for (const { callKey, sequence, answer } of packets) {
      const key = keyOf(callKey, sequence)
      if (this.#ports.file.has(key)) this.#taken.delete(key)
      else this.#taken.set(key, 'acked')
      answer('accepted')
    }
    this.member.stored()
    this.#pumpSoon()
  }

  /** What was taken and is not in the log is gone, the open batch with it. */
  #fenced(): void {
    this.fences++
    const packets = [...this.#sent, ...this.#open]
    this.#sent = []
    this.#open = []
    for (const { callKey, sequence, answer } of packets) {
      this.#taken.delete(keyOf(callKey, sequence))
      answer('unavailable')
    }
    this.member.fenced(this.#path.last)
    this.#pumpSoon()
  }

  #applied(message: MessageInOrder): void {
    this.table.apply(message)
    for (const { callKey, sequence } of packetsOf(new Uint8Array(message.records))) {
      const key = keyOf(callKey, sequence)
      if (this.#taken.get(key) === 'acked') this.#taken.delete(key)
    }
    this.member.applied(message)
    this.#path.applied(message)
  }
}

function recordOf({ callKey, sequence }: Packet): Buffer {
  const record = Buffer.alloc(recordHeaderBytes)
  const entry = { sequence, data: new Uint8Array(0), timestamp: 0, receivedAt: 0 }
  writeRecord(record, 0, callKey, sequence + 1, entry)
  return record
}
