/**
 * Cuts audio that nobody numbers into packets of one length: messages may be any number of bytes, also half a sample or a
 * thousand packets. What does not fill a packet waits for the next message.
 */
import assert from 'node:assert/strict'

export class FrameGrid {
  readonly #packetBytes: number
  readonly #frameBytes: number
  #rest: Uint8Array
  #restBytes = 0

  /** A frame is one sample of each channel; a packet holds whole ones. */
  constructor(packetBytes: number, frameBytes: number) {
    assert(packetBytes > 0 && packetBytes % frameBytes === 0, `${packetBytes} bytes are whole frames`)
    this.#packetBytes = packetBytes
    this.#frameBytes = frameBytes
    this.#rest = new Uint8Array(packetBytes)
  }

  /** Bytes that wait for the rest of their packet. */
  get waitingBytes(): number {
    return this.#restBytes
  }

  /** Whole packets. Those that are views of the message are valid as long as it is. */
  cut(message: Uint8Array): readonly Uint8Array[] {
    const packets: Uint8Array[] = []
    let at = 0
    if (this.#restBytes > 0) {
      at = this.#wait(message, 0)
      if (this.#restBytes < this.#packetBytes) return packets
      packets.push(this.#rest)
      this.#rest = new Uint8Array(this.#packetBytes)
      this.#restBytes = 0
    }
    for (; at + this.#packetBytes <= message.length; at += this.#packetBytes)
      packets.push(message.subarray(at, at + this.#packetBytes))
    this.#wait(message, at)
    return packets
  }

  /** The last packet, shorter than the others; null where nothing waits. Half a sample at its end has no other half: it is cut. */
  end(): Uint8Array | null {
    const bytes = this.#restBytes - (this.#restBytes % this.#frameBytes)
    this.#restBytes = 0
    return bytes === 0 ? null : this.#rest.subarray(0, bytes)
  }

  #wait(message: Uint8Array, from: number): number {
    const end = Math.min(message.length, from + this.#packetBytes - this.#restBytes)
    this.#rest.set(message.subarray(from, end), this.#restBytes)
    this.#restBytes += end - from
    return end
  }
}
