/** What a PBX says of a call: when it may, what stays, and that it is journaled. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkAccount } from '../../src/actors/stored-account.js'
import { textMedia } from '../../src/protocol/media.js'
import { Calls, callId, graceMs, idleMs } from '../support/calls.js'

const id = callId('c1')
const mulaw = { encoding: 'mulaw', sample_rate: 8000, channels: 2 } as const

describe('a start', () => {
  test('of an unknown call makes it: no packets, its idle deadline armed, counted once', async () => {
    // Guards against a call that nobody ever ends, because only packets armed its deadline.
    const calls = new Calls()
    const at = calls.clock.now()
    assert.deepEqual(await calls.describe(id, { media: mulaw, agent: 'maria' }).promise, {
      kind: 'described',
      media: mulaw,
    })
    const view = await calls.view(id)
    assert.deepEqual(
      [view?.state, view?.total_received, view?.last_packet_at, view?.media, view?.agent, view?.caller],
      ['IN_PROGRESS', 0, null, mulaw, 'maria', null],
    )
    assert(calls.armed.some(({ callId, dueAt }) => callId === id && dueAt === at + idleMs))
    assert.deepEqual(calls.stateChanges, [{ from: null, to: 'IN_PROGRESS' }])
    assert.equal(calls.events.length, 1)
    assert.deepEqual(
      { ...calls.events[0], at: '' },
      { event: 'call_started', at: '', call_id: id, media: mulaw, agent: 'maria' },
    )
    await calls.clock.advance(idleMs)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.reason, 'idle_timeout')
    await calls.clock.advance(graceMs)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.state, 'PROCESSING_AI')
  })

  test('and the first packet at the same moment make one call that has both', async () => {
    for (const isFirst of [true, false]) {
      const calls = new Calls()
      const said = isFirst ? calls.describe(id, { queue: 'q' }) : null
      const packet = calls.packet(id, 0)
      const saidLater = isFirst ? null : calls.describe(id, { queue: 'q' })
      await Promise.all([said?.promise, packet.promise, saidLater?.promise])
      const view = await calls.view(id)
      assert.deepEqual([view?.total_received, view?.queue], [1, 'q'])
      assert.deepEqual(calls.stateChanges, [{ from: null, to: 'IN_PROGRESS' }])
    }
  })

  test('that comes again changes nothing, in every state', async () => {
    const calls = new Calls()
    const body = { media: mulaw, agent: 'maria', metadata: { b: '2', a: '1' } }
    await calls.describe(id, body).promise
    for (const state of ['COMPLETED', 'PROCESSING_AI', 'ARCHIVED'] as const) {
      if (state === 'COMPLETED') await calls.bring(id, 'ARCHIVED')
      const appends = calls.journal.appends.length
      const again = { ...body, metadata: { a: '1', b: '2' } }
      assert.equal((await calls.describe(id, again).promise).kind, 'described')
      assert.equal((await calls.describe(id, { ...again, media: {} }).promise).kind, 'described')
      assert.equal(calls.journal.appends.length, appends)
      assert.equal((await calls.describe(id, { agent: 'jo' }).promise).kind, 'grace-period-over')
      assert.equal(calls.journal.appends.length, appends)
    }
  })

  test('takes the place of the one before while the call is receiving', async () => {
    const calls = new Calls()
    await calls.describe(id, { agent: 'maria', caller: '+49 1' }).promise
    await calls.bring(id, 'COMPLETED')
    await calls.describe(id, { agent: 'jo' }).promise
    const view = await calls.view(id)
    assert.deepEqual([view?.agent, view?.caller, view?.media], ['jo', null, textMedia])
  })

  test('may say after the first packets what they carry, once', async () => {
    // Guards against a PBX whose start is overtaken by its packets and refused for it, and against samples that are read
    // in one way first and in another later.
    const calls = new Calls()
    await calls.packet(id, 0).promise
    assert.equal((await calls.describe(id, { media: mulaw }).promise).kind, 'described')
    assert.deepEqual(await calls.describe(id, { media: { encoding: 'alaw' } }).promise, {
      kind: 'media-is-fixed',
      media: mulaw,
    })
    const other = callId('c2')
    await calls.describe(other, { media: mulaw }).promise
    await calls.describe(other, { media: { encoding: 'alaw' } }).promise
    assert.deepEqual(
      (await calls.view(other))?.media,
      { ...mulaw, encoding: 'alaw' },
      'nothing is stored yet',
    )
  })

  test('that finds no room, or whose commit fails, leaves no call behind', async () => {
    const calls = new Calls()
    calls.journal.isFull = true
    await assert.rejects(calls.describe(id, { agent: 'maria' }).promise, { code: 'overloaded' })
    assert.equal(calls.registry.activeCount, 0)
    calls.journal.isFull = false
    calls.journal.failures = 1
    await assert.rejects(calls.describe(id, { agent: 'maria' }).promise, { code: 'commit_failed' })
    assert.equal(calls.registry.activeCount, 0)
    assert.equal(await calls.view(id), null)
    assert.equal((await calls.describe(id, { agent: 'maria' }).promise).kind, 'described')
  })

  test('is part of what the account of a call compares', async () => {
    const calls = new Calls()
    await calls.describe(id, { agent: 'maria' }).promise
    await calls.packet(id, 0).promise
    await calls.complete(id, 1).promise
    const entries = calls.journal.appends
      .flatMap((append) => append.entries)
      .map((entry, index) => ({ version: index + 1, entry }))
    const snapshot = calls.journal.appends.at(-1)?.snapshot
    assert(snapshot)
    const faults = (body: string) =>
      checkAccount({
        callId: id,
        snapshot: { ...snapshot, body },
        snapshotVersion: entries.length,
        entries,
        rowFaults: () => [],
      }).faults
    assert.deepEqual(faults(snapshot.body), [])
    assert.deepEqual(faults(snapshot.body.replace('maria', 'marta')), [
      'the snapshot says another description',
    ])
  })
})
