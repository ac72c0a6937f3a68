/**
 * Erased calls: gone for all who ask with one commit, and from the files soon after. The writer's side.
 *
 * The erasing transaction takes the call's row, its lifecycle and its packets in the tail; its key alone is kept, in
 * `erasures`, until nothing of it is left in the files. A restart goes on with what stands there. In this order:
 *
 * 1. The call's runs are deleted, `portionBytes` a transaction, because commits wait meanwhile. `secure_delete` fills
 *    with zeros what is freed.
 * 2. The words of its transcript leave the segments of their index (`CallIndex.scrub`).
 * 3. The write-ahead log, which holds older versions of all these pages, is cut to nothing (`Checkpoints.empty`).
 * 4. Copies in the gaps of pages (`page-gaps.ts`) are cleared, `sweepLeaves` at a time, each time behind an empty log.
 *    The writer's own cached pages are given up, or it would write their gaps again.
 */
import assert from 'node:assert/strict'
import type { Statement } from 'better-sqlite3'
import { syncDatabase } from '../files/database.js'
import { type Db, deleteWithoutEntries } from '../files/schema.js'
import { isCorrupt } from '../files/sqlite-error.js'
import type { CallIndex } from '../writing/call-index.js'
import type { Checkpoints } from '../writing/checkpoints.js'
import { clearGaps } from './page-gaps.js'

/** A transaction with so many bytes takes about 5 ms. */
const portionBytes = 1024 * 1024
const portionCalls = 256
const portionMs = 50
/** Erasures that come close together share the cut of the log. */
const gatherMs = 2000
const sweepLeaves = 4096
/** Merges of pages between two slices could move leaves to the front. */
const sweepOverlap = 256
const sweepMs = 250
const retryMs = 1000
const warnAfterMs = 30_000

export interface ErasurePorts {
  readonly db: Db
  readonly checkpoints: Checkpoints
  readonly index: CallIndex
  /** Bytes of so many erased calls are still in the files. */
  left(calls: number): void
  /** It is tried again. */
  failed(error: unknown): void
}

/** Calls without runs, whose last copies are being cleared away. */
interface Round {
  readonly callKeys: readonly number[]
  isScrubbed: boolean
  leaves: number
}

export class Erasures {
  readonly #ports: ErasurePorts
  readonly #add: Statement
  readonly #remove: Statement
  readonly #deleteCall: Statement
  readonly #deleteLifecycle: Statement
  readonly #runsOf: Statement<[number], { key: number; bytes: number }>
  readonly #deleteRun: Statement
  readonly #roots: readonly number[]
  /** Calls whose runs are still to be deleted, in the order of their erasure. */
  readonly #withRuns = new Set<number>()
  readonly #withoutRuns = new Set<number>()
  #round: Round | null = null
  #timer: NodeJS.Timeout | null = null
  #isStopped = false
  #heldSince: number | null = null

  constructor(ports: ErasurePorts) {
    const { db } = ports
    assert.equal(db.pragma('page_size', { simple: true }), 4096)
    this.#ports = ports
    this.#add = db.prepare('INSERT OR IGNORE INTO erasures(call_key) VALUES (?)')
    this.#remove = db.prepare('DELETE FROM erasures WHERE call_key = ?')
    this.#deleteCall = db.prepare('DELETE FROM calls WHERE key = ?')
    this.#deleteLifecycle = db.prepare('DELETE FROM lifecycle WHERE call_key = ?')
    this.#runsOf = db.prepare('SELECT key, length(records) AS bytes FROM runs WHERE call_key = ? LIMIT 64')
    this.#deleteRun = db.prepare('DELETE FROM runs WHERE key = ?')
    this.#roots = db
      .prepare<[], number>('SELECT rootpage FROM sqlite_schema WHERE rootpage > 0')
      .pluck()
      .all()
  }

  /** Goes on with what the process before this one has left. */
  resume(): void {
    // A key that has changed may be that of a call that is there, and nothing of that may be deleted.
    const keys = 'SELECT call_key FROM erasures WHERE call_key NOT IN (SELECT key FROM calls)'
    this.begun(this.#ports.db.prepare<[], number>(keys).pluck().all())
  }

  /** Within the transaction that erases these calls. */
  begin(callKeys: Iterable<number>): void {
    for (const callKey of callKeys) {
      this.#add.run(callKey)
      this.#ports.index.remove(callKey)
      this.#deleteCallRow(callKey)
      this.#deleteLifecycle.run(callKey)
    }
  }

  /** What the indexes have of a damaged row is not what it says: SQLite does not find its entries, and refuses. */
  #deleteCallRow(callKey: number): void {
    try {
      this.#deleteCall.run(callKey)
    } catch (error) {
      if (!isCorrupt(error)) throw error
      deleteWithoutEntries(this.#ports.db, () => this.#deleteCall.run(callKey))
    }
  }

  /** That transaction is committed. */
  begun(callKeys: Iterable<number>): void {
    for (const callKey of callKeys) this.#withRuns.add(callKey)
    this.#tellLeft()
    if (this.#timer === null && this.#left > 0) this.#goOn(gatherMs)
  }

  get #left(): number {
    return this.#withRuns.size + this.#withoutRuns.size + (this.#round?.callKeys.length ?? 0)
  }

  #tellLeft(): void {
    this.#ports.left(this.#left)
  }

