/**
 * Pictures for readers that take them slowly or not at all (V7, V11).
 *
 * Guards against a scan that waits for its slowest reader at each page: of 30,000 calls a healthy supervisor had its
 * picture after 1.7 s, and after 113 s beside a socket that never read.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CallSnapshots, type SnapshotMember } from '../../src/feed/call-snapshots.js'
import type { RowText } from '../../src/feed/feed-messages.js'
import { type SnapshotPart, SnapshotQueue } from '../../src/feed/snapshot-part.js'
import { limits } from '../../src/limits.js'
import type { CallState } from '../../src/protocol/call.js'
import type { CallReader, StoredCall } from '../../src/store/journal.js'
import { callId } from '../support/calls.js'
import { FakeClock, turns } from '../support/fake-clock.js'
import { randomNumbers, seed } from '../support/property.js'

/** So many bytes has each row. */
const rowBytes = 4096
const rowsPerPage = 16
const pageBytes = rowBytes * rowsPerPage

/** A service with that many calls in progress, newest last; none ever changes. */
class Trial {
  readonly clock = new FakeClock()
  readonly snapshots: CallSnapshots
  readonly callCount: number
  /** The first calls of the pages that were read. */
  readonly pages: number[] = []
  readonly failures: unknown[] = []

  constructor(callCount: number) {
    this.callCount = callCount
    this.snapshots = new CallSnapshots({
      reader: { calls: (query) => this.#page(query), call: async () => null },
      clock: this.clock,
      mark: () => 0,
      observe: (id, _row, _look, replyTo) => replyTo.answered(rowOf(id) as never),
      offset: () => 0,
      positionAt: (offset) => `e.${offset}`,
      endedCalls: () => [],
      rowSeen: () => {},
      soon: setImmediate,
      failed: (error) => this.failures.push(error),
    })
  }

  get bytes(): number {
    return this.callCount * rowBytes
  }

  get pagesOfAll(): number {
    return Math.ceil(this.callCount / rowsPerPage)
  }

  #page: CallReader['calls'] = async ({ state, cursor }) => {
    if (state !== 'IN_PROGRESS') return { calls: [], nextCursor: null }
    const first = (cursor ?? this.callCount + 1) - 1
    this.pages.push(first)
    const last = Math.max(1, first - rowsPerPage + 1)
    const calls: StoredCall[] = []
    for (let key = first; key >= last; key--) calls.push({ callId: callId(`c${key}`), snapshot: {} as never })
    return { calls, nextCursor: last > 1 ? last : null }
  }
}

function rowOf(id: string): RowText {
  const state: CallState = 'IN_PROGRESS'
  const text = JSON.stringify({ call_id: id })
  return { callId: id, state, text: text.padEnd(rowBytes) }
}

/** A supervisor that takes parts when the test says so. */
class Reader implements SnapshotMember {
  readonly #snapshots: CallSnapshots
  readonly #queue: SnapshotQueue
  readonly callIds = new Set<string>()
  readonly textIds = new Set<string>()
  rows = 0
  lasts = 0
  /** Takes all that comes at once. */
  isQuick: boolean

  constructor(trial: Trial, isQuick: boolean) {
    this.#snapshots = trial.snapshots
    this.#queue = new SnapshotQueue(() => this.#snapshots.hasRoom(this))
    this.isQuick = isQuick
    this.#snapshots.join(this)
  }

  get queuedSnapshotBytes(): number {
    return this.#queue.bytes
  }

  addPart(part: SnapshotPart): void {
    this.#queue.add(part, 0)
  }

  cutSnapshot() {
    return this.#queue.cut()
  }

  wake(): void {
    while (this.isQuick && this.take());
  }

  /** Its socket takes one part, if there is one. */
  take(): boolean {
    this.#queue.resume()
    if (this.#queue.first === null) return false
    const { rows, isLast, text } = this.#queue.take()
    for (const { callId } of rows) this.callIds.add(callId)
    for (const [, name] of text.matchAll(/"call_id":"(\w+)"/g)) this.textIds.add(name as string)
    this.rows += rows.length
    if (isLast) this.lasts++
    return true
  }

  begin(): void {
    this.#queue.clear()
    this.callIds.clear()
    this.lasts = 0
    this.#snapshots.join(this)
  }

  leave(): void {
    this.#snapshots.leave(this)
  }

  snapshotFailed(): void {
    assert.fail('no snapshot fails')
  }
}

/** Turns of the loop, without a moment of time: nobody may wait for a clock. */
async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 20_000 && !isDone(); i++) await turns(1)
  assert(isDone(), 'it never comes to pass')
}

const isWhole = (reader: Reader, trial: Trial) =>
  reader.lasts === 1 && reader.callIds.size === trial.callCount

