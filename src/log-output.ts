/**
 * Where the log's lines go: a file descriptor that may be a pipe nobody reads, a closed one, a full disk, or a stopped
 * terminal. Lines are written beside the event loop, which therefore never waits for a reader (V11). They wait in memory
 * up to a bound in bytes; beyond it lines are dropped, and the next line that fits carries their number as `dropped`.
 *
 * Not SonicBoom: it throws away its buffer without counting, raises an error event when a disk is full, and its
 * `flushSync` waits for ever where nobody reads.
 */
import { Buffer } from 'node:buffer'
import { write } from 'node:fs'
import { limits } from './limits.js'

const fatalLevel = 60
const stuckMs = 200
/** Has pino say the level of each line. */
const metadata: unique symbol = Symbol.for('pino.metadata')

export interface LogOutputBounds {
  readonly queueBytesMax: number
  /** So much more is kept for the lines that say why the process ends. */
  readonly fatalBytesMax: number
}

const usualBounds: LogOutputBounds = {
  queueBytesMax: limits.logQueueBytesMax,
  fatalBytesMax: limits.logFatalBytesMax,
}

export class LogOutput {
  readonly [metadata] = true
  lastLevel = 0
  /** Called when everything was written after lines were dropped: what is logged then says how many. */
  onRecovered: () => void = () => {}

  readonly #fd: number
  readonly #bounds: LogOutputBounds
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #writing: Buffer | null = null
  #isWithKernel = false
  #writes = 0
  #dropped = 0
  #drained: (() => void)[] = []

  constructor(fd: number, bounds: LogOutputBounds = usualBounds) {
    this.#fd = fd
    this.#bounds = bounds
  }

  /**
   * Resolves with true when the kernel has a write and does not return from it: the end of the process would wait for it,
   * too. A full pipe is tried again and again, so a write that has just begun gets a moment to return.
   */
  async isStuck(): Promise<boolean> {
    if (!this.#isWithKernel) return false
    const write = this.#writes
    await new Promise((resolve) => setTimeout(resolve, stuckMs))
    return this.#isWithKernel && this.#writes === write
  }

  write(line: string): void {
    const bytes = this.#withDropped(line)
    const { queueBytesMax, fatalBytesMax } = this.#bounds
    const bytesMax = queueBytesMax + (this.lastLevel >= fatalLevel ? fatalBytesMax : 0)
    if (this.#waitingBytes + (this.#writing?.length ?? 0) + bytes.length > bytesMax) {
      this.#dropped++
      return
    }
    this.#dropped = 0
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#writing === null) this.#next()
  }

  /** Resolves once everything is written, or after `msMax`. */
  drained(msMax: number): Promise<void> {
    if (this.#writing === null) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, msMax)
      this.#drained.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #withDropped(line: string): Buffer {
    if (this.#dropped === 0) return Buffer.from(line)
    const end = line.lastIndexOf('}')
    return Buffer.from(`${line.slice(0, end)},"dropped":${this.#dropped}${line.slice(end)}`)
  }

  #next(): void {
    this.#writing = Buffer.concat(this.#waiting, this.#waitingBytes)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#write()
  }

  #write(): void {
    const bytes = this.#writing
    if (bytes === null) return
    this.#isWithKernel = true
    this.#writes++
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      this.#isWithKernel = false
      if (error === null) this.#wrote(bytes, written)
      else this.#retryAfter(error)
    })
  }

  #wrote(bytes: Buffer, written: number): void {
    if (written < bytes.length) {
      this.#writing = bytes.subarray(written)
      this.#write()
    } else if (this.#waiting.length > 0) this.#next()
    else this.#rest()
  }

  #rest(): void {
    this.#writing = null
    if (this.#dropped > 0) this.onRecovered()
    if (this.#writing !== null) return
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  /**
   * A pipe is full, its reader is gone, or the disk of the log is: lines wait, then they are counted. A named pipe may get
   * another reader, and a disk space.
   */
  #retryAfter({ code }: NodeJS.ErrnoException): void {
    const isFull = code === 'EAGAIN' || code === 'EBUSY'
    setTimeout(() => this.#write(), isFull ? limits.logFullRetryMs : limits.logFailedRetryMs).unref()
  }
}
