/**
 * Does a duplicate have the content of its original? The sender is answered without it; a difference is counted and
 * logged. The originals are on disk, so one duplicate is compared at a time, and those that come too fast to compare
 * are counted as unchecked (V7).
 */
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { CallReader } from '../store/journal.js'

export interface DuplicateCheckPorts {
  readonly reader: Pick<CallReader, 'packets'>
  differs(callId: CallId, sequence: number): void
  unchecked(): void
}

interface Check {
  readonly callId: CallId
  readonly packet: Packet
}

export class DuplicateCheck {
  readonly #ports: DuplicateCheckPorts
  readonly #waiting: Check[] = []
  #isRunning = false

  constructor(ports: DuplicateCheckPorts) {
    this.#ports = ports
  }

  add(callId: CallId, packet: Packet): void {
    if (this.#waiting.length >= limits.duplicateChecksMax) return this.#ports.unchecked()
    this.#waiting.push({ callId, packet: { ...packet, data: Uint8Array.from(packet.data) } })
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (let check = this.#waiting.shift(); check !== undefined; check = this.#waiting.shift())
      await this.#compare(check)
    this.#isRunning = false
  }

  async #compare({ callId, packet }: Check): Promise<void> {
    try {
      const { packets } = await this.#ports.reader.packets(callId, packet.sequence, 1)
      const original = packets[0]
      if (original?.sequence !== packet.sequence) return this.#ports.unchecked()
      const isSame =
        original.timestamp === packet.timestamp && Buffer.compare(original.data, packet.data) === 0
      if (!isSame) this.#ports.differs(callId, packet.sequence)
    } catch {
      // The read was refused or failed: the comparison is lost, and counted as such.
      this.#ports.unchecked()
    }
  }
}