describe('a picture of the current calls', () => {
  test('comes to one reader beside others that never read, in no more time and pages', async () => {
    const trial = new Trial(1600)
    for (let i = 0; i < 3; i++) {
      const stalled = [new Reader(trial, false), new Reader(trial, false)]
      await turns(20)
      const before = trial.pages.length
      const healthy = new Reader(trial, true)
      await until(() => isWhole(healthy, trial))
      const lagPages = Math.ceil(limits.snapshotLagBytesMax / pageBytes) + 1
      assert(
        trial.pages.length - before <= trial.pagesOfAll + lagPages,
        `${trial.pages.length - before} pages`,
      )
      assert.equal(trial.clock.timerCount, 0)
      for (const reader of stalled) assert.equal(reader.lasts, 0)
    }
  })

  test('comes whole to one that reads slowly, without a page that is read twice', async () => {
    const trial = new Trial(1600)
    const slow = new Reader(trial, false)
    const quick = new Reader(trial, true)
    await until(() => isWhole(quick, trial))
    assert(slow.queuedSnapshotBytes <= limits.snapshotLagBytesMax + 2 * pageBytes)
    while (!isWhole(slow, trial)) {
      slow.take()
      await turns(1)
      assert.equal(trial.failures.length, 0)
      assert(slow.queuedSnapshotBytes <= limits.snapshotLagBytesMax + 2 * pageBytes)
    }
    assert.equal(slow.rows, trial.callCount)
    assert(trial.pages.length < 2 * trial.pagesOfAll)
    assert.equal(trial.snapshots.heldBytes, 0)
  })

  test('is scanned few times for any number that read slowly, each at its own speed', async () => {
    const trial = new Trial(1600)
    const readers = Array.from({ length: 100 }, () => new Reader(trial, false))
    for (let round = 0; readers.some((reader) => !isWhole(reader, trial)); round++) {
      assert(round < 20_000)
      for (const [i, reader] of readers.entries()) if (round % (1 + (i % 10)) === 0) reader.take()
      await turns(1)
    }
    const scans = trial.pages.length / trial.pagesOfAll
    // Each scan gives a reader what it may lag behind at least.
    const most = 2 + trial.bytes / (limits.snapshotLagBytesMax - limits.snapshotPartBytesMax)
    assert(scans <= most, `${scans} scans, of ${most} at most`)
  })

  test('that waits for readers who never take it is bounded, and comes whole when they do', async () => {
    const trial = new Trial(800)
    const stalled: Reader[] = []
    // Each alone, so that none shares its parts with another one.
    const count = 3 + Math.ceil((2 * limits.snapshotHeldBytesMax) / limits.snapshotLagBytesMax)
    for (let i = 0; i < count; i++) {
      stalled.push(new Reader(trial, false))
      await turns(100)
      const most = limits.snapshotHeldBytesMax + limits.snapshotLagBytesMax + 2 * pageBytes
      assert(trial.snapshots.heldBytes <= most, `${trial.snapshots.heldBytes} bytes are held`)
    }
    assert(trial.snapshots.heldBytes > limits.snapshotHeldBytesMax / 2, 'the bound was met')
    for (const reader of stalled) {
      reader.isQuick = true
      reader.wake()
    }
    await until(() => stalled.every((reader) => isWhole(reader, trial)))
    assert.equal(trial.snapshots.heldBytes, 0)
  })

  test('that waits for a reader has no row any more of a call that was erased', async () => {
    // After the answer to a DELETE nothing of the call is served, and to a slow reader neither.
    const trial = new Trial(40)
    const readers = [new Reader(trial, false), new Reader(trial, false)]
    await until(() => readers.every(({ queuedSnapshotBytes }) => queuedSnapshotBytes > trial.bytes))
    // The last part of all.
    await turns(20)
    for (const name of ['c7', 'c40', 'unknown']) trial.snapshots.forget(callId(name))
    for (const reader of readers) {
      while (reader.take());
      assert.deepEqual([reader.lasts, reader.callIds.size], [1, 38])
      assert.equal(reader.callIds.has('c7') || reader.callIds.has('c40'), false)
      assert.deepEqual([...reader.textIds].sort(), [...reader.callIds].sort())
    }
    assert.equal(trial.snapshots.heldBytes, 0)
  })

  test('comes whole to all who read, whoever comes, leaves, stalls and begins anew meanwhile', async (t) => {
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const random = randomNumbers(77)
    let whole = 0
    for (let round = 0; round < 10; round++) {
      const trial = new Trial(1 + Math.floor(random() * 900))
      const readers = new Set<Reader>()
      for (let step = 0; step < 400; step++) {
        if (random() < 0.1) readers.add(new Reader(trial, random() < 0.3))
        for (const reader of readers) {
          const what = random()
          if (what < 0.3) reader.take()
          else if (what < 0.31) reader.begin()
          else if (what < 0.32) {
            reader.leave()
            readers.delete(reader)
          }
        }
        if (random() < 0.5) await turns(1)
      }
      for (const reader of readers) {
        reader.isQuick = true
        reader.wake()
      }
      await until(() => [...readers].every((reader) => isWhole(reader, trial)))
      whole += readers.size
      assert.equal(trial.snapshots.heldBytes, 0)
      assert.deepEqual(trial.failures, [])
    }
    assert(whole > 20, `${whole} pictures`)
  })
})
