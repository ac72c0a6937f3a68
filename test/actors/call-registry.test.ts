/** The registry: one actor a call (V1), passivation without loss, and its bounds (V7). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { Calls, callId, type Told } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'

const id = callId('c1')

/** Holds replays back until the returned function is called. */
function gate(calls: Calls): () => void {
  let open!: () => void
  calls.journal.replayGate = new Promise((resolve) => {
    open = resolve
  })
  return () => {
    calls.journal.replayGate = null
    open()
  }
}

const statuses = async (told: readonly Told<{ status: string }>[]) =>
  (await Promise.all(told.map(({ promise }) => promise))).map(({ status }) => status)

describe('a call that the journal knows to be new', () => {
  test('begins in the turn of its first packet, without a replay', async () => {
    const calls = new Calls()
    calls.journal.isNew = (each) => each === id
    const told = calls.packet(id, 0)
    assert.equal(calls.registry.isActive(id), true)
    assert.equal((await told.promise).status, 'accepted')
    assert.equal(calls.journal.replays, 0)
    assert.deepEqual(calls.stateChanges, [{ from: null, to: 'IN_PROGRESS' }])
    await calls.packet(callId('c2'), 0).promise
    assert.equal(calls.journal.replays, 1)
  })

  test('is not begun by a packet while another message waits for its replay (V1)', async () => {
    // Guards against two actors: one of the packet, and one of what the replay has found.
    const calls = new Calls()
    const open = gate(calls)
    const completed = calls.complete(id, 5)
    await turns()
    calls.journal.isNew = () => true
    const told = [calls.packet(id, 0), calls.packet(id, 1)]
    assert.equal(calls.registry.waitingMessages, 3)
    open()
    assert.equal(await completed.promise, 'unknown-call')
    assert.deepEqual(await statuses(told), ['accepted', 'accepted'])
    assert.equal(calls.registry.activeCount, 1)
    assert.equal((await calls.view(id))?.total_received, 2)
  })
})

describe('concurrent first messages to a call', () => {
  test('share one replay and one actor, and every packet is stored (V1)', async () => {
    // Guards against the fault of the predecessor: two first packets at once, and one of them lost with a 500.
    for (const isKnown of [false, true]) {
      const calls = new Calls()
      if (isKnown) {
        await calls.packet(id, 1000).promise
        await calls.fallSilent()
        assert.equal(calls.registry.isActive(id), false)
      }
      const replays = calls.journal.replays
      const open = gate(calls)
      const told = [...Array(100).keys()].map((sequence) => calls.packet(id, sequence))
      await turns()
      assert.equal(calls.registry.activatingCount, 1)
      assert.equal(calls.registry.waitingMessages, 100)
      open()
      assert.deepEqual(await statuses(told), Array(100).fill('accepted'))
      assert.equal(calls.journal.replays - replays, 1)
      assert.equal(calls.registry.waitingMessages, 0)
      assert.equal(calls.registry.activeCount, 1)
      assert.equal((await calls.view(id))?.total_received, isKnown ? 101 : 100)
    }
  })

  test('with the same packet have one that is accepted and 99 duplicates', async () => {
    for (let round = 0; round < 20; round++) {
      const calls = new Calls()
      const told = [...Array(100)].map(() => calls.packet(id, 5))
      const answers = await statuses(told)
      assert.equal(answers.filter((status) => status === 'accepted').length, 1)
      assert.equal(answers.filter((status) => status === 'duplicate').length, 99)
      assert.equal((await calls.journal.packets(id, 0, 10)).packets.length, 1)
    }
  })

  test('are delivered in the order of their arrival', async () => {
    const calls = new Calls()
    const early = calls.complete(id, 3)
    calls.packet(id, 0)
    const late = calls.complete(id, 3)
    const after = calls.packet(id, 1)
    await turns()
    assert.equal(early.answer, 'unknown-call', 'nothing was known of the call then')
    assert.equal(late.answer, 'accepted')
    assert.equal(after.answer?.status, 'accepted', 'inside the grace period')
  })

  test('keep their data, although the body that it was read from is used again', async () => {
    // Guards against a view of a request body that waits for a replay: another packet's bytes would be stored.
    const calls = new Calls()
    const open = gate(calls)
    const body = Buffer.from('original')
    const answered = new Promise((resolve, reject) =>
      calls.registry.tell(id, {
        type: 'packet',
        packet: { sequence: 0, data: body, timestamp: 1 },
        replyTo: { answered: resolve, failed: reject },
      }),
    )
    await turns()
    body.fill('x')
    open()
    await answered
    const { packets } = await calls.journal.packets(id, 0, 1)
    assert.equal(Buffer.from(packets[0]?.data ?? []).toString(), 'original')
  })
})

describe('a packet against the end of its call', () => {
  test('is either part of the call or refused, and the journal agrees', async () => {
    // The grace period ends between any two of 50 packets that are under way at once.
    for (let round = 0; round < 50; round++) {
      const calls = new Calls()
      await calls.bring(id, 'COMPLETED')
      await calls.clock.advance(3000)
      const told = [...Array(50).keys()].map((i) => {
        if (i === round) calls.deadline(id)
        return calls.packet(id, 100 + i)
      })
      const accepted = (await statuses(told)).filter((status) => status === 'accepted').length
      assert.equal(accepted, round)
      assert.equal((await calls.view(id))?.total_received, 2 + accepted)
      assert.equal((await calls.journal.packets(id, 100, 1000)).packets.length, accepted)
    }
  })
})

