/**
 * Three nodes on one log, in one process and in virtual time. A seed decides who sends what to whom, how long everything
 * takes, and what breaks when; then everything is mended and must come to rest with nothing lost and all copies equal.
 */
import type { Millis } from '../../src/clock.js'
import { trimmableThrough } from '../../src/store/cluster/trimming.js'
import type { LogMessage } from '../../src/store/log.js'
import { MemoryLog } from '../support/memory-log.js'
import { type Random, randomOf } from '../torture/random.js'
import { faults } from './sim-faults.js'
import { keyOf, SimFile } from './sim-file.js'
import { type Answer, SimNode } from './sim-node.js'
import { judge } from './sim-oracle.js'
import { VirtualClock } from './virtual-clock.js'

const names = ['a', 'b', 'c'] as const
const calls = 12
const packetsPerCall = 10
/** Packets are sent and things break for so long; then there is time to come to rest. */
const troubleMs = 10_000
const restMs = 60_000
const answerMs = 1500
const restartMs = 300

export interface Outcome {
  readonly seed: number
  readonly findings: readonly string[]
  /** Faults that happened, by kind. */
  readonly faults: Readonly<Record<string, number>>
  readonly counts: {
    readonly packets: number
    readonly messages: number
    readonly moves: number
    readonly fences: number
  }
  /** The same for the same run. */
  readonly digest: string
}

export class SimCluster {
  readonly memory: MemoryLog
  readonly #clock = new VirtualClock()
  readonly #random: Random
  readonly #history: LogMessage[] = []
  readonly #files = new Map<string, SimFile>(names.map((name) => [name, new SimFile()]))
  readonly #nodes = new Map<string, SimNode>()
  readonly #applyMsMax: Millis
  readonly #skews = new Map<string, Millis>()
  #runs = 0
  #unsent = calls * packetsPerCall
  #unanswered = 0
  readonly #accepted = new Map<string, number>()
  readonly #happened: Record<string, number> = {}
  #fences = 0
  #isMended = false

  constructor(seed: number) {
    this.#random = randomOf(seed)
    const random = this.#random
    const slowest = random.pick([2, 10, 40])
    this.memory = new MemoryLog({
      clock: this.#clock,
      delayMs: () => random.integer(1, slowest),
      // Ids are forgotten early in some runs, so that a repeated attempt is refused by the guard alone.
      duplicateMs: random.pick([60_000, 500]),
      stored: (message) => this.#history.push(message),
      resumeMs: () => random.pick([0, random.integer(0, 4000)]),
    })
    this.#applyMsMax = random.pick([5, 30, 300])
    for (const name of names) this.#skews.set(name, random.integer(-5000, 5000))
  }

  // --- for the faults -----------------------------------------------------------------------------------------------

  after(delayMs: Millis, task: () => void): void {
    this.#clock.after(delayMs, task)
  }

  nodeOf(name: string): SimNode | null {
    return this.#nodes.get(name) ?? null
  }

  fileOf(name: string): SimFile {
    return this.#files.get(name) as SimFile
  }

  /** Kills the node and starts it again. */
  stop(name: string, downMs: Millis): void {
    const node = this.#nodes.get(name)
    if (node === undefined) return
    node.kill()
    this.#gone(name, node, downMs)
  }

  /** The process goes on without its file, and another one starts with that. */
  setAside(name: string): void {
    const node = this.#nodes.get(name) as SimNode
    this.#files.set(name, this.#copyOf(this.fileOf(name)))
    this.#gone(name, node, restartMs)
  }

