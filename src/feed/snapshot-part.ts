/**
 * A part of a snapshot, and the queue of those that one supervisor has not been told yet. Parts are shared: one stays in
 * memory for as long as anybody holds it, and says so (V7).
 */
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import type { RowText } from './feed-messages.js'
import type { ScanPlace } from './snapshot-calls.js'

export interface PartContent {
  /** The rows were true right after the event at this offset. */
  readonly after: number
  readonly rows: readonly RowText[]
  readonly isLast: boolean
  /** Where the page began that it is of. */
  readonly place: ScanPlace
  write(rows: readonly RowText[]): string
}

export interface PartHolder {
  held(part: SnapshotPart): void
  released(part: SnapshotPart): void
}

/** One object for all who get it. */
export class SnapshotPart {
  readonly after: number
  readonly isLast: boolean
  readonly place: ScanPlace
  readonly bytes: number
  readonly #content: PartContent
  readonly #holder: PartHolder
  #rows: readonly RowText[]
  #text: string | null
  /** Made when a call is erased while somebody has not been told of the part. */
  #names: Set<string> | null = null
  #holders = 0

  constructor(content: PartContent, holder: PartHolder) {
    this.#content = content
    this.#holder = holder
    this.#rows = content.rows
    const text = content.write(content.rows)
    this.#text = text
    this.bytes = text.length
    this.after = content.after
    this.isLast = content.isLast
    this.place = content.place
  }

  get rows(): readonly RowText[] {
    return this.#rows
  }

  /** For everybody without a filter. */
  get text(): string {
    this.#text ??= this.#content.write(this.#rows)
    return this.#text
  }

  hold(): void {
    if (this.#holders++ === 0) this.#holder.held(this)
  }

  release(): void {
    if (--this.#holders === 0) this.#holder.released(this)
  }

  /** The call was erased: who has not been told of it yet is not told any more. */
  forget(callId: CallId): void {
    this.#names ??= new Set(this.#rows.map((row) => row.callId))
    if (!this.#names.delete(callId)) return
    this.#rows = this.#rows.filter((row) => row.callId !== callId)
    this.#text = null
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
