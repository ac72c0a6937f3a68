/**
 * The floor stream of one supervisor: the snapshot, then ticks. It keeps no ticks of its own: one that
 * takes none for a while gets the merged ones, and one that has fallen too far behind begins anew.
 */
import type { Clock } from '../clock.js'
import { noticeText, resetText } from './feed-messages.js'
import type { FloorView } from './floor-view.js'
import type { ScanPlace } from './snapshot-calls.js'
import { type SnapshotPart, SnapshotQueue, type SnapshotReader } from './snapshot-part.js'
import type { SupervisorStream } from './supervisor-stream.js'

export interface FloorStreamPorts {
  readonly floor: FloorView
  readonly clock: Clock
  position(): string
  /** It needs a whole snapshot, once more. */
  rejoin(): void
  /** There is room for more of a snapshot. */
  hasRoom(): void
}

export class FloorStream implements SupervisorStream, SnapshotReader {
  readonly #ports: FloorStreamPorts
  #told: number
  #first: string | null
  readonly #snapshot: SnapshotQueue
  #awaitsSnapshot = true
  #isLive = false
  readonly isEvicted = false

  constructor(ports: FloorStreamPorts) {
    this.#ports = ports
    this.#snapshot = new SnapshotQueue(() => ports.hasRoom())
    this.#told = ports.floor.tick
    this.#first = noticeText('hello', ports.position(), ports.clock.now())
  }

  get hasMore(): boolean {
    return this.#first !== null || this.#snapshot.hasMore || this.#told < this.#ports.floor.tick
  }

  get lagBytes(): number {
    return this.#snapshot.bytes
  }

  get queuedSnapshotBytes(): number {
    return this.#snapshot.bytes
  }

  /** It is told after the tick that was the last one now. */
  addPart(part: SnapshotPart): void {
    this.#snapshot.add(part, this.#ports.floor.tick)
  }

  cutSnapshot(): ScanPlace | null {
    return this.#snapshot.cut()
  }

  next(): string | null {
    const { floor, clock, position } = this.#ports
    if (this.#first !== null) {
      const first = this.#first
      this.#first = null
      return first
    }
    this.#snapshot.resume()
    const queued = this.#snapshot.first
    const through = queued?.after ?? floor.tick
    if (this.#told < through) {
      const text = floor.textBetween(this.#told, through)
      if (text === null) return this.#beginAnew()
      this.#told = through
      return text
    }
    if (queued !== null) {
      const { isLast, text } = this.#snapshot.take()
      if (isLast) this.#awaitsSnapshot = false
      return text
    }
    if (this.#isLive || this.#awaitsSnapshot) return null
    this.#isLive = true
    return noticeText('live', position(), clock.now())
  }

  #beginAnew(): string {
    const { floor, clock, position, rejoin } = this.#ports
    this.#told = floor.tick
    this.#snapshot.clear()
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