  #copyOf(file: SimFile): SimFile {
    const copy = new SimFile()
    copy.copyOf(file)
    return copy
  }

  #gone(name: string, node: SimNode, downMs: Millis): void {
    if (this.#nodes.get(name) !== node) return
    this.#fences += node.fences
    this.#nodes.delete(name)
    this.after(downMs, () => this.#start(name))
  }

  trim(by: string): void {
    const node = this.nodeOf(by)
    if (node === null || node.isPaused || !node.member.isCurrent) return
    const live = names.filter((name) => node.member.isLive(name))
    this.memory.trim(trimmableThrough(node.table, live))
  }

  // --- the run ----------------------------------------------------------------------------------------------------

  #start(name: string): void {
    if (this.#nodes.has(name)) return
    const node: SimNode = new SimNode({
      name,
      run: `${name}${++this.#runs}`,
      clock: this.#clock,
      skewMs: this.#skews.get(name) as number,
      random: this.#random,
      memory: this.memory,
      file: this.fileOf(name),
      applyMsMax: this.#applyMsMax,
      isConnected: (other) => this.nodeOf(other)?.log.isCut === false,
      ended: (why) => {
        // A process that was set aside has no file here any more.
        if (this.nodeOf(name) === node && why.includes('start with a copy')) this.#takeCopy(name)
        if (why.includes('the disk of this node')) this.#happened['transaction broken off'] = 1
        this.#gone(name, node, restartMs)
      },
    })
    this.#nodes.set(name, node)
  }

  /** Of a file that the log still goes on from. */
  #takeCopy(name: string): void {
    const newest = [...this.#files.values()].reduce((a, b) => (b.position > a.position ? b : a))
    this.fileOf(name).copyOf(newest)
    this.#happened['copy taken'] = (this.#happened['copy taken'] ?? 0) + 1
  }

  #send(callKey: number, sequence: number, isRepeated: boolean): void {
    this.#unanswered++
    const key = keyOf(callKey, sequence)
    let isDone = false
    const again = () => this.after(this.#random.integer(30, 400), attempt)
    const done = () => {
      isDone = true
      this.#unanswered--
      if (isRepeated) this.after(this.#random.integer(0, 3000), () => this.#send(callKey, sequence, false))
    }
    const attempt = () => {
      if (isDone) return
      let isOver = false
      const answered = (answer: Answer) => {
        if (answer !== 'unavailable')
          this.#accepted.set(key, (this.#accepted.get(key) ?? 0) + (answer === 'accepted' ? 1 : 0))
        if (isOver || isDone) return
        isOver = true
        if (answer === 'unavailable') again()
        else done()
      }
      this.after(answerMs, () => {
        if (isOver || isDone) return
        isOver = true
        again()
      })
      this.after(this.#random.integer(0, 5), () =>
        this.nodeOf(this.#random.pick(names))?.packet(callKey, sequence, answered),
      )
    }
    attempt()
  }

  #plan(): void {
    const random = this.#random
    for (const name of names) this.after(random.integer(0, 2000), () => this.#start(name))
    for (let callKey = 1; callKey <= calls; callKey++)
      for (let sequence = 0; sequence < packetsPerCall; sequence++)
        this.after(random.integer(0, troubleMs), () => {
          this.#unsent--
          this.#send(callKey, sequence, random.chance(0.1))
        })
    const kinds = Object.keys(faults)
    for (let count = random.integer(2, 8); count > 0; count--) {
      const kind = random.pick(kinds)
      const name = random.pick(names)
      this.after(random.integer(500, troubleMs), () => {
        this.#happened[kind] = (this.#happened[kind] ?? 0) + 1
        faults[kind]?.(this, name, random)
      })
    }
    for (const name of names) this.#syncLater(name)
    if (random.chance(0.5)) this.#trimLater()
  }

  #trimLater(): void {
    this.after(this.#random.integer(200, 2000), () => {
      this.trim(this.#random.pick(names))
      this.#trimLater()
    })
  }

  #syncLater(name: string): void {
    this.after(this.#random.integer(500, 3000), () => {
      this.fileOf(name).sync()
      this.#syncLater(name)
    })
  }

  #mend(): void {
    this.#isMended = true
    this.memory.isFull = false
    this.memory.resume()
    for (const node of this.#nodes.values()) {
      node.resume()
      node.log.mend()
    }
  }

  #isAtRest(): boolean {
    if (!this.#isMended || this.#unsent > 0 || this.#unanswered > 0 || this.#nodes.size < names.length)
      return false
    if (this.memory.isStalled || this.memory.isFull) return false
    return names.every(
      (name) => this.fileOf(name).position === this.memory.last && this.nodeOf(name)?.log.isCut === false,
    )
  }

  run(): Omit<Outcome, 'seed'> {
    this.#plan()
    this.#clock.runUntil(troubleMs)
    this.#mend()
    this.#clock.runUntil(troubleMs + restMs, () => this.#isAtRest())
    const isAtRest = this.#isAtRest()
    const tables = new Map([...this.#nodes].map(([name, { table }]) => [name, table]))
    const findings = isAtRest
      ? judge({ history: this.#history, accepted: this.#accepted, files: this.#files, tables })
      : [`it did not come to rest: ${this.#unanswered} packets wait, ${this.#nodes.size} nodes run`]
    for (const { fences } of this.#nodes.values()) this.#fences += fences
    const moves = new Set(Array.from({ length: 64 }, (_, partition) => tables.get('a')?.sinceOf(partition)))
      .size
    return {
      findings,
      faults: this.#happened,
      counts: { packets: this.#accepted.size, messages: this.#history.length, moves, fences: this.#fences },
      digest: `${this.#history.length} ${this.#clock.now()} ${this.#history.at(-1)?.id} ${this.#random.next()}`,
    }
  }
}

export function simulate(seed: number): Outcome {
  return { seed, ...new SimCluster(seed).run() }
}
