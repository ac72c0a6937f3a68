/** V2, V3, V4 and V6: what is told before, with and after a commit, and what is left of a call when one fails. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { VoiceStreamError } from '../../src/errors.js'
import { settlementOf } from '../../src/store/journal.js'
import { Calls, callId } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'
import { HeldJournal } from '../support/held-journal.js'

const id = callId('c1')

/** The call exists; from now on nothing is committed by itself. */
async function heldCall(): Promise<Calls> {
  const calls = new Calls()
  await calls.packet(id, 0).promise
  calls.journal.hold()
  calls.story.length = 0
  return calls
}

describe('before the commit', () => {
  test('no packet is answered and no event goes out (V3)', async () => {
    // Guards against a 202 for a packet that a power cut still takes away.
    const calls = await heldCall()
    const told = calls.packet(id, 1)
    await turns()
    assert.equal(told.state, 'waiting')
    assert.deepEqual(calls.story, [])
    calls.journal.commit()
    assert.equal(told.state, 'answered')
    assert.deepEqual(calls.story, ['reply 1 accepted', 'event packet_received 1'])
  })

  test('the first packet of a call is not answered, armed or counted (V3)', async () => {
    const calls = new Calls()
    calls.journal.hold()
    const told = calls.packet(id, 0)
    await turns()
    assert.equal(told.state, 'waiting')
    assert.deepEqual([calls.story, calls.armed, calls.stateChanges], [[], [], []])
    assert.equal(await calls.journal.call(id), null)
    calls.journal.commit()
    assert.equal(told.state, 'answered')
    assert.equal(calls.armed.length, 1)
    assert.deepEqual(calls.stateChanges, [{ from: null, to: 'IN_PROGRESS' }])
  })

  test('a duplicate waits for its original and is told after it (V4)', async () => {
    // Guards against "duplicate" for a packet that then turns out not to be stored: the sender would drop it.
    const calls = await heldCall()
    const original = calls.packet(id, 1)
    const duplicates = [calls.packet(id, 1), calls.packet(id, 1)]
    await turns()
    assert.deepEqual(
      [original, ...duplicates].map(({ state }) => state),
      ['waiting', 'waiting', 'waiting'],
    )
    calls.journal.commit()
    assert.deepEqual(calls.story, [
      'reply 1 accepted',
      'event packet_received 1',
      'reply 1 duplicate',
      'event packet_duplicate 1',
      'reply 1 duplicate',
      'event packet_duplicate 1',
    ])
  })

  test('a duplicate of a packet that is long durable still waits for what stands before it', async () => {
    const calls = await heldCall()
    calls.packet(id, 1)
    const duplicate = calls.packet(id, 0)
    assert.equal(duplicate.state, 'waiting')
    calls.journal.commit()
    assert.equal(duplicate.answer?.totalReceived, 2, 'the account that it gives is durable')
  })

  test('neither a completion nor its repetition nor its conflict is answered (V3)', async () => {
    const calls = await heldCall()
    const told = [calls.complete(id, 2), calls.complete(id, 2), calls.complete(id, 5)]
    await turns()
    assert.deepEqual(
      told.map(({ state }) => state),
      ['waiting', 'waiting', 'waiting'],
    )
    assert.deepEqual(calls.story, [])
    assert.deepEqual(calls.stateChanges.length, 1, 'but for its creation')
    calls.journal.commit()
    assert.deepEqual(
      told.map(({ answer }) => answer),
      ['accepted', 'accepted', 'conflict'],
    )
  })

  test('a rejection waits until the state that it names is durable', async () => {
    const calls = await heldCall()
    calls.complete(id, 2)
    calls.record(id, { type: 'grace-over', at: 1 })
    const rejected = calls.packet(id, 1)
    await turns()
    assert.equal(rejected.state, 'waiting')
    calls.journal.commit()
    assert.equal(rejected.answer?.status, 'rejected')
    assert.deepEqual(calls.story.slice(-2), ['reply 1 rejected', 'event packet_rejected 1'])
  })

  test('a look waits for what it has seen', async () => {
    const calls = await heldCall()
    calls.packet(id, 1)
    let seen: number | null = null
    const look = calls.view(id).then((view) => {
      seen = view?.total_received ?? null
    })
    await turns()
    assert.equal(seen, null)
    calls.journal.commit()
    await look
    assert.equal(seen, 2)
  })
})

describe('a commit', () => {
  test('is told in the order of the messages, over all calls', async () => {
    const calls = new Calls()
    const ids = ['a', 'b', 'c'].map(callId)
    for (const each of ids) await calls.packet(each, 0).promise
    calls.journal.hold()
    calls.story.length = 0
    const expected: string[] = []
    for (let sequence = 1; sequence <= 20; sequence++)
      for (const each of ids) {
        const number = sequence * 10 + ids.indexOf(each)
        calls.packet(each, number)
        expected.push(`reply ${number} accepted`, `event packet_received ${number}`)
      }
    calls.journal.commit()
    assert.deepEqual(calls.story, expected)
  })

  test('finds each packet appended in the turn in which it was marked (V2)', async () => {
    // Guards against an await between mark and append: a crash between them would answer "duplicate" for ever.
    const calls = await heldCall()
    const before = calls.journal.appends.length
    for (let sequence = 1; sequence <= 50; sequence++) {
      calls.packet(id, sequence)
      assert.equal(calls.journal.appends.length, before + sequence, 'appended before the next statement runs')
    }
    calls.journal.commit()
  })
})

