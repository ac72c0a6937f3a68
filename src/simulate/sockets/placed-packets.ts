/** The packets of one track as the service must have them: those of one stream behind those of another. */
import { Buffer } from 'node:buffer'
import type { ExpectedPacket, TrackAccount } from '../account.js'
import type { Range } from '../send-log.js'

export class PlacedPackets implements TrackAccount {
  /** By sequence; nothing where one is missing. */
  readonly #packets: (Buffer | undefined)[] = []
  #packetCount = 0
  storedCount = 0
  /** A socket keeps the order. */
  readonly lateCount = 0

  /** From `first` on, behind all that is there. `hasEnd`: the service knows where they end, also when the last ones are lost. */
  place(first: number, packets: readonly (Buffer | undefined)[], hasEnd: boolean): void {
    if (hasEnd) this.#packetCount = first + packets.length
    for (const [index, bytes] of packets.entries()) {
      if (bytes === undefined) continue
      this.#packets[first + index] = bytes
      this.storedCount++
    }
  }

  get packetCount(): number {
    return Math.max(this.#packetCount, this.#packets.length)
  }

  get missingCount(): number {
    return this.packetCount - this.storedCount
  }

  get highestStored(): number | null {
    return this.#packets.length === 0 ? null : this.#packets.length - 1
  }

  isStored(sequence: number): boolean {
    return this.#packets[sequence] !== undefined
  }

  missingRanges(): Range[] {
    const ranges: Range[] = []
    const { packetCount } = this
    for (let sequence = 0; sequence < packetCount; sequence++) {
      if (this.isStored(sequence)) continue
      const first = sequence
      while (sequence + 1 < packetCount && !this.isStored(sequence + 1)) sequence++
      ranges.push([first, sequence])
    }
    return ranges
  }

  readonly expectedPacket: ExpectedPacket = (sequence) => ({
    data: (this.#packets[sequence] ?? Buffer.alloc(0)).toString('base64'),
    // The service's clock at the start of the stream is not known here.
    timestamp: null,
  })
}
