/** The deadlines on a fake clock: every deadline is delivered once, when it is due, wherever it was journaled (V8). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Deadlines } from '../../src/actors/deadlines.js'
import { limits } from '../../src/limits.js'
import type { CallId } from '../../src/protocol/call-id.js'
import type { DueCall, DueCursor } from '../../src/store/journal.js'
import { callId } from '../support/calls.js'
import { FakeClock, turns } from '../support/fake-clock.js'
import { isOfLowerHalf, SomeOwners } from '../support/some-owners.js'

interface Delivery {
  readonly callId: CallId
  readonly at: number
  readonly done: (isMet: boolean) => void
}

/** Deadlines over a journal that is a plain list; deliveries are met at once unless the test holds them. */
class Watch {
  readonly clock = new FakeClock()
  readonly begin = this.clock.now()
  readonly stored = new Map<CallId, { key: number; dueAt: number }>()
  readonly deliveries: Delivery[] = []
  readonly failures: unknown[] = []
  readonly reads: { after: DueCursor; through: number; at: number }[] = []
  underWay = 0
  mostUnderWay = 0
  holdsRings = false
  failsRings = false
  readError: Error | null = null
  /** While it is set, an answer to a read that has been made waits for it. */
  readGate: Promise<void> | null = null
  readonly owners = new SomeOwners()
  readonly deadlines = new Deadlines({
    clock: this.clock,
    owners: this.owners,
    reader: { due: (after, through, limit) => this.#due(after, through, limit) },
    deliver: (callId, done) => this.#deliver(callId, done),
    readFailed: (error) => this.failures.push(error),
  })

  async #due(after: DueCursor, through: number, limit: number): Promise<readonly DueCall[]> {
    this.reads.push({ after, through, at: this.clock.now() })
    if (this.readError !== null) throw this.readError
    const page = [...this.stored]
      .map(([callId, { key, dueAt }]) => ({ callId, key, dueAt }))
      .filter(({ dueAt }) => dueAt <= through)
      .filter(({ key, dueAt }) => dueAt > after.dueAt || (dueAt === after.dueAt && key > after.key))
      .sort((a, b) => a.dueAt - b.dueAt || a.key - b.key)
      .slice(0, limit)
    await this.readGate
    return page
  }

  #deliver(callId: CallId, done: (isMet: boolean) => void): void {
    this.underWay++
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay)
    const finish = (isMet: boolean) => {
      this.underWay--
      if (isMet) this.stored.delete(callId)
      done(isMet)
    }
    this.deliveries.push({ callId, at: this.clock.now() - this.begin, done: finish })
    if (!this.holdsRings) finish(!this.failsRings)
  }

  /** As a call does it: journaled first, then armed. */
  journal(name: string, inMs: number): CallId {
    const id = callId(name)
    this.stored.set(id, { key: this.stored.size + 1, dueAt: this.begin + inMs })
    return id
  }

  arm(name: string, inMs: number): CallId {
    const id = this.journal(name, inMs)
    this.deadlines.arm(id, this.begin + inMs)
    return id
  }

  get rung(): [string, number][] {
    return this.deliveries.map(({ callId, at }) => [callId, at])
  }
}

