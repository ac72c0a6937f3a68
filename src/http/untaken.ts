/**
 * Bytes that reads hold, over all of them: from before a read begins until its asker has taken the answer, or has gone (V11).
 * A read that finds no room waits, in order. Who waits for too long gets 503, and makes the server cut off askers that take
 * nothing.
 */
import { limits } from '../limits.js'

interface ByteHolder {
  readonly isEnded: boolean
  /** From now on it holds so many bytes. */
  hold(bytes: number): void
}

interface Waiting {
  readonly holder: ByteHolder
  readonly bytes: number
  readonly enter: () => void
}

export class Untaken {
  readonly #max: number
  readonly #waiting: Waiting[] = []
  /** Requests whose answer is made and not taken yet. Packets do not wait for them. */
  askers = 0
  #bytes = 0
  #isAdmitting = false

  constructor(max: number = limits.untakenBytesMax) {
    this.#max = max
  }

  get bytes(): number {
    return this.#bytes
  }

  get isAwaited(): boolean {
    return this.#waiting.length > 0
  }

  /** One that is larger than the bound alone finds room alone. */
  hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#max
  }

  /** Calls `enter` once there is room, which the holder then has, or when the holder has ended. */
  enter(holder: ByteHolder, bytes: number, enter: () => void): void {
    this.#waiting.push({ holder, bytes, enter })
    if (this.#waiting.length === 1) this.#admit()
  }

  change(bytes: number): void {
    this.#bytes += bytes
    if (bytes >= 0 || this.#waiting.length === 0 || this.#isAdmitting) return
    this.#isAdmitting = true
    // Not within what another socket is told.
    setImmediate(() => {
      this.#isAdmitting = false
      this.#admit()
    })
  }

  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const { holder, bytes, enter } = first
      if (!holder.isEnded && !this.hasRoom(bytes)) return
      this.#waiting.shift()
      holder.hold(bytes)
      enter()
    }
  }
}
