/**
 * A part of a snapshot, and the queue of those that one supervisor has not been told yet. Parts are shared: one stays in
 * memory for as long as anybody holds it, and says so (V7).
 */
import { limits } from '../limits.js'
import type { RowText } from './feed-messages.js'
import type { ScanPlace } from './snapshot-calls.js'

export interface PartContent {
  /** The rows were true right after the event at this offset. */
  readonly after: number
  readonly rows: readonly RowText[]
  readonly isLast: boolean
  /** For everybody without a filter. */
  readonly text: string
  /** Where the page began that it is of. */
  readonly place: ScanPlace
}

/** One object for all who get it. */
export class SnapshotPart implements PartContent {
  readonly after: number
  readonly rows: readonly RowText[]
  readonly isLast: boolean
  readonly text: string
  readonly place: ScanPlace
  readonly #heldBytes: (change: number) => void
  #holders = 0

  constructor({ after, rows, isLast, text, place }: PartContent, heldBytes: (change: number) => void) {
    this.after = after
    this.rows = rows
    this.isLast = isLast
    this.text = text
    this.place = place
    this.#heldBytes = heldBytes
  }

  get bytes(): number {
    return this.text.length
  }

  hold(): void {
    if (this.#holders++ === 0) this.#heldBytes(this.bytes)
  }

  release(): void {
    if (--this.#holders === 0) this.#heldBytes(-this.bytes)
  }
}

/** Takes a snapshot in parts, and says when there is room for more. */
export interface SnapshotReader {
  addPart(part: SnapshotPart): void
  /** Of what was added, and is not told yet. */
  readonly queuedSnapshotBytes: number
  /** Lets go of what is not told yet; there is room when it could be told. Returns where that begins, if there is any. */
  cutSnapshot(): ScanPlace | null
}

interface QueuedPart {
  readonly part: SnapshotPart
  /** Where in its stream the supervisor is told of it. */
  readonly after: number
}

export class SnapshotQueue {
  readonly #parts: QueuedPart[] = []
  readonly #hasRoom: () => void
  #bytes = 0
  #isCut = false

  /** `hasRoom` is called when little of the snapshot waits here, and the supervisor has just taken something. */
  constructor(hasRoom: () => void) {
    this.#hasRoom = hasRoom
  }

  get bytes(): number {
    return this.#bytes
  }

  /** `resume` or `take` is due. */
  get hasMore(): boolean {
    return this.#parts.length > 0 || this.#isCut
  }

  get first(): QueuedPart | null {
    return this.#parts[0] ?? null
  }

  add(part: SnapshotPart, after: number): void {
    part.hold()
    this.#parts.push({ part, after })
    this.#bytes += part.bytes
  }

  /** The first part is told now. */
  take(): SnapshotPart {
    const { part } = this.#parts.shift() as QueuedPart
    part.release()
    this.#bytes -= part.bytes
    if (this.#bytes <= limits.snapshotPartBytesMax) this.#hasRoom()
    return part
  }

  /** The supervisor takes something: what was cut off can be had again. */
  resume(): void {
    if (!this.#isCut) return
    this.#isCut = false
    this.#hasRoom()
  }

  /** Lets go of what was not told; it comes again after `resume`. Returns where that begins. */
  cut(): ScanPlace | null {
    const first = this.first
    if (first === null) return null
    this.clear()
    this.#isCut = true
    return first.part.place
  }

  clear(): void {
    for (const { part } of this.#parts) part.release()
    this.#parts.length = 0
    this.#bytes = 0
    this.#isCut = false
  }
}