describe('the deadlines', () => {
  test('delivers each deadline at its time, not a tick early or late, wherever it stands', async () => {
    // Guards against timers of activated calls only: a call that is not in memory would never end.
    const watch = new Watch()
    const times = [0, 1, 999, 1000, 15_000, 29_999, 30_000, 30_001, 45_000, 60_000, 61_234, 900_000]
    for (const inMs of times) watch.journal(`stored-${inMs}`, inMs)
    watch.deadlines.start()
    await watch.clock.advance(1)
    for (const inMs of times) if (inMs > 1) watch.arm(`armed-${inMs}`, inMs)
    await watch.clock.advance(1_000_000)
    const late = watch.deliveries.filter(({ callId, at }) => at !== Number(callId.split('-')[1]))
    assert.deepEqual(late, [])
    assert.equal(watch.deliveries.length, times.length * 2 - 2)
    watch.deadlines.stop()
    assert.equal(watch.clock.timerCount, 0)
  })

  test('delivers at its start what passed while nobody watched, oldest first', async () => {
    const watch = new Watch()
    for (const ago of [5, 86_400_000, 3000]) watch.journal(`past-${ago}`, -ago)
    watch.deadlines.start()
    await turns()
    assert.deepEqual(
      watch.rung.map(([name, at]) => [name, at]),
      [
        ['past-86400000', 0],
        ['past-3000', 0],
        ['past-5', 0],
      ],
    )
  })

  test('delivers once for a deadline that is armed twice, read and armed, or armed during the read', async () => {
    // Guards against a second completion of the same grace period.
    const watch = new Watch()
    const id = watch.journal('c1', 5000)
    let open!: () => void
    watch.readGate = new Promise((resolve) => {
      open = resolve
    })
    watch.deadlines.start()
    await turns()
    for (let i = 0; i < 3; i++) watch.deadlines.arm(id, watch.begin + 5000)
    open()
    watch.readGate = null
    await turns()
    watch.deadlines.arm(id, watch.begin + 5000)
    await watch.clock.advance(120_000)
    assert.deepEqual(watch.rung, [['c1', 5000]])
  })

  test('delivers for a deadline that is journaled and armed while a read is under way that does not see it', async () => {
    // Guards against taking what lies within the horizon as read before it is: nobody would look for it again.
    const watch = new Watch()
    let open!: () => void
    watch.readGate = new Promise((resolve) => {
      open = resolve
    })
    watch.deadlines.start()
    await turns()
    watch.arm('c1', 5000)
    open()
    watch.readGate = null
    await watch.clock.advance(120_000)
    assert.deepEqual(watch.rung, [['c1', 5000]])
  })

  test('follows the last deadline that was armed for a call, later or earlier', async () => {
    const watch = new Watch()
    watch.deadlines.start()
    await turns()
    const later = watch.arm('later', 1000)
    const sooner = watch.arm('sooner', 9000)
    watch.stored.set(later, { key: 1, dueAt: watch.begin + 4000 })
    watch.deadlines.arm(later, watch.begin + 4000)
    watch.stored.set(sooner, { key: 2, dueAt: watch.begin + 2000 })
    watch.deadlines.arm(sooner, watch.begin + 2000)
    await watch.clock.advance(60_000)
    assert.deepEqual(watch.rung, [
      ['sooner', 2000],
      ['later', 4000],
    ])
  })

  test('repeats a delivery that failed after a second, until it is met', async () => {
    const watch = new Watch()
    watch.holdsRings = true
    watch.deadlines.start()
    await turns()
    watch.arm('c1', 1000)
    await watch.clock.advance(1000)
    for (const expected of [1000, 2000, 3000]) {
      assert.equal(watch.deliveries.at(-1)?.at, expected)
      watch.deliveries.at(-1)?.done(false)
      await watch.clock.advance(999)
      assert.equal(watch.underWay, 0)
      await watch.clock.advance(1)
    }
    watch.deliveries.at(-1)?.done(true)
    await watch.clock.advance(60_000)
    assert.deepEqual(
      watch.rung.map(([, at]) => at),
      [1000, 2000, 3000, 4000],
    )
  })

  test('delivers all calls that are due in the same millisecond, more than a page of them', async () => {
    // Guards against paging by time alone, which loses or repeats what shares the page's last millisecond.
    const watch = new Watch()
    const count = limits.deadlinePageCalls * 2 + 17
    for (let i = 0; i < count; i++) watch.journal(`c${i}`, 2000)
    watch.deadlines.start()
    await watch.clock.advance(1999)
    assert.equal(watch.deliveries.length, 0)
    await watch.clock.advance(1)
    assert.equal(watch.deliveries.length, count)
    assert.equal(new Set(watch.deliveries.map(({ callId }) => callId)).size, count)
  })

  test('has at most so many deliveries under way, and goes on with each one that is done', async () => {
    // Guards against waking a million calls at once after a long stop.
    const watch = new Watch()
    watch.holdsRings = true
    const count = limits.deadlineDeliveriesMax + 50
    for (let i = 0; i < count; i++) watch.journal(`c${i}`, -1)
    watch.deadlines.start()
    await turns()
    assert.equal(watch.deliveries.length, limits.deadlineDeliveriesMax)
    for (let i = 0; i < count; i++) {
      watch.deliveries[i]?.done(true)
      await watch.clock.advance(0)
    }
    assert.equal(watch.deliveries.length, count)
    assert.equal(watch.mostUnderWay, limits.deadlineDeliveriesMax)
    assert.equal(watch.underWay, 0)
  })

  test('reads again a second after a read that failed, and loses nothing meanwhile', async () => {
    const watch = new Watch()
    watch.journal('stored', 1500)
    watch.readError = new Error('the disk is away')
    watch.deadlines.start()
    await turns()
    assert.equal(watch.failures.length, 1)
    watch.arm('armed', 1200)
    await watch.clock.advance(999)
    assert.equal(watch.reads.length, 1)
    watch.readError = null
    await watch.clock.advance(1)
    assert.equal(watch.reads.length, 2)
    await watch.clock.advance(60_000)
    assert.deepEqual(watch.rung, [
      ['armed', 1200],
      ['stored', 1500],
    ])
  })

  test('goes on reading while nothing is due, so that a far deadline is found when it comes near', async () => {
    const watch = new Watch()
    watch.deadlines.start()
    await watch.clock.advance(10 * 60_000)
    assert(watch.reads.length >= 20, `${watch.reads.length} reads`)
    assert(watch.reads.length <= 60, `${watch.reads.length} reads: an idle service stays idle`)
    watch.arm('c1', 15 * 60_000)
    assert.equal(watch.deadlines.armedCount, 0, 'a far deadline costs no memory')
    await watch.clock.advance(5 * 60_000)
    assert.deepEqual(watch.rung, [['c1', 15 * 60_000]])
  })

  test('keeps to its time when more than a page is armed while a full page is being read', async () => {
    // Guards against reading on only when the heap has shrunk: what is armed far ahead must not hold back what is near.
    const watch = new Watch()
    for (let i = 0; i < limits.deadlinePageCalls; i++) watch.journal(`page-${i}`, 1000)
    watch.journal('behind', 2000)
    let open!: () => void
    watch.readGate = new Promise((resolve) => {
      open = resolve
    })
    watch.deadlines.start()
    await turns()
    for (let i = 0; i < limits.deadlinePageCalls; i++) watch.arm(`far-${i}`, 20_000)
    open()
    watch.readGate = null
    await watch.clock.advance(60_000)
    assert.deepEqual(
      watch.rung.find(([name]) => name === 'behind'),
      ['behind', 2000],
    )
    assert.equal(watch.deliveries.length, 2 * limits.deadlinePageCalls + 1)
  })

  test('holds a bounded part of the deadlines, however many passed while nobody watched (V7)', async () => {
    // Guards against a start after a long stop that reads a million overdue calls into memory at once.
    const watch = new Watch()
    watch.holdsRings = true
    const count = 8 * limits.deadlinePageCalls
    for (let i = 0; i < count; i++) watch.journal(`c${i}`, -count + i)
    watch.deadlines.start()
    await turns(50)
    assert(
      watch.deadlines.armedCount <= 4 * limits.deadlinePageCalls,
      `${watch.deadlines.armedCount} in memory`,
    )
    watch.holdsRings = false
    for (const { done } of [...watch.deliveries]) done(true)
    await watch.clock.advance(60_000)
    assert.equal(watch.deliveries.length, count, 'the rest follows')
  })

  test('holds a bounded part of them while no delivery is met, and meets all of them afterwards (V7)', async () => {
    // Guards against a full disk at the start: every delivery fails and comes again, and the heap grows with each page.
    const watch = new Watch()
    watch.failsRings = true
    const count = 8 * limits.deadlinePageCalls
    for (let i = 0; i < count; i++) watch.journal(`c${i}`, -count + i)
    watch.deadlines.start()
    await watch.clock.advance(3000)
    assert(watch.deliveries.length > limits.deadlinePageCalls)
    assert(
      watch.deadlines.armedCount <= 4 * limits.deadlinePageCalls,
      `${watch.deadlines.armedCount} in memory`,
    )
    watch.failsRings = false
    await watch.clock.advance(60_000)
    assert.equal(watch.stored.size, 0)
  })

  test('is silent once it is stopped', async () => {
    const watch = new Watch()
    watch.holdsRings = true
    watch.deadlines.start()
    await turns()
    watch.arm('c1', 1000)
    watch.arm('c2', 2000)
    await watch.clock.advance(1000)
    watch.deadlines.stop()
    watch.deliveries[0]?.done(false)
    await watch.clock.advance(60_000)
    assert.deepEqual(watch.rung, [['c1', 1000]])
    assert.equal(watch.clock.timerCount, 0)
  })
})

