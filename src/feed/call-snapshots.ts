/**
 * The picture of the current calls, for supervisors whose stream cannot go on: those that have not ended, and those
 * that ended last.
 *
 * Owns the scans: one at a time, for everybody who waited when it began, so that a thousand reconnecting supervisors
 * cost one or two. Nobody waits for a reader (V11). A scan goes as fast as the fastest of its members, and while others
 * wait for it to end, as fast as it can. Who falls too far behind is left where it stands; once it has read what it has, the
 * next scan that comes by takes it along. A scan begins at the first place at which somebody waits.
 *
 * A part of the snapshot names the offset at which its rows were true, and is closed before anything else can be told.
 */
import assert from 'node:assert/strict'
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallId } from '../protocol/call-id.js'
import { type RowText, snapshotText } from './feed-messages.js'
import {
  beginning,
  end,
  endedCalls,
  isBefore,
  type ScanPlace,
  SnapshotCalls,
  type SnapshotCallsPorts,
} from './snapshot-calls.js'
import { type PartHolder, SnapshotPart, type SnapshotReader } from './snapshot-part.js'

export interface SnapshotMember extends SnapshotReader {
  /** There is something to send. */
  wake(): void
  /** The snapshot has failed: its stream cannot go on. */
  snapshotFailed(): void
}

export interface SnapshotPorts extends SnapshotCallsPorts {
  /** The offset of the newest event, and what clients call it. */
  offset(): number
  positionAt(offset: number): string
  /** Every row on its way to the readers. */
  rowSeen(row: RowText): void
  failed(error: unknown): void
}

