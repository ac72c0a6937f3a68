/** Blocks of packets, as media streams bring them: what is new of them, in which track, and what is told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { checkAccount } from '../../src/actors/stored-account.js'
import type { ReplayEntry } from '../../src/store/journal.js'
import { Calls, callId, graceMs } from '../support/calls.js'
import { holds } from '../support/property.js'

const id = callId('c1')

describe('a block of packets', () => {
  test('of any order and overlap stores each packet of each track once, and accounts for every one', async (t) => {
    // Guards against a block that is stored whole where a part of it has come before, and against numbers that are
    // counted in another track. The oracle is a set of numbers a track.
    const blocks = fc.array(
      fc.record({
        track: fc.constantFrom(0, 1, 7),
        sequence: fc.nat(60),
        count: fc.integer({ min: 1, max: 25 }),
        isSingle: fc.boolean(),
      }),
      { minLength: 1, maxLength: 25 },
    )
    let overlaps = 0
    await holds(t, blocks, 100, async (all) => {
      const calls = new Calls()
      const sets = new Map<number, Set<number>>()
      let duplicates = 0
      for (const { track, sequence, count, isSingle } of all) {
        const known = sets.get(track) ?? new Set<number>()
        sets.set(track, known)
        const size = isSingle ? 1 : count
        let fresh = 0
        for (let number = sequence; number < sequence + size; number++) {
          if (!known.has(number)) fresh++
          known.add(number)
        }
        if (fresh > 0 && fresh < size) overlaps++
        duplicates += size - fresh
        const facts = await calls.block(id, track, sequence, size).promise
        assert.deepEqual([facts.accepted, facts.duplicates], [fresh, size - fresh])
        assert.equal(facts.totalReceived, known.size)
        assert.equal(facts.missingCount, Math.max(...known) + 1 - known.size)
      }
      for (const [track, known] of sets) {
        const { packets } = await calls.journal.packets(id, 0, 1000, track)
        assert.deepEqual(
          packets.map(({ sequence, data }) => [sequence, ...data]),
          [...known].sort((a, b) => a - b).map((number) => [number, number, number, number, number]),
        )
      }
      const view = await calls.view(id)
      assert.equal(
        view?.total_received,
        [...sets.values()].reduce((sum, { size }) => sum + size, 0),
      )
      assert.equal(view?.duplicate_count, duplicates)
      // Replaying gives what living gave (V5).
      const lived = await calls.look(id, ({ context }) => context.logs.snapshot())
      await calls.fallSilent()
      assert.equal(calls.registry.activeCount, 0)
      await calls.activate(id)
      assert.deepEqual(await calls.look(id, ({ context }) => context.logs.snapshot()), lived)
    })
    assert(overlaps > 0, 'blocks overlapped in part')
  })

  test('begins its call, keeps the numbers of its track apart, and the total of each is its own', async () => {
    // Guards against a slower track that always looks missing, because both count in one row of numbers.
    const calls = new Calls()
    await calls.block(id, 0, 0, 10).promise
    await calls.block(id, 1, 0, 4).promise
    await calls.packet(id, 11).promise
    assert.deepEqual(calls.stateChanges, [{ from: null, to: 'IN_PROGRESS' }])
    const view = await calls.view(id)
    assert.deepEqual([view?.total_received, view?.missing_count, view?.highest_sequence], [15, 1, 11])
    assert.deepEqual(
      view?.tracks?.map((track) => [
        track.track,
        track.total_received,
        track.missing_count,
        track.highest_sequence,
      ]),
      [
        [0, 11, 1, 11],
        [1, 4, 0, 3],
      ],
    )
    assert.deepEqual(view?.missing_ranges, [[10, 10]])
  })

  test('is refused behind the grace period, but for what is stored of it', async () => {
    const calls = new Calls()
    await calls.block(id, 0, 0, 5).promise
    await calls.complete(id, 8).promise
    await calls.clock.advance(graceMs)
    await calls.deadline(id).promise
    const facts = await calls.block(id, 0, 3, 4).promise
    assert.deepEqual([facts.accepted, facts.duplicates, facts.count], [0, 2, 4])
    assert.equal((await calls.view(id))?.total_received, 5)
  })

  test('of a failed commit is stored by its repetition, and nothing of it before (V6)', async () => {
    const calls = new Calls()
    await calls.block(id, 1, 0, 3).promise
    calls.journal.failures = 1
    await assert.rejects(calls.block(id, 1, 2, 5).promise)
    assert.equal((await calls.view(id))?.total_received, 3)
    const again = await calls.block(id, 1, 2, 5).promise
    assert.deepEqual([again.accepted, again.duplicates], [4, 1])
  })

  test('is in the account of the stored call, which sees a packet that stands twice', async () => {
    const calls = new Calls()
    await calls.block(id, 0, 0, 5).promise
    await calls.block(id, 3, 2, 5).promise
    const snapshot = calls.journal.appends[0]?.snapshot
    assert(snapshot !== null && snapshot !== undefined)
    const entries = calls.journal.appends
      .flatMap((append) => append.entries)
      .map((entry, index) => ({ version: index + 1, entry: entry as ReplayEntry }))
    const history = { callId: id, snapshot, snapshotVersion: 1, entries, rowFaults: () => [] }
    assert.deepEqual(checkAccount(history).faults, [])
    const last = history.entries.at(-1)
    assert(last !== undefined)
    const twice = { ...history, entries: [...history.entries, { ...last, version: last.version + 1 }] }
    assert.match(checkAccount(twice).faults.join(), /packet 2 of track 3 is stored twice/)
  })
})
