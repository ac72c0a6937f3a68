/** What every journal owes those who erase: the whole call or nothing of it, in its place among the appends. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Journal, StoredPacket } from '../../src/store/journal.js'
import { callId } from '../support/calls.js'
import {
  type AnyJournal,
  append,
  erase,
  lifecycleEntry,
  packetEntry,
  settled,
  snapshot,
  storedCall,
  telling,
} from '../support/journals.js'
import { randomNumbers, seed } from '../support/property.js'
import type { OpenJournal } from './journal-contract.js'

const id = callId('c1')
const other = callId('c2')

const sequencesOf = async (journal: AnyJournal, name: string) =>
  (await journal.packets(callId(name), 0, 1000)).packets.map(({ sequence }: StoredPacket) => sequence)

async function assertUnknown(journal: AnyJournal): Promise<void> {
  assert.equal(await journal.call(id), null)
  assert.equal(await journal.replay(id), null)
  assert.deepEqual((await journal.packets(id, 0, 10)).packets, [])
}

export function erasureContract(name: string, open: OpenJournal): void {
  describe(`${name} erases a call`, () => {
    test('so that no read finds it, and all others stay', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id, [0, 1], snapshot({ state: 'COMPLETED', dueAt: 5 }))
      await append(journal, stream, [packetEntry(2), lifecycleEntry(1)])
      await storedCall(journal, other, [0, 7], snapshot({ dueAt: 6 }))
      await erase(journal, stream)
      await assertUnknown(journal)
      const { calls } = await journal.calls({ state: null, cursor: null, limit: 10 })
      assert.deepEqual(
        calls.map(({ callId }) => callId),
        [other],
      )
      assert.deepEqual(
        (await journal.due({ dueAt: 0, key: 0 }, 10, 10)).map(({ callId }) => callId),
        [other],
      )
      const counts = await journal.stateCounts()
      assert.deepEqual([counts.COMPLETED, counts.IN_PROGRESS], [0, 1])
      assert.deepEqual(await sequencesOf(journal, 'c2'), [0, 7])
    })

    test('in its place: what was appended before is told first, and is erased with it', async (t) => {
      // Guards against an acknowledged packet that comes back after the erasure that followed it.
      const { journal } = await open(t)
      const stream = journal.create(id)
      const story: string[] = []
      journal.append(stream, 0, [packetEntry(0)], snapshot(), telling(story, 'append'))
      journal.settled(stream, telling(story, 'settled'))
      journal.erase(stream, stream.version, telling(story, 'erase'))
      assert.deepEqual(story, [])
      await settled(journal, stream)
      assert.deepEqual(story, ['append', 'settled', 'erase'])
      await assertUnknown(journal)
    })

    test('whose handle takes nothing more', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      const { version } = stream
      const erased = erase(journal, stream)
      for (const at of [version, stream.version])
        await assert.rejects(append(journal, stream, [packetEntry(5)], snapshot(), at), {
          code: 'version_conflict',
        })
      await assert.rejects(erase(journal, stream), { code: 'version_conflict' })
      await erased
      await assertUnknown(journal)
    })

    test('but not on a version that is past', async (t) => {
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      const past = stream.version
      await append(journal, stream, [packetEntry(1)])
      await assert.rejects(erase(journal, stream, past), { code: 'version_conflict' })
      assert.deepEqual(await sequencesOf(journal, 'c1'), [0, 1])
    })

    test('and another one of the same name begins anew, at once', async (t) => {
      // Guards against an erasure that takes the packets of the next call with it, or leaves it those of the first.
      const { journal } = await open(t)
      const first = await storedCall(journal, id, [0, 1, 2])
      const erased = erase(journal, first)
      const second = journal.create(id)
      const begun = append(journal, second, [packetEntry(9)], snapshot({ body: '{"second":true}' }))
      await Promise.all([erased, begun])
      await append(journal, second, [packetEntry(11)])
      assert.deepEqual(await sequencesOf(journal, 'c1'), [9, 11])
      const history = await journal.replay(id)
      assert.equal(history?.snapshot.body, '{"second":true}')
      assert.equal(history.entries.length, 1)
      await erase(journal, history.stream)
      await assertUnknown(journal)
    })

    test('which nobody replays until it is known whether it is gone', async (t) => {
      // Guards against an actor that is rebuilt from a call whose erasure is on its way, and outlives it.
      const { journal } = await open(t)
      const stream = await storedCall(journal, id)
      const story: string[] = []
      const erased = erase(journal, stream).then(() => story.push('erased'))
      const replayed = journal.replay(id).then((history) => story.push(`replay ${history === null}`))
      await Promise.all([erased, replayed])
      assert.deepEqual(story, ['erased', 'replay true'])
    })

    test('or leaves all of it when the commit fails', async (t) => {
      const { journal, failing } = await open(t)
      const stream = await storedCall(journal, id, [0, 1])
      await failing(async () => {
        const erased = erase(journal, stream)
        const next = append(journal, journal.create(id), [packetEntry(5)], snapshot())
        await assert.rejects(erased, { code: 'commit_failed' })
        await assert.rejects(next, { code: 'commit_failed' })
      })
      assert.deepEqual(await sequencesOf(journal, 'c1'), [0, 1])
      const history = await journal.replay(id)
      assert(history)
      await erase(journal, history.stream)
      await assertUnknown(journal)
    })

    test('and knows which calls ended first', async (t) => {
      const { journal } = await open(t)
      for (const [call, endedAt] of [
        ['late', 300],
        ['early', 100],
        ['live', null],
        ['middle', 200],
      ] as const)
        await storedCall(journal, callId(call), [0], snapshot({ endedAt }))
      const first = { endedAt: 0, key: 0 }
      const names = async (through: number, limit: number, after = first) =>
        (await journal.ended(after, through, limit)).map(({ callId, endedAt }) => `${callId} ${endedAt}`)
      assert.deepEqual(await names(Number.MAX_SAFE_INTEGER, 10), ['early 100', 'middle 200', 'late 300'])
      assert.deepEqual(await names(200, 10), ['early 100', 'middle 200'])
      assert.deepEqual(await names(200, 1), ['early 100'])
      assert.deepEqual(await names(99, 10), [])
      await storedCall(journal, callId('twin'), [0], snapshot({ endedAt: 100 }))
      const [early] = await journal.ended(first, 1000, 1)
      assert(early)
      assert.deepEqual(await names(1000, 2, early), ['twin 100', 'middle 200'])
    })

    test('whatever is appended and erased around it', async (t) => {
      t.diagnostic(`VSTEST_SEED=${seed}`)
      const { journal } = await open(t)
      const account = await eraseAmongAppends(journal, randomNumbers(23))
      for (const [call, sequences] of account)
        assert.deepEqual(await sequencesOf(journal, call), sequences, call)
      const { calls } = await journal.calls({ state: null, cursor: null, limit: 100 })
      const expected = [...account].filter(([, sequences]) => sequences.length > 0).map(([call]) => call)
      assert.deepEqual(calls.map((call) => String(call.callId)).sort(), expected.sort())
    })
  })
}

/** Returns which packets of which call must be left. Nothing is waited for but now and then. */
async function eraseAmongAppends(
  journal: Journal,
  random: () => number,
): Promise<ReadonlyMap<string, number[]>> {
  const account = new Map<string, number[]>()
  const streams = new Map<string, ReturnType<Journal['create']>>()
  const told: Promise<void>[] = []
  let erasures = 0
  for (let step = 0; step < 3000; step++) {
    const name = `c${Math.floor(random() * 8)}`
    const stream = streams.get(name) ?? journal.create(callId(name))
    const isNew = !streams.has(name)
    streams.set(name, stream)
    if (!isNew && random() < 0.02) {
      told.push(erase(journal, stream))
      streams.delete(name)
      account.set(name, [])
      erasures++
    } else {
      told.push(append(journal, stream, [packetEntry(step)], isNew ? snapshot() : null))
      account.set(name, [...(account.get(name) ?? []), step])
    }
    if (random() < 0.05) await told.at(-1)
  }
  await Promise.all(told)
  assert(erasures > 20, `${erasures} erasures`)
  for (const sequences of account.values()) sequences.sort((a, b) => a - b)
  return account
}
