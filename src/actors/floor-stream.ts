/**
 * What one supervisor of the floor view is told next: the snapshot, then ticks. It keeps no ticks of its own: one that
 * takes none for a while gets the merged ones, and one that has fallen too far behind begins anew.
 */
import type { Clock } from '../clock.js'
import type { SnapshotPart, SnapshotReader } from './call-snapshots.js'
import { noticeText, resetText } from './feed-messages.js'
import type { FloorView } from './floor-view.js'
import type { SupervisorStream } from './supervisor-stream.js'

export interface FloorStreamPorts {
  readonly floor: FloorView
  readonly clock: Clock
  position(): string
  /** It needs a whole snapshot, once more. */
  rejoin(): void
}

export class FloorStream implements SupervisorStream, SnapshotReader {
  readonly #ports: FloorStreamPorts
  #told: number
  #first: string | null
  /** Each with the tick after which it is told. */
  #parts: { readonly after: number; readonly part: SnapshotPart }[] = []
  #queuedBytes = 0
  #awaitsSnapshot = true
  #isLive = false
  readonly isEvicted = false

  constructor(ports: FloorStreamPorts) {
    this.#ports = ports
    this.#told = ports.floor.tick
    this.#first = noticeText('hello', ports.position(), ports.clock.now())
  }

  get hasMore(): boolean {
    return this.#first !== null || this.#parts.length > 0 || this.#told < this.#ports.floor.tick
  }

  get lagBytes(): number {
    return this.#queuedBytes
  }

  get queuedSnapshotBytes(): number {
    return this.#queuedBytes
  }

  addPart(part: SnapshotPart): void {
    this.#parts.push({ after: this.#ports.floor.tick, part })
    this.#queuedBytes += part.bytes
  }

  next(): string | null {
    const { floor, clock, position } = this.#ports
    if (this.#first !== null) {
      const first = this.#first
      this.#first = null
      return first
    }
    const [queued] = this.#parts
    const through = queued?.after ?? floor.tick
    if (this.#told < through) {
      const text = floor.textBetween(this.#told, through)
      if (text === null) return this.#beginAnew()
      this.#told = through
      return text
    }
    if (queued !== undefined) {
      this.#parts.shift()
      this.#queuedBytes -= queued.part.bytes
      if (queued.part.isLast) this.#awaitsSnapshot = false
      return queued.part.text
    }
    if (this.#isLive || this.#awaitsSnapshot) return null
    this.#isLive = true
    return noticeText('live', position(), clock.now())
  }

  #beginAnew(): string {
    const { floor, clock, position, rejoin } = this.#ports
    this.#told = floor.tick
    this.#parts = []
    this.#queuedBytes = 0
    this.#awaitsSnapshot = true
    this.#isLive = false
    rejoin()
    return resetText('fell_behind', position(), clock.now())
  }

  skip(): void {}

  /** Ticks come once a second at least. */
  heartbeat(): null {
    return null
  }
}
