/**
 * Pages of packets, from what the writer holds and what is folded. A page may have `pageBytesMax` on its way between the
 * threads, so those under way are bounded by their bytes; the others wait for their turn, in the order of asking (V11).
 */
import { VoiceStreamError } from '../../../errors.js'
import { limits } from '../../../limits.js'
import type { Asker, PacketPageFile } from '../../journal.js'
import { recordHeaderBytes } from '../packet-record.js'
import type { PacketQuery, Reads, RecordPage } from '../thread-messages.js'

/**
 * Memory of pages, which goes to the reader thread and back. V8 collects a buffer from another thread late: 64 listeners, who
 * hold 64 MiB, left 180 MiB of them behind.
 */
const pagesKeptMax = limits.untakenBytesMax / limits.pageBytesMax

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
  readonly #memory: ArrayBuffer[] = []

  constructor(ports: PacketReadPorts) {
    this.#ports = ports
  }

  /** `release` is called once its records are not needed any more. */
  async records(query: PacketQuery): Promise<RecordPage & { release(): void }> {
    const isLarge = query.limit * (recordHeaderBytes + limits.dataBytesMax) >= limits.pageBytesMax
    const page = await this.#read(query, null, (pending) => {
      const into = isLarge ? (this.#memory.pop() ?? new ArrayBuffer(limits.pageBytesMax)) : null
      return this.#ports.read('packets', { ...query, pending, into }, null)
    })
    return {
      ...page,
      release: () => {
        const { buffer } = page.records
        if (buffer.byteLength === limits.pageBytesMax && this.#memory.length < pagesKeptMax)
          this.#memory.push(buffer)
      },
    }
  }

  /** As a file to be sent. */
  file(query: PacketQuery, asker: Asker): Promise<PacketPageFile> {
    return this.#read(query, asker, (pending) => this.#ports.read('packetPage', { ...query, pending }, asker))
  }

  async #read<Page>(
    query: PacketQuery,
    asker: Asker | null,
    read: (pending: RecordPage) => Promise<Page>,
  ): Promise<Page> {
    const bytes = Math.min(query.limit * (recordHeaderBytes + limits.dataBytesMax), limits.pageBytesMax)
    await this.#turn(bytes)
    try {
      if (asker?.isGone === true)
        throw new VoiceStreamError('timed_out', 'nobody waits for the answer any more')
      // What is pending first: meanwhile it may be folded, and then stands in both.
      return await read(await this.#ports.pending(query))
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
