/**
 * Whether commits fail for lack of space. A commit that succeeds says that they no longer do; where nobody sends any
 * more, as a service that is not ready has no traffic, a write of its own says it.
 */

import { limits } from '../limits.js'

export interface FullDiskPorts {
  hasSpace(): Promise<boolean>
  later(delayMs: number, task: () => void): void
}

export class FullDisk {
  readonly #ports: FullDiskPorts
  #isFull = false
  #isLooking = false

  constructor(ports: FullDiskPorts) {
    this.#ports = ports
  }

  get isFull(): boolean {
    return this.#isFull
  }

  commitFailed(code: string): void {
    if (code !== 'disk_full') return
    this.#isFull = true
    if (!this.#isLooking) this.#lookLater()
  }

  committed(): void {
    this.#isFull = false
  }

  #lookLater(): void {
    this.#isLooking = true
    this.#ports.later(limits.fullDiskLookMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    // Where there is too little all the same, the next commit says so.
    if (await this.#ports.hasSpace()) this.#isFull = false
    this.#isLooking = false
    if (this.#isFull) this.#lookLater()
  }
}
