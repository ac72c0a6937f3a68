/**
 * Packets on their way from the main thread to the one that listens: a ring of shared memory, so that handing one over is a copy
 * of its bytes and nothing else. The main thread writes a packet when it is appended, and lets it be seen when it is committed;
 * both are in one order over all calls. A packet for which there is no room is left out: nobody waits for a listener (V11).
 *
 *     tail ──▶ read │ seen ──▶ committed │ appended ──▶ head │ free      (positions in bytes, modulo the ring)
 *
 * A record, in units of 8 bytes:
 *
 *     0 u32 length   4 u32 kind (8 bits), track (8), flags   8 u32 call   12 u32 sequence
 *     16 u32 packets   20 u32 bytes   24 f64 received at   32 data
 */
import assert from 'node:assert/strict'

export type RecordKind = 'filler' | 'packets' | 'track'
const kinds: readonly RecordKind[] = ['filler', 'packets', 'track']
const headerBytes = 32
const trackShift = 8
const rawFlag = 1 << 16
const skippedFlag = 1 << 17

export interface RingMemory {
  readonly bytes: SharedArrayBuffer
  /** Positions, as 32 bits: committed, and read; and whether the reader is called already. */
  readonly places: SharedArrayBuffer
}

export interface RingRecord {
  readonly kind: RecordKind
  /** A number that stands for the call. */
  readonly call: number
  readonly track: number
  readonly sequence: number
  readonly count: number
  /** Bytes of a codec, and not their base64. */
  readonly isRaw: boolean
  /** Packets of the track before it were left out. */
  readonly isAfterSkipped: boolean
  readonly at: number
  readonly data: Uint8Array
}

/** A power of two, so that positions of 32 bits fit. */
export function newRingMemory(bytes: number): RingMemory {
  assert(Number.isInteger(Math.log2(bytes)), 'the size of the ring is a power of two')
  return { bytes: new SharedArrayBuffer(bytes), places: new SharedArrayBuffer(12) }
}

export class RingWriter {
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #times: Float64Array
  readonly #places: Int32Array
  /** These only grow. */
  #head = 0
  #committed = 0

  constructor(memory: RingMemory) {
    this.#bytes = new Uint8Array(memory.bytes)
    this.#words = new Uint32Array(memory.bytes)
    this.#times = new Float64Array(memory.bytes)
    this.#places = new Int32Array(memory.places)
  }

  /** Bytes that are committed and not read. */
  get waitingBytes(): number {
    return (this.#committed - (Atomics.load(this.#places, 1) >>> 0)) >>> 0
  }

  /** Its place, to be committed; 0 where there is no room. */
  append(record: RingRecord): number {
    const { data, kind } = record
    const length = headerBytes + ((data.length + 7) & ~7)
    const size = this.#bytes.length
    const rest = size - (this.#head % size)
    const filler = rest < length ? rest : 0
    const held = this.#head - this.#committed + this.waitingBytes
    if (held + filler + length > size) return 0
    if (filler > 0) {
      const at = (this.#head % size) >>> 2
      this.#words[at] = filler
      this.#words[at + 1] = kinds.indexOf('filler')
      this.#head += filler
    }
    const start = this.#head % size
    const at = start >>> 2
    const words = this.#words
    words[at] = length
    words[at + 1] =
      kinds.indexOf(kind) |
      (record.track << trackShift) |
      (record.isRaw ? rawFlag : 0) |
      (record.isAfterSkipped ? skippedFlag : 0)
    words[at + 2] = record.call
    words[at + 3] = record.sequence
    words[at + 4] = record.count
    words[at + 5] = data.length
    this.#times[(start + 24) >>> 3] = record.at
    this.#bytes.set(data, start + headerBytes)
    this.#head += length
    return this.#head
  }

  /** Everything up to a place is on disk. Nobody sees it before `show`. */
  commit(place: number): void {
    assert(place <= this.#head, 'what was cut off is not committed')
    if (place > this.#committed) this.#committed = place
  }

  /** Says whether the reader must be called: it may be on its way already. */
  show(): boolean {
    Atomics.store(this.#places, 0, this.#committed | 0)
    return Atomics.exchange(this.#places, 2, 1) === 0
  }

  /** What is not committed never will be. */
  cutOff(): void {
    this.#head = this.#committed
  }
}

const recordsPerNote = 64

export class RingReader {
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #times: Float64Array
  readonly #places: Int32Array
  /** Modulo 2³². */
  #tail: number

  constructor(memory: RingMemory) {
    this.#bytes = new Uint8Array(memory.bytes)
    this.#words = new Uint32Array(memory.bytes)
    this.#times = new Float64Array(memory.bytes)
    this.#places = new Int32Array(memory.places)
    this.#tail = Atomics.load(this.#places, 1) >>> 0
  }

  /** Everything that is shown. The data of a record are a view of the ring, good until `take` returns. */
  read(take: (record: RingRecord) => void): void {
    Atomics.store(this.#places, 2, 0)
    const end = Atomics.load(this.#places, 0) >>> 0
    let sinceNote = 0
    while (this.#tail !== end) {
      const start = this.#tail % this.#bytes.length
      const at = start >>> 2
      const length = this.#words[at] as number
      const bits = this.#words[at + 1] as number
      assert(length > 0, 'a record has a length')
      const kind = kinds[bits & 0xff] as RecordKind
      if (kind !== 'filler') take(this.#record(start, bits, kind))
      this.#tail = (this.#tail + length) >>> 0
      if (++sinceNote < recordsPerNote) continue
      sinceNote = 0
      this.#note()
    }
    this.#note()
  }

  #record(start: number, bits: number, kind: RecordKind): RingRecord {
    const at = start >>> 2
    const words = this.#words
    const from = start + headerBytes
    return {
      kind,
      track: (bits >>> trackShift) & 0xff,
      isRaw: (bits & rawFlag) !== 0,
      isAfterSkipped: (bits & skippedFlag) !== 0,
      call: words[at + 2] as number,
      sequence: words[at + 3] as number,
      count: words[at + 4] as number,
      at: this.#times[(start + 24) >>> 3] as number,
      data: this.#bytes.subarray(from, from + (words[at + 5] as number)),
    }
  }

  /** The writer may take the room of what is read. */
  #note(): void {
    Atomics.store(this.#places, 1, this.#tail | 0)
  }
}