describe('the deadlines of a node that owns half of the calls', () => {
  const names = (count: number, prefix = 'c') => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
  const rungNames = (watch: Watch) => watch.rung.map(([name]) => name).sort()

  test('are delivered, and those of other nodes are not, over pages that hold both', async () => {
    const watch = new Watch()
    watch.owners.isHalf = true
    const all = names(3 * limits.deadlinePageCalls)
    for (const [i, name] of all.entries()) watch.journal(name, i % 3 === 0 ? -1 : 1000 + i)
    watch.deadlines.start()
    await turns(50)
    assert.equal(
      watch.deadlines.armedCount,
      all.filter((name, i) => i % 3 !== 0 && isOfLowerHalf(name)).length,
    )
    await watch.clock.advance(120_000)
    const own = all.filter(isOfLowerHalf)
    assert(own.length > limits.deadlinePageCalls && own.length < 2 * limits.deadlinePageCalls)
    assert.deepEqual(rungNames(watch), own.sort())
  })

  test('are delivered for calls that it has gained, the others once', async () => {
    // Guards against reading on from where it was: what others were to deliver before they were gone would never end.
    const watch = new Watch()
    watch.owners.isHalf = true
    const [past, future] = [names(20, 'past-'), names(20, 'future-')]
    for (const name of past) watch.journal(name, -5)
    for (const name of future) watch.journal(name, 5000)
    watch.deadlines.start()
    await watch.clock.advance(1000)
    assert.deepEqual(rungNames(watch), past.filter(isOfLowerHalf).sort())
    watch.owners.isHalf = false
    watch.deadlines.gained()
    await turns()
    assert.deepEqual(rungNames(watch), [...past].sort(), 'overdue ones at once')
    await watch.clock.advance(120_000)
    assert.deepEqual(rungNames(watch), [...past, ...future].sort())
  })

  test('are delivered for calls that it gains while it reads, also a full page', async () => {
    for (const count of [20, limits.deadlinePageCalls + 20]) {
      const watch = new Watch()
      watch.owners.isHalf = true
      const all = names(count)
      for (const name of all) watch.journal(name, -5)
      watch.deadlines.start()
      await turns()
      assert.deepEqual(rungNames(watch), all.filter(isOfLowerHalf).sort())
      let open!: () => void
      watch.readGate = new Promise((resolve) => {
        open = resolve
      })
      for (const name of names(count, 'more-')) watch.journal(name, 40_000)
      await watch.clock.advance(limits.deadlineHorizonMs / 2)
      watch.owners.isHalf = false
      watch.deadlines.gained()
      open()
      watch.readGate = null
      await watch.clock.advance(120_000)
      assert.deepEqual(rungNames(watch), [...all, ...names(count, 'more-')].sort())
    }
  })

  test('are not delivered any more for calls that it has lost', async () => {
    const watch = new Watch()
    const all = names(20)
    watch.deadlines.start()
    await turns()
    for (const name of all) watch.arm(name, 5000)
    watch.owners.isHalf = true
    await watch.clock.advance(120_000)
    assert.deepEqual(rungNames(watch), all.filter(isOfLowerHalf).sort())
    assert.equal(watch.deadlines.armedCount, 0)
  })
})