  #goOn(afterMs: number): void {
    if (this.#isStopped) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      // The checkpoint thread moves what is in the log beside the commits; only the rest is left for `empty`.
      if (this.#withRuns.size === 0) this.#ports.checkpoints.run(() => this.#take())
      else this.#take()
    }, afterMs)
  }

  #take(): void {
    if (this.#isStopped) return
    let afterMs: number | null = retryMs
    try {
      afterMs = this.#step()
    } catch (error) {
      this.#ports.failed(error)
    }
    if (afterMs !== null) this.#goOn(afterMs)
  }

  /** Returns when to take the next one; null when nothing is left. */
  #step(): number | null {
    if (this.#withRuns.size > 0) {
      this.#deleteRuns()
      return this.#withRuns.size > 0 ? portionMs : 0
    }
    this.#round ??= this.#nextRound()
    if (this.#round === null) return null
    if (!this.#round.isScrubbed) {
      this.#round.isScrubbed = this.#ports.index.scrub()
      return this.#round.isScrubbed ? 0 : portionMs
    }
    if (!this.#ports.checkpoints.empty()) {
      this.#warnOfReader()
      return retryMs
    }
    this.#heldSince = null
    if (!this.#sweep(this.#round)) return sweepMs
    this.#end(this.#round)
    return this.#left > 0 ? 0 : null
  }

  #nextRound(): Round | null {
    if (this.#withoutRuns.size === 0) return null
    const callKeys = [...this.#withoutRuns]
    this.#withoutRuns.clear()
    return { callKeys, isScrubbed: false, leaves: 0 }
  }

  #deleteRuns(): void {
    const { db, checkpoints } = this.#ports
    const emptied: number[] = []
    let bytes = 0
    db.transaction(() => {
      for (const callKey of this.#withRuns) {
        if (bytes >= portionBytes || emptied.length >= portionCalls) return
        bytes += this.#deleteRunsOf(callKey, portionBytes - bytes)
        if (this.#runsOf.get(callKey) === undefined) emptied.push(callKey)
      }
    }).immediate()
    for (const callKey of emptied) {
      this.#withRuns.delete(callKey)
      this.#withoutRuns.add(callKey)
    }
    checkpoints.committed(bytes)
  }

  #deleteRunsOf(callKey: number, bytesMax: number): number {
    let bytes = 0
    for (;;) {
      const runs = this.#runsOf.all(callKey)
      if (runs.length === 0) return bytes
      for (const run of runs) {
        this.#deleteRun.run(run.key)
        bytes += run.bytes
        if (bytes >= bytesMax) return bytes
      }
    }
  }

  /** Whether every page has been looked at since the round began. */
  #sweep(round: Round): boolean {
    const { db, checkpoints } = this.#ports
    const skip = Math.max(0, round.leaves - sweepOverlap)
    const limit = sweepLeaves + sweepOverlap
    const leaves = clearGaps(checkpoints.databaseFd, this.#roots, { skip, limit })
    db.pragma('shrink_memory')
    round.leaves = skip + leaves
    return leaves < limit
  }

  #end({ callKeys }: Round): void {
    const { db, checkpoints } = this.#ports
    syncDatabase(checkpoints.databaseFd)
    db.transaction(() => {
      for (const callKey of callKeys) this.#remove.run(callKey)
    }).immediate()
    this.#round = null
    this.#tellLeft()
  }

  #warnOfReader(): void {
    this.#heldSince ??= performance.now()
    if (performance.now() - this.#heldSince < warnAfterMs) return
    this.#heldSince = null
    this.#ports.failed(
      Object.assign(
        new Error(
          `somebody reads an old snapshot: the log still holds what was erased of ${this.#left} calls`,
        ),
        { code: 'SQLITE_BUSY' },
      ),
    )
  }

  /** For a clean stop: as far as that goes in so much time. What is left goes on at the next start. */
  finish(msMax: number): void {
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    const until = performance.now() + msMax
    while (this.#left > 0 && performance.now() < until) if (this.#step() === retryMs) return
  }
}
