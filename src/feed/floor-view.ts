/**
 * The floor, conflated: what has changed is remembered by call, and looked at at most 4 times a second, so the cost grows
 * with the calls that change and not with their packets. One message a tick is made and shared by all viewers; a viewer
 * that skips ticks gets them merged. Nothing is remembered while nobody looks.
 */

import type { CallMachineSnapshot } from '../actors/call-machine.js'
import type { Clock, Millis } from '../clock.js'
import { isDamage } from '../errors.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { FloorTotals } from '../protocol/floor.js'
import type { ReplyTo } from '../store/journal.js'
import type { EndedCalls } from './ended-calls.js'
import { FanOut, type FanOutPorts, type Pumped } from './fan-out.js'
import { floorText, type RowText } from './feed-messages.js'
import { rowText } from './snapshot-calls.js'

interface Tick {
  readonly number: number
  /** Null for a call that left the picture. */
  readonly changes: ReadonlyMap<string, RowText | null>
  readonly totals: FloorTotals
  readonly position: string
  readonly at: Millis
  readonly text: string
}

export interface FloorPorts extends FanOutPorts {
  readonly clock: Clock
  readonly ended: EndedCalls
  observe(
    callId: CallId,
    row: null,
    look: (state: CallMachineSnapshot) => RowText,
    replyTo: ReplyTo<RowText | null>,
  ): void
  totals(): FloorTotals
  position(): string
}

export class FloorView {
  readonly #ports: FloorPorts
  readonly #viewers: FanOut<Pumped>
  /** To be looked at. */
  readonly #changed = new Set<CallId>()
  /** Looked at, and not told yet. */
  #changes = new Map<string, RowText | null>()
  #ticks: Tick[] = []
  #tickBytes = 0
  #number = 0
  #toldAt: Millis = 0
  #cancel: (() => void) | null = null

  constructor(ports: FloorPorts) {
    this.#ports = ports
    this.#viewers = new FanOut(ports)
  }

  get viewerCount(): number {
    return this.#viewers.size
  }

  /** The number of the last tick. */
  get tick(): number {
    return this.#number
  }

  add(viewer: Pumped): () => void {
    const remove = this.#viewers.add(viewer)
    this.#cancel ??= this.#later()
    return () => {
      remove()
      if (this.#viewers.size === 0) this.#rest()
    }
  }

  wake(): void {
    this.#viewers.wake()
  }

  #rest(): void {
    this.#cancel?.()
    this.#cancel = null
    this.#changed.clear()
    this.#changes.clear()
    this.#ticks = []
    this.#tickBytes = 0
  }

  // --- told by the calls ------------------------------------------------------------------------------------------

  changed(callId: CallId): void {
    if (this.#viewers.size > 0) this.#changed.add(callId)
  }

  stateChanged(callId: CallId, to: CallState): void {
    const hasEnded = to === 'ARCHIVED' || to === 'FAILED'
    if (!hasEnded) this.#ports.ended.delete(callId)
    const left = hasEnded ? this.#ports.ended.add(callId) : null
    if (left !== null && this.#viewers.size > 0) this.#changes.set(left, null)
  }

  /** It was erased: what is held of it goes, too. */
  forget(callId: CallId): void {
    this.#ports.ended.delete(callId)
    this.#changed.delete(callId)
    if (this.#viewers.size === 0) return
    // The ticks that are held have its row in their texts: who has not got them yet begins anew.
    this.#ticks = []
    this.#tickBytes = 0
    this.#changes.set(callId, null)
  }

  /** A row that viewers get by another way: one that was looked at before it must not come after it. */
  rowSeen(row: RowText): void {
    if (row.isDamaged !== true && this.#changes.has(row.callId)) this.#changes.set(row.callId, row)
  }

  // --- ticks ------------------------------------------------------------------------------------------------------

  #later(): () => void {
    return this.#ports.clock.after(limits.floorTickMs, () => {
      this.#cancel = this.#later()
      this.#tick()
    })
  }

  #tick(): void {
    const asked: CallId[] = []
    for (const callId of this.#changed) {
      if (asked.length === limits.floorLooksPerTick) break
      this.#changed.delete(callId)
      asked.push(callId)
    }
    this.#look(asked, 0)
  }

  #look(asked: readonly CallId[], from: number): void {
    const through = Math.min(from + limits.floorLooksPerTurn, asked.length)
    for (let i = from; i < through; i++) this.#lookAt(asked[i] as CallId)
    if (through < asked.length) this.#ports.soon(() => this.#look(asked, through))
    else this.#tellIfDue()
  }

  /** A call whose last packet is not committed yet is told by the next tick: the others need not wait for it. */
  #tellIfDue(): void {
    const isQuiet = this.#ports.clock.now() - this.#toldAt < limits.floorQuietMs
    if (this.#viewers.size > 0 && (this.#changes.size > 0 || !isQuiet)) this.#tell()
  }

  #lookAt(callId: CallId): void {
    this.#ports.observe(callId, null, rowText, {
      answered: (row) => this.#looked(callId, row),
      // The disk is stuck or the service overloaded: the call still has changed. What is damaged does not pass.
      failed: (error) => {
        if (!isDamage(error)) this.changed(callId)
      },
    })
  }

  #looked(callId: CallId, row: RowText | null): void {
    if (this.#viewers.size === 0) return
    if (row === null) this.#ports.ended.delete(callId)
    const hasEnded = row?.state === 'ARCHIVED' || row?.state === 'FAILED'
    const isInPicture = row !== null && (!hasEnded || this.#ports.ended.has(callId))
    if (isInPicture || row === null) this.#changes.set(callId, row)
  }

  #tell(): void {
    const { clock, totals, position } = this.#ports
    const changes = this.#changes
    this.#changes = new Map()
    this.#toldAt = clock.now()
    this.#number++
    const facts = { changes, totals: totals(), position: position(), at: this.#toldAt }
    const tick = { number: this.#number, ...facts, text: textOf(facts) }
    this.#ticks.push(tick)
    this.#tickBytes += tick.text.length
    while (
      this.#ticks.length > 1 &&
      (this.#ticks.length > limits.floorTicksHeld || this.#tickBytes > limits.floorBytesHeld)
    )
      this.#tickBytes -= (this.#ticks.shift() as Tick).text.length
    this.#viewers.wake()
  }

  // --- read by viewers --------------------------------------------------------------------------------------------

  /** What a viewer that was told through one tick is told through a later one; null when that is no longer held. */
  textBetween(told: number, through: number): string | null {
    const first = this.#ticks[0]
    if (first === undefined || told + 1 < first.number) return null
    const ticks = this.#ticks.slice(told + 1 - first.number, through + 1 - first.number)
    const last = ticks.at(-1)
    if (last === undefined || ticks.length < through - told) return null
    if (ticks.length === 1) return last.text
    const changes = new Map(ticks.flatMap((tick) => [...tick.changes]))
    return textOf({ ...last, changes })
  }
}

function textOf({ changes, totals, position, at }: Omit<Tick, 'number' | 'text'>): string {
  const rows: RowText[] = []
  const gone: string[] = []
  for (const [callId, row] of changes) {
    if (row === null) gone.push(callId)
    else rows.push(row)
  }
  return floorText(totals, rows, gone, position, at)
}
