/**
 * A thread that wakes another one at a steady beat of less than a millisecond, which timers of the event loop cannot.
 * It tells once and waits until that was heard, so a busy listener is not flooded.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** Cells of the shared array. */
const cells = { ended: 0, told: 1 } as const

export class Ticker {
  readonly #cells = new Int32Array(new SharedArrayBuffer(8))
  readonly #worker: Worker

  constructor(periodMs: number, tick: () => void) {
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { cells: this.#cells, periodMs } })
    this.#worker.on('message', () => {
      Atomics.store(this.#cells, cells.told, 0)
      tick()
    })
  }

  async stop(): Promise<void> {
    Atomics.store(this.#cells, cells.ended, 1)
    Atomics.notify(this.#cells, cells.ended)
    await this.#worker.terminate()
  }
}

function beat(shared: Int32Array, periodMs: number): void {
  while (Atomics.load(shared, cells.ended) === 0) {
    Atomics.wait(shared, cells.ended, 0, periodMs)
    if (Atomics.exchange(shared, cells.told, 1) === 0) parentPort?.postMessage(null)
  }
}

if (!isMainThread) {
  const { cells: shared, periodMs } = workerData as { cells: Int32Array; periodMs: number }
  beat(shared, periodMs)
}