describe('after a failed commit (V6)', () => {
  test('every reply of the call fails, its actor is gone, and the same packet is new again', async () => {
    // Guards against memory that stays ahead of the journal: the repeated packet would be a duplicate of nothing.
    const calls = await heldCall()
    const told = [calls.packet(id, 1), calls.packet(id, 2), calls.packet(id, 1), calls.complete(id, 3)]
    const look = calls.view(id)
    look.catch(() => {})
    calls.journal.fail()
    assert.deepEqual(
      told.map(({ error }) => error?.code),
      ['commit_failed', 'commit_failed', 'commit_failed', 'commit_failed'],
    )
    await assert.rejects(look, { code: 'commit_failed' })
    assert.deepEqual(calls.events.length, 1, 'only the first packet was ever told')
    assert.equal(calls.registry.isActive(id), false)

    const replays = calls.journal.replays
    const again = calls.packet(id, 1)
    await turns()
    assert.equal(calls.journal.replays, replays + 1)
    calls.journal.commit()
    assert.equal(again.answer?.status, 'accepted')
    assert.equal(again.answer?.totalReceived, 2)
    assert.equal((await calls.view(id))?.state, 'IN_PROGRESS')
  })

  test('calls that had nothing in it live on', async () => {
    const calls = new Calls()
    const other = callId('c2')
    await Promise.all([calls.packet(id, 0).promise, calls.packet(other, 0).promise])
    calls.journal.hold()
    calls.packet(id, 1)
    calls.journal.fail()
    assert.equal(calls.registry.isActive(id), false)
    assert.equal(calls.registry.isActive(other), true)
    const told = calls.packet(other, 1)
    calls.journal.commit()
    assert.equal(told.answer?.status, 'accepted')
  })

  test('a call whose first packet was lost is unknown', async () => {
    const calls = new Calls()
    calls.journal.hold()
    const told = calls.packet(id, 0)
    await turns()
    calls.journal.fail()
    assert.equal(told.error?.code, 'commit_failed')
    assert.equal(await calls.view(id), null)
    assert.equal(await calls.complete(id, 1).promise, 'unknown-call')
    const again = calls.packet(id, 0)
    await turns()
    calls.journal.commit()
    assert.equal(again.answer?.totalReceived, 1)
  })

  test('of a snapshot alone, the actor is gone too', async () => {
    // Guards against an actor on a dead stream: every look at it would fail until a packet happens to come.
    const calls = await heldCall()
    calls.registry.passivation.start()
    await calls.clock.advance(61_000)
    calls.journal.fail()
    await turns()
    calls.registry.passivation.stop()
    assert.equal(calls.registry.isActive(id), false)
    assert.equal((await calls.view(id))?.total_received, 1)
    const told = calls.packet(id, 1)
    await turns()
    calls.journal.commit()
    assert.equal(told.answer?.status, 'accepted')
  })
})

describe('a call that somebody else has written', () => {
  test('is dropped, and its next message starts from what the journal says', async () => {
    const calls = new Calls()
    await calls.packet(id, 0).promise
    const history = await calls.journal.replay(id)
    assert(history)
    // Another writer's append, as a cluster would have it: the actor's next one names a version that is past.
    const stream = history.stream as { version: number }
    const appended = new Promise<void>((answered, failed) =>
      calls.journal.append(
        history.stream,
        stream.version,
        [{ type: 'packet', sequence: 7, data: Buffer.from('theirs'), timestamp: 1, receivedAt: 1 }],
        null,
        settlementOf({ answered, failed }, undefined),
      ),
    )
    await appended
    calls.journal.release(history.stream)
    await calls.journal.replay(id)
    const told = calls.packet(id, 1)
    assert.equal(told.error?.code, 'version_conflict')
    assert.equal(calls.registry.isActive(id), false)
    assert.equal((await calls.packet(id, 1).promise).totalReceived, 3)
    assert.equal((await calls.packet(id, 7).promise).status, 'duplicate')
  })
})

describe('while the journal is full', () => {
  test('a packet is refused before it is marked, and accepted afterwards', async () => {
    // Guards against a mark without an append: the packet would be a duplicate that is nowhere stored.
    const journal = new HeldJournal()
    const calls = new Calls(journal)
    await calls.packet(id, 0).promise
    journal.isFull = true
    assert.equal(calls.packet(id, 1).error?.code, 'overloaded')
    assert.equal(calls.complete(id, 2).error?.code, 'overloaded')
    assert.equal((await calls.packet(id, 0).promise).status, 'duplicate', 'what needs no room has its answer')
    assert.equal((await calls.view(id))?.total_received, 1)
    journal.isFull = false
    assert.equal((await calls.packet(id, 1).promise).status, 'accepted')
    assert.equal(await calls.complete(id, 2).promise, 'accepted')
  })

  test('the refused first packet of a call leaves no call behind', async () => {
    // Guards against a 503 with a side effect: an empty call that would be completed, analysed and archived.
    const journal = new HeldJournal()
    const calls = new Calls(journal)
    journal.isFull = true
    const told = calls.packet(id, 0)
    await turns()
    assert.equal(told.error?.code, 'overloaded')
    journal.isFull = false
    assert.equal(await calls.view(id), null)
    assert.equal(await calls.complete(id, 2).promise, 'unknown-call')
    await calls.fallSilent()
    assert.equal(await journal.call(id), null)
  })

  test('an activation that the disk refuses is told as such, and is not an error of ours', async () => {
    const calls = new Calls()
    calls.journal.replayError = new VoiceStreamError('read_failed', 'no')
    const told = calls.packet(id, 0)
    await turns()
    assert.equal(told.error?.code, 'read_failed')
    assert.deepEqual(calls.activationFailures, [])
    calls.journal.replayError = new TypeError('a bug')
    const other = calls.packet(id, 0)
    await turns()
    assert.equal(other.error?.code, 'read_failed')
    assert.equal(calls.activationFailures.length, 1)
    calls.journal.replayError = null
    assert.equal((await calls.packet(id, 0).promise).status, 'accepted')
  })
})
