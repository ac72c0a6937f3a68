/** What a leg keeps of a packet until the journal has settled it. */
import type { BlockFacts } from '../actors/call-facts.js'
import type { BlockMessage, PacketBlock } from '../actors/call-messages.js'
import type { Millis } from '../clock.js'
import type { ReplyTo } from '../store/journal.js'

interface PacketHolder {
  settled(packet: HeldPacket, facts: BlockFacts): void
  failed(packet: HeldPacket): void
}

/** Many copies share one piece of memory, which is free when the last of them is: memory of its own is half of a packet's time. */
const pieceBytes = 32 * 1024
let piece = new ArrayBuffer(0)
let pieceUsed = 0

/** What a socket gives is gone after its turn. */
function copyOf(data: Uint8Array): Uint8Array {
  const { length } = data
  if (length > pieceBytes / 8) return new Uint8Array(data)
  if (pieceUsed + length > piece.byteLength) {
    piece = new ArrayBuffer(pieceBytes)
    pieceUsed = 0
  }
  const copy = new Uint8Array(piece, pieceUsed, length)
  copy.set(data)
  pieceUsed += length
  return copy
}

/**
 * A packet that waits for its settlement: the message to its call, the block in it and who is answered, because three objects a
 * packet would be a tenth of its time.
 */
export class HeldPacket implements BlockMessage, PacketBlock, ReplyTo<BlockFacts> {
  readonly type = 'block'
  readonly count = 1
  readonly isPatient = true
  readonly #leg: PacketHolder
  readonly track: number
  readonly sequence: number
  readonly data: Uint8Array
  readonly isRaw: boolean
  readonly timestamp: number
  readonly since: Millis

  constructor(
    leg: PacketHolder,
    track: number,
    sequence: number,
    data: Uint8Array,
    isRaw: boolean,
    timestamp: number,
    since: Millis,
  ) {
    this.#leg = leg
    this.track = track
    this.sequence = sequence
    this.data = copyOf(data)
    this.isRaw = isRaw
    this.timestamp = timestamp
    this.since = since
  }

  get block(): this {
    return this
  }

  get replyTo(): this {
    return this
  }

  answered(facts: BlockFacts): void {
    this.#leg.settled(this, facts)
  }

  failed(): void {
    this.#leg.failed(this)
  }
}