describe('a silent call', () => {
  test('leaves memory after a minute, its snapshot journaled', async () => {
    const calls = new Calls()
    await calls.packet(id, 0).promise
    calls.registry.passivation.start()
    await calls.clock.advance(limits.passivateAfterMs - 1000)
    assert.equal(calls.registry.activeCount, 1)
    await calls.clock.advance(2000)
    assert.equal(calls.registry.activeCount, 0)
    assert.equal((await calls.journal.call(id))?.snapshot.isSettled, true)
    calls.registry.passivation.stop()
    assert.equal(calls.clock.timerCount, 0)
  })

  test('stays when a message comes while it is passivated, and loses nothing', async () => {
    // Guards against an actor that is dropped although it has changed after its snapshot.
    for (const message of ['packet', 'duplicate', 'complete'] as const) {
      const calls = new Calls()
      await calls.packet(id, 0).promise
      calls.journal.hold()
      calls.registry.passivation.start()
      await calls.clock.advance(limits.passivateAfterMs + 500)
      await calls.clock.advance(700)
      const told =
        message === 'complete' ? calls.complete(id, 3) : calls.packet(id, message === 'packet' ? 1 : 0)
      calls.journal.commit()
      assert.equal(told.state, 'answered')
      assert.equal(calls.registry.isActive(id), true, message)
      calls.registry.passivation.stop()
      assert.equal((await calls.view(id))?.total_received, message === 'packet' ? 2 : 1)
      const later = new Calls(calls.journal)
      assert.deepEqual(
        { ...(await later.view(id)), duplicate_count: 0 },
        { ...(await calls.view(id)), duplicate_count: 0 },
        'as after a crash',
      )
    }
  })

  test('is replayed with what came after its snapshot was written', async () => {
    const calls = new Calls()
    await calls.packet(id, 0).promise
    await calls.fallSilent()
    for (const sequence of [4, 2, 9]) await calls.packet(id, sequence).promise
    const before = await calls.view(id)
    await calls.fallSilent()
    assert.deepEqual(await calls.activate(id), before)
  })

  test('keeps its count of duplicates', async () => {
    // Guards against a count that falls by itself: nothing was lost, the call was only silent for a while.
    for (const state of ['IN_PROGRESS', 'ARCHIVED'] as const) {
      const calls = new Calls()
      await calls.bring(id, state)
      await calls.fallSilent()
      await calls.packet(id, 0).promise
      assert.equal((await calls.view(id))?.duplicate_count, 1)
      await calls.fallSilent()
      assert.equal((await calls.view(id))?.duplicate_count, 1, state)
    }
  })

  test('is passivated with all others when the service stops', async () => {
    const calls = new Calls()
    const ids = [...Array(50).keys()].map((i) => callId(`c${i}`))
    await Promise.all(ids.map((each) => calls.packet(each, 3).promise))
    await calls.registry.passivation.passivateAll()
    assert.equal(calls.registry.activeCount, 0)
    for (const each of ids) assert.equal((await calls.journal.call(each))?.snapshot.isSettled, true)
  })
})

describe('a look', () => {
  test('at an unknown call sees null, and makes no call', async () => {
    const calls = new Calls()
    assert.equal(await calls.view(id), null)
    assert.equal(calls.registry.activeCount + calls.registry.activatingCount, 0)
  })

  test('at a settled call reads its snapshot without a replay', async () => {
    const calls = new Calls()
    await calls.packet(id, 0).promise
    await calls.fallSilent()
    const replays = calls.journal.replays
    assert.equal((await calls.view(id))?.total_received, 1)
    assert.equal(calls.journal.replays, replays)
    assert.equal(calls.registry.isActive(id), false)
  })

  test('at a call that is stored but not settled replays it', async () => {
    const living = new Calls()
    await living.packet(id, 0).promise
    await living.packet(id, 5).promise
    // A second process on the same journal, as after a crash.
    const calls = new Calls(living.journal)
    assert.equal((await calls.view(id))?.missing_count, 4)
    assert.equal(calls.registry.isActive(id), true)
  })

  test('that races the first packet of a call sees it or nothing', async () => {
    const calls = new Calls()
    const told = calls.packet(id, 0)
    const view = await calls.view(id)
    assert.equal(view?.total_received, 1)
    await told.promise
  })
})

describe('the bounds of the registry (V7)', () => {
  test('refuse a message with “overloaded” once too many wait for an activation', async () => {
    const calls = new Calls()
    const open = gate(calls)
    const told = [...Array(limits.activationQueueMax + 1).keys()].map((sequence) =>
      calls.packet(id, sequence),
    )
    assert.equal(told.at(-1)?.error?.code, 'overloaded')
    assert.equal(told.at(-2)?.state, 'waiting')
    open()
    await turns()
    assert.equal(told.filter(({ state }) => state === 'answered').length, limits.activationQueueMax)
    assert.equal((await calls.packet(id, 2 ** 30).promise).status, 'accepted', 'the queue is free again')
  })

  test('refuse a call with “overloaded” once too many are being activated, and take it later', async () => {
    const calls = new Calls()
    const open = gate(calls)
    const told = [...Array(limits.activationsMax + 1).keys()].map((i) => calls.packet(callId(`c${i}`), 0))
    assert.equal(calls.registry.activatingCount, limits.activationsMax)
    assert.equal(told.at(-1)?.error?.code, 'overloaded')
    assert.equal(calls.packet(callId('c0'), 1).state, 'waiting', 'a call that is being activated takes more')
    open()
    await turns()
    assert.equal(calls.registry.activeCount, limits.activationsMax)
    assert.equal((await calls.packet(callId(`c${limits.activationsMax}`), 0).promise).status, 'accepted')
  })
})
