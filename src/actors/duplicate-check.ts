/**
 * Does a duplicate have the content of its original, which is its data? A second PBX stamps the same packet with a time
 * of its own.
 *
 * While a call receives, the sender is answered without it, and a difference is counted and logged. The originals are on
 * disk, so one duplicate is compared at a time, and those that come too fast to compare are counted as unchecked (V7).
 * Once the grace period is over other content is another call's, so the comparison comes before the answer; it is refused
 * when too many are under way (V7).
 */
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { Packet } from '../protocol/decode.js'
import type { CallReader } from '../store/journal.js'
import { dataText } from '../store/packet-page-file.js'
import type { CallLife } from './call-messages.js'

export interface DuplicateCheckPorts {
  readonly reader: Pick<CallReader, 'packets'>
  /** Whether it is still this call that has the name. */
  isThere(life: CallLife): Promise<boolean>
  differs(callId: CallId, sequence: number): void
  unchecked(): void
}

/** Whether the content is the same, or why nobody knows. */
export type Comparison = boolean | VoiceStreamError

interface Check {
  readonly life: CallLife
  readonly packet: Packet
}

export class DuplicateCheck {
  readonly #ports: DuplicateCheckPorts
  readonly #waiting: Check[] = []
  #isRunning = false
  #comparing = 0

  constructor(ports: DuplicateCheckPorts) {
    this.#ports = ports
  }

  add(life: CallLife, packet: Packet): void {
    if (this.#waiting.length >= limits.duplicateChecksMax) return this.#ports.unchecked()
    this.#waiting.push({ life, packet: kept(packet) })
    if (!this.#isRunning) void this.#run()
  }

  /** A bulk request waits for it, so that it leaves room for single packets. */
  get hasRoom(): boolean {
    return this.#comparing < limits.lateComparisonsMax / 2
  }

  /** `compared` is called once, later or now. */
  compare(life: CallLife, packet: Packet, compared: (comparison: Comparison) => void): void {
    if (this.#comparing >= limits.lateComparisonsMax)
      return compared(new VoiceStreamError('overloaded', 'too many late packets are being compared'))
    this.#comparing++
    void this.#comparison({ life, packet: kept(packet) }).then((comparison) => {
      this.#comparing--
      compared(comparison)
    })
  }

  async #comparison(check: Check): Promise<Comparison> {
    try {
      return (await this.#isSame(check)) ?? unread()
    } catch (error) {
      return error instanceof VoiceStreamError ? error : unread(error)
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (let check = this.#waiting.shift(); check !== undefined; check = this.#waiting.shift())
      await this.#compare(check)
    this.#isRunning = false
  }

  async #compare(check: Check): Promise<void> {
    try {
      if ((await this.#isSame(check)) === null) this.#ports.unchecked()
    } catch {
      // The read was refused or failed: the comparison is lost, and counted as such.
      this.#ports.unchecked()
    }
  }

  /** Null when the original was not found. */
  async #isSame({ life, packet }: Check): Promise<boolean | null> {
    const { packets } = await this.#ports.reader.packets(life.callId, packet.sequence, 1, packet.track ?? 0)
    const original = packets[0]
    if (original?.sequence !== packet.sequence) return null
    // Data that came as bytes are compared as their text.
    const stored = original.isRaw ? Buffer.from(dataText(original)) : original.data
    const isSame = Buffer.compare(stored, packet.data) === 0
    if (isSame) return true
    // The packet that was read may be of a call that came to the name of an erased one.
    if (!(await this.#ports.isThere(life))) return null
    this.#ports.differs(life.callId, packet.sequence)
    return false
  }
}

/** The data is a view of a request body that is gone after this turn. */
function kept(packet: Packet): Packet {
  return { ...packet, data: Uint8Array.from(packet.data) }
}

function unread(cause?: unknown): VoiceStreamError {
  return new VoiceStreamError('read_failed', 'the stored packet could not be read', { cause })
}
