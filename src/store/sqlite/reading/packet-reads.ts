/**
 * Pages of packets, from what the writer holds and what is folded. A page may have `pageBytesMax` on its way between the
 * threads, so those under way are bounded by their bytes; the others wait for their turn, in the order of asking (V11).
 */
import { VoiceStreamError } from '../../../errors.js'
import { limits } from '../../../limits.js'
import type { Asker } from '../../journal.js'
import { recordHeaderBytes } from '../packet-record.js'
import type { PacketQuery, Reads, RecordPage } from '../thread-messages.js'

export interface PacketReadPorts {
  /** What is committed and not folded yet. */
  pending(query: PacketQuery): Promise<RecordPage>
  read<Name extends 'packets' | 'packetPage'>(
    name: Name,
    query: Reads[Name]['query'],
    asker: Asker | null,
  ): Promise<Reads[Name]['answer']>
}

interface Waiting {
  readonly bytes: number
  begin(): void
}

export class PacketReads {
  readonly #ports: PacketReadPorts
  #bytesUnderWay = 0
  readonly #waiting: Waiting[] = []

  constructor(ports: PacketReadPorts) {
    this.#ports = ports
  }

  async page<Name extends 'packets' | 'packetPage'>(
    name: Name,
    query: PacketQuery,
    asker: Asker | null = null,
  ): Promise<Reads[Name]['answer']> {
    const bytes = Math.min(query.limit * (recordHeaderBytes + limits.dataBytesMax), limits.pageBytesMax)
    await this.#turn(bytes)
    try {
      if (asker?.isGone === true)
        throw new VoiceStreamError('timed_out', 'nobody waits for the answer any more')
      // What is pending first: meanwhile it may be folded, and then stands in both.
      const pending = await this.#ports.pending(query)
      return await this.#ports.read(name, { ...query, pending }, asker)
    } finally {
      this.#bytesUnderWay -= bytes
      this.#beginNext()
    }
  }

  #turn(bytes: number): Promise<void> {
    if (this.#waiting.length >= limits.readsInFlightMax)
      return Promise.reject(new VoiceStreamError('overloaded', 'too many reads are in flight'))
    return new Promise((begin) => {
      this.#waiting.push({ bytes, begin })
      this.#beginNext()
    })
  }

  #beginNext(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#bytesUnderWay + next.bytes > limits.packetReadBytesMax) return
      this.#waiting.shift()
      this.#bytesUnderWay += next.bytes
      next.begin()
    }
  }
}
