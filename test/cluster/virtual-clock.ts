/** Time of a simulation: the next task is always at the next time, whatever that costs in real time. */
import type { Clock, Millis } from '../../src/clock.js'

interface Task {
  readonly at: Millis
  readonly serial: number
  readonly run: () => void
  isCancelled: boolean
}

const isBefore = (a: Task, b: Task) => a.at < b.at || (a.at === b.at && a.serial < b.serial)

export class VirtualClock implements Clock {
  /** A binary heap. */
  readonly #tasks: Task[] = []
  #now: Millis = 1000
  #serial = 0

  now(): Millis {
    return this.#now
  }

  after(delayMs: Millis, run: () => void): () => void {
    const task = { at: this.#now + Math.max(0, delayMs), serial: this.#serial++, run, isCancelled: false }
    const tasks = this.#tasks
    let at = tasks.push(task) - 1
    while (at > 0 && isBefore(task, tasks[(at - 1) >> 1] as Task)) {
      tasks[at] = tasks[(at - 1) >> 1] as Task
      at = (at - 1) >> 1
    }
    tasks[at] = task
    return () => {
      task.isCancelled = true
    }
  }

  /** Runs every task through this time, or until there is enough. */
  runUntil(until: Millis, isEnough: () => boolean = () => false): void {
    for (let next = this.#tasks[0]; next !== undefined && next.at <= until; next = this.#tasks[0]) {
      this.#pop()
      this.#now = next.at
      if (!next.isCancelled) next.run()
      if (isEnough()) return
    }
    this.#now = until
  }

  #pop(): void {
    const tasks = this.#tasks
    const moved = tasks.pop()
    if (moved === undefined || tasks.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= tasks.length) break
      if (child + 1 < tasks.length && isBefore(tasks[child + 1] as Task, tasks[child] as Task)) child++
      if (!isBefore(tasks[child] as Task, moved)) break
      tasks[at] = tasks[child] as Task
      at = child
    }
    tasks[at] = moved
  }
}
