/**
 * Whose turn it is to be written to. Readers are pumped in rounds, each as far as it takes a bounded part at a time, and
 * a round gives the loop back after `fanOutMsMax`: however many supervisors there are, a packet never waits longer than
 * that for them. What is published meanwhile goes out with the next part, in one write.
 */
import { performance } from 'node:perf_hooks'
import { limits } from '../limits.js'

export interface Pumped {
  /** Writes out a bounded part of what there is; true when there is more and it can be written. */
  pump(): boolean
}

export interface FanOutPorts {
  /** Runs a task at the end of this turn of the loop: what one commit brings is written out together. */
  soon(task: () => void): void
  /** Runs a task after a while. */
  later(delayMs: number, task: () => void): void
}

export class FanOut<Reader extends Pumped> {
  readonly #ports: FanOutPorts
  readonly #readers = new Set<Reader>()
  #round: Iterator<Reader> | null = null
  #isScheduled = false
  #isAgain = false

  constructor(ports: FanOutPorts) {
    this.#ports = ports
  }

  get size(): number {
    return this.#readers.size
  }

  /** The returned function takes the reader out again. */
  add(reader: Reader): () => void {
    this.#readers.add(reader)
    return () => this.#readers.delete(reader)
  }

  /** There is something new. */
  wake(): void {
    if (this.#isScheduled) {
      this.#isAgain = true
      return
    }
    this.#isScheduled = true
    this.#ports.soon(() => this.#slice())
  }

  #slice(): void {
    const until = performance.now() + limits.fanOutMsMax
    do {
      if (this.#round === null) {
        this.#round = this.#readers.values()
        this.#isAgain = false
      }
      for (let next = this.#round.next(); !next.done; next = this.#round.next()) {
        if (next.value.pump()) this.#isAgain = true
        // A full slice leaves as much time to everything else.
        if (performance.now() > until) return this.#ports.later(limits.fanOutMsMax, () => this.#slice())
      }
      this.#round = null
    } while (this.#isAgain)
    this.#isScheduled = false
  }
}