export class CallSnapshots {
  readonly #ports: SnapshotPorts
  readonly #calls: SnapshotCalls
  /** Everybody who is not told all of it yet: what comes next for each. */
  readonly #places = new Map<SnapshotMember, ScanPlace>()
  /** Of those, the ones that wait for a scan. Who has fallen behind is in neither this nor the group. */
  readonly #ready = new Set<SnapshotMember>()
  /** Those that the scan is for. */
  readonly #group = new Set<SnapshotMember>()
  #isScanning = false
  #place = beginning
  #rows: RowText[] = []
  #rowsAfter = 0
  #rowBytes = 0
  /** Those that are not told to somebody yet. */
  readonly #parts = new Set<SnapshotPart>()
  #heldBytes = 0
  readonly #holder: PartHolder = {
    held: (part) => {
      this.#parts.add(part)
      this.#heldBytes += part.bytes
    },
    released: (part) => {
      this.#parts.delete(part)
      this.#heldBytes -= part.bytes
    },
  }
  #goOn = () => {}

  constructor(ports: SnapshotPorts) {
    this.#ports = ports
    this.#calls = new SnapshotCalls(ports)
  }

  /** Of the parts that are not told to somebody yet. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** A whole snapshot begins soon. Joining again begins anew. */
  join(member: SnapshotMember): void {
    this.#group.delete(member)
    this.#places.set(member, beginning)
    this.#wait(member)
  }

  leave(member: SnapshotMember): void {
    member.cutSnapshot()
    for (const members of [this.#group, this.#ready, this.#places]) members.delete(member)
    this.#goOn()
  }

  /** The member has been told most of what it was given. */
  hasRoom(member: SnapshotMember): void {
    const place = this.#places.get(member)
    if (place === undefined) return
    if (this.#group.has(member)) this.#goOn()
    else if (place !== end) this.#wait(member)
    else if (member.queuedSnapshotBytes === 0) this.#places.delete(member)
  }

  #wait(member: SnapshotMember): void {
    this.#ready.add(member)
    this.#goOn()
    if (this.#isScanning) return
    this.#isScanning = true
    this.#scanAll().catch((error) => this.#ports.failed(error))
  }

  /** The call was erased: what waits for readers has nothing more of it. */
  forget(callId: CallId): void {
    for (const part of this.#parts) part.forget(callId)
  }

  // --- scans ------------------------------------------------------------------------------------------------------

  async #scanAll(): Promise<void> {
    try {
      while (this.#ready.size > 0) await this.#scan(this.#firstPlace()).catch((error) => this.#fail(error))
    } finally {
      this.#isScanning = false
    }
  }

  #firstPlace(): ScanPlace {
    let first = end
    for (const member of this.#ready) {
      const place = this.#places.get(member) ?? end
      if (isBefore(place, first)) first = place
    }
    return first
  }

  #fail(error: unknown): void {
    this.#rows = []
    for (const member of this.#group) {
      this.#places.delete(member)
      member.snapshotFailed()
    }
    this.#group.clear()
    if (!(error instanceof VoiceStreamError)) throw error
    this.#ports.failed(error)
  }

  async #scan(start: ScanPlace): Promise<void> {
    assert(isBefore(start, end), 'who waits for a scan has not been told all of it')
    for (let place = start; place.step < endedCalls.step; ) {
      this.#takeAlong(place, place)
      if (this.#group.size === 0) return
      place = await this.#scanPage(place)
    }
    this.#takeAlong(endedCalls, end)
    if (this.#group.size === 0) return
    await this.#scanEnded()
  }

  /** Those who wait from `first` on and before `through`; at `first` itself in any case. */
  #takeAlong(first: ScanPlace, through: ScanPlace): void {
    for (const member of this.#ready) {
      const place = this.#places.get(member) ?? end
      if (isBefore(place, first) || (isBefore(first, place) && !isBefore(place, through))) continue
      this.#ready.delete(member)
      this.#group.add(member)
    }
  }

  /** Returns where the next page begins. */
  async #scanPage(place: ScanPlace): Promise<ScanPlace> {
    const page = await this.#calls.page(place)
    // A supervisor that was left within this page gets all of it: a row may come again.
    this.#takeAlong(place, page.next)
    this.#place = place
    await this.#calls.show(page, this.#add)
    this.#comeTo(page.next)
    this.#leaveBehind()
    await this.#somebodyIsThrough()
    return page.next
  }

  async #scanEnded(): Promise<void> {
    this.#place = endedCalls
    for await (const page of this.#calls.endedPages()) await this.#calls.show(page, this.#add)
    this.#close(true)
    this.#comeTo(end)
    this.#group.clear()
    this.#letGo()
  }

  // --- readers ----------------------------------------------------------------------------------------------------

  #comeTo(place: ScanPlace): void {
    for (const member of this.#group) this.#places.set(member, place)
  }

  #leaveBehind(): void {
    for (const member of this.#group)
      if (member.queuedSnapshotBytes > limits.snapshotLagBytesMax) this.#group.delete(member)
    this.#letGo()
  }

  /** What those hold who have fallen behind is bounded: beyond it they get it again later, the oldest first. */
  #letGo(): void {
    for (const member of this.#places.keys()) {
      if (this.#heldBytes <= limits.snapshotHeldBytesMax) return
      if (this.#group.has(member)) continue
      const place = member.cutSnapshot()
      if (place === null) continue
      this.#places.set(member, place)
      this.#ready.delete(member)
    }
  }

  /** To be faster than all of them helps only somebody who waits for the next scan. */
  async #somebodyIsThrough(): Promise<void> {
    while (this.#ready.size === 0 && this.#group.size > 0 && this.#isFull())
      await new Promise<void>((resolve) => {
        this.#goOn = resolve
      })
  }

  #isFull(): boolean {
    for (const { queuedSnapshotBytes } of this.#group)
      if (queuedSnapshotBytes <= limits.snapshotPartBytesMax) return false
    return true
  }

  // --- parts ------------------------------------------------------------------------------------------------------

  readonly #add = (row: RowText): void => {
    const offset = this.#ports.offset()
    const isFull =
      this.#rows.length >= limits.snapshotRowsMax || this.#rowBytes >= limits.snapshotPartBytesMax
    if (this.#rows.length > 0 && (isFull || offset !== this.#rowsAfter)) this.#close(false)
    // Nobody can be told of a later event before this turn is over, and with it the part.
    if (this.#rows.length === 0) queueMicrotask(() => this.#rows.length > 0 && this.#close(false))
    this.#rowsAfter = offset
    this.#rows.push(row)
    this.#rowBytes += row.text.length
    this.#ports.rowSeen(row)
  }

  #close(isLast: boolean): void {
    const rows = this.#rows
    const after = rows.length > 0 ? this.#rowsAfter : this.#ports.offset()
    this.#rows = []
    this.#rowBytes = 0
    if (this.#group.size === 0) return
    const position = this.#ports.positionAt(after)
    const at = this.#ports.clock.now()
    const write = (of: readonly RowText[]) => snapshotText(of, isLast, position, at)
    const part = new SnapshotPart({ after, rows, isLast, place: this.#place, write }, this.#holder)
    for (const member of this.#group) {
      member.addPart(part)
      member.wake()
    }
  }
}
