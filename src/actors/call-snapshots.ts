/**
 * The picture of the current calls, for supervisors whose stream cannot go on: those that have not ended, and those
 * that ended last.
 *
 * Owns the scans: one at a time, for everybody who waited when it began, so that a thousand reconnecting supervisors
 * cost one or two. Each call is looked at by `CallRegistry.observe`, whose answer comes at its place among the events: a
 * part of the snapshot names that place, and parts are closed before anything else can be told. The states are read in the
 * order of the lifecycle, so a call that moves on meanwhile is found in the next one. A scan waits for its readers at
 * every page, but not long for the slowest (V7).
 */
import type { Clock } from '../clock.js'
import { VoiceStreamError } from '../errors.js'
import { limits } from '../limits.js'
import type { CallState } from '../protocol/call.js'
import type { CallId } from '../protocol/call-id.js'
import type { CallReader, StoredCall } from '../store/journal.js'
import type { CallMachineSnapshot } from './call-machine.js'
import type { FoundRow } from './call-registry.js'
import type { ReplyTo } from './call-settlements.js'
import { callRow } from './call-view.js'
import { type RowText, snapshotText } from './feed-messages.js'

/** Rows that were true right after the event at `after`. One object for all who get it. */
export interface SnapshotPart {
  readonly after: number
  readonly rows: readonly RowText[]
  readonly isLast: boolean
  readonly bytes: number
  /** For everybody without a filter. */
  readonly text: string
}

export interface SnapshotReader {
  addPart(part: SnapshotPart): void
  readonly queuedSnapshotBytes: number
}

export interface SnapshotMember extends SnapshotReader {
  /** There is something to send. */
  wake(): void
  /** The snapshot has failed: its stream cannot go on. */
  snapshotFailed(): void
}

export interface SnapshotPorts {
  readonly reader: Pick<CallReader, 'call' | 'calls'>
  readonly clock: Clock
  /** As the registry's. */
  mark(): number
  observe<T>(
    callId: CallId,
    row: FoundRow | null,
    look: (state: CallMachineSnapshot) => T,
    replyTo: ReplyTo<T | null>,
  ): void
  /** The offset of the newest event, and what clients call it. */
  offset(): number
  positionAt(offset: number): string
  /** Newest first. */
  endedCalls(): readonly CallId[]
  /** Every row on its way to the readers. */
  rowSeen(row: RowText): void
  /** Runs a task when the loop has seen to everything else. */
  soon(task: () => void): void
  failed(error: unknown): void
}

type Page = Awaited<ReturnType<CallReader['calls']>>

const unendedStates: readonly CallState[] = ['IN_PROGRESS', 'COMPLETED', 'PROCESSING_AI']

/** A row as it is sent. */
export function rowText(state: CallMachineSnapshot): RowText {
  return { callId: state.context.callId, state: state.value, text: JSON.stringify(callRow(state)) }
}

export class CallSnapshots {
  readonly #ports: SnapshotPorts
  #waiting = new Set<SnapshotMember>()
  #group = new Set<SnapshotMember>()
  #isScanning = false
  #rows: RowText[] = []
  #rowsAfter = 0
  #rowBytes = 0

  constructor(ports: SnapshotPorts) {
    this.#ports = ports
  }

  /** A whole snapshot begins soon. Joining again begins anew. */
  join(member: SnapshotMember): void {
    this.#group.delete(member)
    this.#waiting.add(member)
    if (this.#isScanning) return
    this.#isScanning = true
    this.#scanAll().catch((error) => this.#ports.failed(error))
  }

  leave(member: SnapshotMember): void {
    this.#group.delete(member)
    this.#waiting.delete(member)
  }

  async #scanAll(): Promise<void> {
    try {
      while (this.#waiting.size > 0) {
        this.#group = this.#waiting
        this.#waiting = new Set()
        await this.#scan().catch((error) => this.#fail(error))
      }
    } finally {
      this.#isScanning = false
    }
  }

  #fail(error: unknown): void {
    this.#rows = []
    for (const member of this.#group) member.snapshotFailed()
    this.#group.clear()
    if (!(error instanceof VoiceStreamError)) throw error
    this.#ports.failed(error)
  }

  async #scan(): Promise<void> {
    for (const state of unendedStates) await this.#scanState(state)
    const ended = this.#ports.endedCalls()
    for (let i = 0; i < ended.length; i += limits.snapshotLooks) {
      const part = ended.slice(i, i + limits.snapshotLooks)
      const mark = this.#ports.mark()
      const found = await this.#trying(() =>
        Promise.all(part.map((callId) => this.#ports.reader.call(callId))),
      )
      await this.#showAll(
        found.filter((call) => call !== null),
        mark,
      )
    }
    this.#close(true)
    this.#group.clear()
  }

  async #scanState(state: CallState): Promise<void> {
    for (let cursor: number | null = null, isFirst = true; isFirst || cursor !== null; isFirst = false) {
      if (this.#group.size === 0) return
      const query = { state, cursor, limit: limits.callsPageMax }
      const mark = this.#ports.mark()
      const page: Page = await this.#trying(() => this.#ports.reader.calls(query))
      await this.#showAll(page.calls, mark)
      await this.#readersAreThrough()
      cursor = page.nextCursor
    }
  }

  async #showAll(calls: readonly StoredCall[], mark: number): Promise<void> {
    for (let i = 0; i < calls.length; i += limits.snapshotLooks) {
      const part = calls.slice(i, i + limits.snapshotLooks)
      await Promise.all(part.map(({ callId, snapshot }) => this.#show(callId, { snapshot, mark })))
      await new Promise<void>((resolve) => this.#ports.soon(resolve))
    }
  }

  /** Resolves when the row is in its part. A call that was erased meanwhile has none. */
  #show(callId: CallId, found: FoundRow): Promise<void> {
    return this.#trying(
      () =>
        new Promise<void>((resolve, reject) =>
          this.#ports.observe(callId, found, rowText, {
            answered: (row) => {
              if (row !== null) this.#add(row)
              resolve()
            },
            failed: reject,
          }),
        ),
    )
  }

  /** The reader is overloaded, or a commit failed: both pass. */
  async #trying<T>(ask: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof VoiceStreamError) || tries === limits.snapshotTriesMax) throw error
        await this.#pause(limits.snapshotRetryMs)
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#ports.clock.after(ms, resolve))
  }

  async #readersAreThrough(): Promise<void> {
    const stepMs = 10
    for (let waitedMs = 0; waitedMs < limits.snapshotPageMsMax; waitedMs += stepMs) {
      const isThrough = [...this.#group].every(
        ({ queuedSnapshotBytes }) => queuedSnapshotBytes <= limits.snapshotPartBytesMax,
      )
      if (isThrough) return
      await this.#pause(stepMs)
    }
  }

  // --- parts ------------------------------------------------------------------------------------------------------

  #add(row: RowText): void {
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
    const text = snapshotText(rows, isLast, this.#ports.positionAt(after), this.#ports.clock.now())
    const part = { after, rows, isLast, bytes: text.length, text }
    for (const member of this.#group) {
      member.addPart(part)
      member.wake()
    }
  }
}
