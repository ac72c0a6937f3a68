/**
 * What every journal owes its callers: order, durability as it is told, versions, and what a failed commit leaves.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { JournalEntry } from '../../src/store/journal.js'
import { callId } from '../support/calls.js'
import {
  type AnyJournal,
  append,
  lifecycleEntry,
  packetEntry,
  remembered,
  settled,
  snapshot,
  storedCall,
  telling,
} from '../support/journals.js'
import { randomNumbers, seed } from '../support/property.js'

export interface JournalUnderTest {
  readonly journal: AnyJournal
  /** The commit of what `work` appends fails; resolves when `work` does and commits succeed again. */
  failing(work: () => Promise<unknown>): Promise<void>
}

export type OpenJournal = (t: TestContext) => Promise<JournalUnderTest>

const id = callId('c1')
const other = callId('c2')

export function journalContract(name: string, open: OpenJournal): void {
  describe(`${name} keeps what is appended`, () => {
    test('in the order of the appends, of every call all of it', async (t) => {
      // Guards against a replay that mixes packets and lifecycle entries up, or leaves out what is not folded yet.
      t.diagnostic(`VSTEST_SEED=${seed}`)
      const { journal } = await open(t)
      const random = randomNumbers(10)
      const ids = ['a', 'b', 'c'].map(callId)
      const streams = ids.map((each) => journal.create(each))
      const expected: JournalEntry[][] = ids.map(() => [])
      const commits: Promise<void>[] = []
      for (let step = 0; step < 300; step++) {
        const which = step < 3 ? step : Math.floor(random() * 3)
        const entries = [...Array(1 + Math.floor(random() * 3))].map((_, i) =>
          random() < 0.2 ? lifecycleEntry(step * 10 + i) : packetEntry(step * 10 + i),
        )
        const stream = streams[which]
        assert(stream)
        commits.push(append(journal, stream, entries, step < 3 ? snapshot() : null))
        if (step >= 3) expected[which]?.push(...entries)
        if (random() < 0.1) await commits.at(-1)
      }
      await Promise.all(commits)
      for (const [i, each] of ids.entries()) {
        const history = await journal.replay(each)
        assert.deepEqual(remembered(history?.entries ?? []), remembered(expected[i] ?? []), each)
        assert.deepEqual(history?.snapshot, snapshot())
        assert.equal(history.stream.callId, each)
      }
    })

    test('and says of no call that it holds, or is to hold, that it is new', async (t) => {
      // Guards against a call that begins a second time beside what is stored of it.
      const { journal } = await open(t)
      const stored = [...Array(200).keys()].map((i) => callId(`stored-${i}`))
      for (const each of stored) {
        const stream = journal.create(each)
        assert.equal(journal.isNew(each), false, 'created')
        const appended = append(journal, stream, [packetEntry(0)], snapshot())
        assert.equal(journal.isNew(each), false, 'appended')
        await appended
        assert.equal(journal.isNew(each), false, 'committed')
      }
    })

    test('from its last snapshot on, and goes on at the version that it has reached', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id, [0, 1, 2])
      await append(journal, stream, [packetEntry(3)])
      const later = snapshot({ state: 'COMPLETED', dueAt: 5, body: '{"later":true}' })
      await append(journal, stream, [lifecycleEntry(1)], later)
      await append(journal, stream, [packetEntry(9), packetEntry(8)])
      const history = await journal.replay(id)
      assert(history)
      assert.deepEqual(history.snapshot, later)
      assert.deepEqual(remembered(history.entries), remembered([packetEntry(9), packetEntry(8)]))
      await append(journal, history.stream, [packetEntry(10)])
      assert.equal((await journal.replay(id))?.entries.length, 3)
    })

    test('as it was in the turn of the append, although its buffer is used again', async (t) => {
      // Guards against keeping a view of a request body.
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      const body = Buffer.from('original')
      const committed = append(journal, stream, [packetEntry(1, body)])
      body.fill('x')
      await committed
      const { packets } = await journal.packets(id, 1, 1)
      assert.equal(Buffer.from(packets[0]?.data ?? []).toString(), 'original')
    })

    test('and takes a snapshot without entries as the new start of a replay', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id, [0, 1])
      await append(journal, stream, [packetEntry(2)])
      const taken = snapshot({ isSettled: true, body: '{"settled":1}' })
      await append(journal, stream, [], taken)
      const history = await journal.replay(id)
      assert.deepEqual([history?.snapshot, history?.entries], [taken, []])
      const unsettled = snapshot({ body: '{"settled":0}' })
      await append(journal, stream, [packetEntry(3)], unsettled)
      await append(journal, stream, [packetEntry(4)])
      const next = await journal.replay(id)
      assert.deepEqual(next?.snapshot, unsettled)
      assert.deepEqual(remembered(next.entries), remembered([packetEntry(4)]))
    })

    test('and holds no call that was never appended to', async (t) => {
      const { journal } = await open(t)
      const stream = journal.create(id)
      assert.equal(await journal.replay(id), null)
      assert.equal(await journal.call(id), null)
      await append(journal, stream, [packetEntry(0)], snapshot())
      assert.notEqual(await journal.replay(id), null)
      assert.equal(await journal.replay(callId('unknown')), null)
    })

    test('only when a call begins with a snapshot', async (t) => {
      // Guards against packets of a call that nothing names: acknowledged, and never found again.
      const { journal } = await open(t)
      const stream = journal.create(id)
      assert.throws(
        () => journal.append(stream, stream.version, [packetEntry(0)], null, telling([], '')),
        /snapshot/,
      )
      await append(journal, stream, [packetEntry(0)], snapshot())
      assert.equal((await journal.packets(id, 0, 10)).packets.length, 1)
    })
  })

  describe(`${name} tells settlements`, () => {
    test('in the order of the appends, over all calls, and in its place in its call what waits for an append', async (t) => {
      // Guards against a duplicate that is answered before its original (V4), and events out of order.
      const { journal } = await open(t)
      const streams = await Promise.all(['a', 'b', 'c', 'd'].map((each) => storedCall(journal, callId(each))))
      const story: string[] = []
      const expected: string[] = []
      let waiting = 0
      for (let i = 1; i <= 200; i++) {
        const stream = streams[i % streams.length]
        assert(stream)
        const name = i % 5 === 0 ? `settled ${i}` : `append ${i}`
        // Where nothing is pending it is told at once, which is another test.
        if (i % 5 === 0 && !journal.hasPending(stream)) continue
        if (i % 5 === 0) {
          waiting++
          journal.settled(stream, telling(story, name))
        } else journal.append(stream, stream.version, [packetEntry(i)], null, telling(story, name))
        expected.push(name)
      }
      assert.deepEqual(story, [], 'nothing is told in the turn of the append')
      await Promise.all(streams.map((stream) => settled(journal, stream)))
      const appends = (names: readonly string[]) => names.filter((name) => name.startsWith('append'))
      assert.deepEqual(appends(story), appends(expected))
      const ofStream = (names: readonly string[], index: number) =>
        names.filter((name) => Number(name.split(' ')[1]) % streams.length === index)
      for (const index of streams.keys()) assert.deepEqual(ofStream(story, index), ofStream(expected, index))
      assert(waiting > 30, `${waiting} waited`)
    })

    test('at once where nothing is pending, and otherwise with the commit', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      const story: string[] = []
      journal.settled(stream, telling(story, 'idle'))
      assert.deepEqual(story, ['idle'])
      assert.equal(journal.hasPending(stream), false)
      const committed = append(journal, stream, [packetEntry(1)])
      journal.settled(stream, telling(story, 'busy'))
      assert.deepEqual(story, ['idle'])
      assert.equal(journal.hasPending(stream), true)
      await committed
      await settled(journal, stream)
      assert.deepEqual(story, ['idle', 'busy'])
      assert.equal(journal.hasPending(stream), false)
    })

    test('after which every read finds the entry', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      for (let sequence = 1; sequence <= 10; sequence++) {
        await append(journal, stream, [packetEntry(sequence)])
        assert.equal((await journal.packets(id, sequence, 10)).packets.length, 1)
      }
    })
  })

  describe(`${name} knows who writes`, () => {
    test('and refuses an append to a version that is past, which leaves nothing behind', async (t) => {
      // Guards against two writers of one call: one of them would overwrite what the other has acknowledged.
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      const past = stream.version
      await append(journal, stream, [packetEntry(1)])
      for (const version of [past, past - 1, stream.version + 1])
        await assert.rejects(append(journal, stream, [packetEntry(7)], null, version), {
          code: 'version_conflict',
        })
      await append(journal, stream, [packetEntry(2)])
      const { packets } = await journal.packets(id, 0, 10)
      assert.deepEqual(
        packets.map(({ sequence }) => sequence),
        [0, 1, 2],
      )
    })

    test('by versions that grow with every append', async (t) => {
      const { journal } = await open(t)
      const stream = journal.create(id)
      const versions = [stream.version]
      const commits = [append(journal, stream, [packetEntry(0)], snapshot())]
      versions.push(stream.version)
      for (let i = 1; i < 5; i++) {
        commits.push(append(journal, stream, [packetEntry(i), lifecycleEntry(i)]))
        versions.push(stream.version)
      }
      await Promise.all(commits)
      assert.deepEqual(
        [...new Set(versions)].sort((a, b) => a - b),
        versions,
      )
    })

    test('and takes nothing on a handle that was given back', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id, [0])
      const committed = append(journal, stream, [packetEntry(1)])
      assert.throws(() => journal.release(stream), 'something is pending')
      await committed
      journal.release(stream)
      const history = await journal.replay(id)
      assert(history)
      await append(journal, history.stream, [packetEntry(2)])
      await assert.rejects(append(journal, stream, [packetEntry(3)]), { code: 'version_conflict' })
      assert.equal((await journal.packets(id, 0, 10)).packets.length, 3)
    })
  })

  describe(`${name}, when a commit fails,`, () => {
    test('tells everything that was pending, and no replay finds any of it (V6)', async (t) => {
      // Guards against an entry that is found later: its repetition would stand twice.
      const { journal, failing } = await open(t)
      const stream = await storedCall(journal, id, [0])
      const idle = await storedCall(journal, other, [0])
      const unborn = journal.create(callId('unborn'))
      const story: string[] = []
      await failing(async () => {
        const first = append(journal, stream, [packetEntry(1)])
        journal.settled(stream, telling(story, 'settled'))
        journal.append(
          stream,
          stream.version,
          [lifecycleEntry(1)],
          snapshot({ state: 'COMPLETED' }),
          telling(story, 'second'),
        )
        journal.append(unborn, unborn.version, [packetEntry(0)], snapshot(), telling(story, 'unborn'))
        await assert.rejects(first, { code: 'commit_failed' })
      })
      assert.deepEqual(story, ['settled commit_failed', 'second commit_failed', 'unborn commit_failed'])
      await assert.rejects(append(journal, stream, [packetEntry(2)]), { code: 'version_conflict' })
      await assert.rejects(settled(journal, stream), { code: 'commit_failed' })
      assert.equal(await journal.replay(callId('unborn')), null)

      const history = await journal.replay(id)
      assert(history)
      assert.deepEqual([history.snapshot.state, history.entries], ['IN_PROGRESS', []])
      await append(journal, history.stream, [packetEntry(1, 'again')])
      await append(journal, idle, [packetEntry(1)])
      const { packets } = await journal.packets(id, 0, 10)
      assert.deepEqual(
        packets.map(({ sequence, data }) => [sequence, Buffer.from(data).toString()]),
        [
          [0, 'packet 0'],
          [1, 'again'],
        ],
      )

      const born = journal.create(callId('unborn'))
      await append(journal, born, [packetEntry(5)], snapshot())
      const found = await journal.packets(callId('unborn'), 0, 10)
      assert.deepEqual(
        found.packets.map(({ sequence }) => sequence),
        [5],
      )
    })

    test('fails what was appended while that commit was under way, which builds on it', async (t) => {
      // Guards against a later entry that is stored without the one before it: a gap in a call's own history.
      const { journal, failing } = await open(t)
      const stream = await storedCall(journal, id, [0])
      const codes: (string | undefined)[] = []
      const note = (error: { code?: string }) => codes.push(error.code)
      let second: Promise<unknown> | null = null
      await failing(async () => {
        const first = append(journal, stream, [packetEntry(1)]).catch(note)
        // The first one is on its way; the second one waits for the next commit, which could succeed.
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
        second = append(journal, stream, [packetEntry(2)], snapshot({ state: 'COMPLETED' })).catch(note)
        await first
      })
      await second
      assert.equal(codes[0], 'commit_failed')
      assert(codes[1] === 'commit_failed' || codes[1] === 'version_conflict', codes[1])
      const history = await journal.replay(id)
      assert.deepEqual([history?.snapshot.state, history?.entries], ['IN_PROGRESS', []])
    })
  })
}
