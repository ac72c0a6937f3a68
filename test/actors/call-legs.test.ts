/** The legs of a call: which tracks they come into, what is journaled of them, and when the call ends by their end. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LegRequest } from '../../src/actors/call-messages.js'
import { limits } from '../../src/limits.js'
import { Calls, callId, graceMs, idleMs } from '../support/calls.js'

const id = callId('CA1')
const mulaw = { encoding: 'mulaw', sample_rate: 8000, channels: 1 } as const

const request = (leg: string, names: readonly string[] = ['inbound', 'outbound']): LegRequest => ({
  leg,
  dialect: 'twilio',
  voices: names.map((name) => ({ name, media: mulaw })),
  packetMs: 20,
  details: { caller: '+1', metadata: { b: '2' } },
})

const legOf = async (calls: Calls, leg: string, names?: readonly string[]) => {
  const answer = await calls.leg(id, request(leg, names)).promise
  assert(answer.kind === 'started', answer.kind)
  return answer.tracks
}

const lengthOf = async (calls: Calls) => (await calls.view(id))?.notes?.length ?? 0

describe('a leg', () => {
  test('makes its call, describes it, and gives each voice a track of its own', async () => {
    const calls = new Calls()
    assert.deepEqual(await legOf(calls, 'l1'), [
      { track: 0, base: 0 },
      { track: 1, base: 0 },
    ])
    const view = await calls.view(id)
    assert.deepEqual([view?.caller, view?.media, view?.metadata], ['+1', mulaw, { b: '2' }])
    assert.deepEqual(
      view?.tracks?.map(({ track, name }) => [track, name]),
      [
        [0, 'inbound'],
        [1, 'outbound'],
      ],
    )
    assert.deepEqual(
      view?.legs?.map(({ leg, ended_at }) => [leg, ended_at]),
      [['l1', null]],
    )
  })

  test('that comes after another goes on in its tracks, behind a gap as long as the pause between them', async () => {
    // Guards against a second stream whose numbers from 0 on are taken for duplicates: a reconnected call would lose all.
    const calls = new Calls()
    await legOf(calls, 'l1')
    await calls.block(id, 0, 0, 50).promise
    await calls.block(id, 1, 0, 48).promise
    await calls.endLeg(id, 'l1', 'lost').promise
    await calls.clock.advance(1000)
    const tracks = await legOf(calls, 'l2')
    assert.deepEqual(tracks, [
      { track: 0, base: 100 },
      { track: 1, base: 98 },
    ])
    const [skipped] = (await calls.view(id))?.notes ?? []
    assert.deepEqual(
      [skipped?.kind, skipped?.text, skipped?.packets, skipped?.track],
      ['skipped', 'inferred', 50, 0],
    )
  })

  test('comes behind a gap of its own voice, also while another one goes on', async () => {
    // Guards against a gap that is measured from the call's last packet: the two voices of a recording would shift.
    const calls = new Calls()
    await legOf(calls, 'l1', ['in'])
    await legOf(calls, 'l2', ['out'])
    await calls.block(id, 0, 0, 50).promise
    await calls.block(id, 1, 0, 50).promise
    await calls.endLeg(id, 'l1', 'lost').promise
    await calls.clock.advance(1000)
    await calls.block(id, 1, 50, 50).promise
    assert.deepEqual(await legOf(calls, 'l3', ['in']), [{ track: 0, base: 100 }])
  })

  test('that comes beside another takes tracks of its own, and a ninth voice is refused', async () => {
    // Guards against two streams of one call that are mixed into one: half of each would be a duplicate.
    const calls = new Calls()
    const taken = new Set<number>()
    for (const leg of ['l1', 'l2', 'l3', 'l4'])
      for (const { track, base } of await legOf(calls, leg)) {
        assert(!taken.has(track))
        taken.add(track)
        assert.equal(base, 0)
      }
    assert.equal(taken.size, limits.tracksMax)
    assert.equal((await calls.leg(id, request('l5', ['inbound'])).promise).kind, 'too-many-tracks')
    await calls.endLeg(id, 'l2', 'closed').promise
    assert.deepEqual(
      (await legOf(calls, 'l6')).map(({ track }) => track),
      [2, 3],
    )
  })

  test('of other media than the track before it takes another track', async () => {
    const calls = new Calls()
    await legOf(calls, 'l1', ['inbound'])
    await calls.block(id, 0, 0, 5).promise
    await calls.endLeg(id, 'l1', 'closed').promise
    const linear = {
      ...request('l2', []),
      voices: [{ name: 'inbound', media: { ...mulaw, sample_rate: 16_000 } }],
    }
    const answer = await calls.leg(id, linear).promise
    assert.deepEqual(answer.kind === 'started' && answer.tracks, [{ track: 1, base: 0 }])
  })

  test('adds to what the PBX has said, and changes nothing of it', async () => {
    const calls = new Calls()
    await calls.describe(id, { media: mulaw, caller: 'alice', metadata: { a: '1' } }).promise
    await legOf(calls, 'l1')
    const view = await calls.view(id)
    assert.deepEqual([view?.caller, view?.metadata], ['alice', { a: '1', b: '2' }])
  })

  test('that ends with a proved total completes the call shortly after, and the total is expected', async () => {
    const calls = new Calls()
    await legOf(calls, 'l1', ['inbound'])
    await calls.block(id, 0, 0, 9).promise
    await calls.endLeg(id, 'l1', 'stopped', [10]).promise
    assert.equal(calls.armed.at(-1)?.dueAt, calls.clock.now() + 2000)
    await calls.clock.advance(1999)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.state, 'IN_PROGRESS')
    await calls.clock.advance(1)
    await calls.deadline(id).promise
    const view = await calls.view(id)
    assert.deepEqual(
      [view?.state, view?.reason, view?.expected_total_packets, view?.missing_count],
      ['COMPLETED', 'completed', 10, 1],
    )
  })

  test('that is lost waits for another one, and then ends the call as lost', async () => {
    const calls = new Calls()
    await legOf(calls, 'l1', ['inbound'])
    await calls.block(id, 0, 0, 9).promise
    await calls.endLeg(id, 'l1', 'lost').promise
    await calls.clock.advance(29_999)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.state, 'IN_PROGRESS')
    await calls.clock.advance(1)
    await calls.deadline(id).promise
    const view = await calls.view(id)
    assert.deepEqual(
      [view?.state, view?.reason, view?.expected_total_packets],
      ['COMPLETED', 'stream_lost', null],
    )
  })

  test('that is open keeps its call, however long nothing comes', async () => {
    // Guards against a call on hold that the idle timeout completes while its socket is open.
    const calls = new Calls()
    await legOf(calls, 'l1')
    await calls.clock.advance(10 * idleMs)
    await calls.deadline(id).promise
    assert.equal((await calls.view(id))?.state, 'IN_PROGRESS')
  })

  test('of a process that is gone is lost: its tracks are free, and without another leg the call ends', async () => {
    // Guards against a call that stays open for ever, because the socket that was to end it died with its process.
    const before = new Calls()
    await legOf(before, 'l1')
    await before.block(id, 0, 0, 5).promise
    for (const comes of [true, false]) {
      const calls = new Calls(before.journal, before.clock, { run: 'run-2' })
      if (comes) {
        assert.deepEqual(
          (await legOf(calls, 'l2')).map(({ track }) => track),
          [0, 1],
        )
        const legs = (await calls.view(id))?.legs
        assert.deepEqual(
          legs?.map(({ leg, ended_by }) => [leg, ended_by]),
          [
            ['l1', 'lost'],
            ['l2', null],
          ],
        )
        continue
      }
      const third = new Calls(before.journal, before.clock, { run: 'run-3' })
      await third.clock.advance(30_000)
      await third.deadline(id).promise
      assert.equal((await third.view(id))?.reason, 'stream_lost')
    }
  })

  test('is refused when the grace period is over, and its notes are bounded', async () => {
    const calls = new Calls()
    await legOf(calls, 'l1')
    for (let digit = 0; digit < limits.notesMax + 5; digit++)
      await calls.note(id, { kind: 'dtmf', leg: 'l1' }).promise
    assert.equal(await lengthOf(calls), limits.notesMax)
    assert.equal(await calls.note(id, { kind: 'dtmf', leg: 'nobody' }).promise, false)
    await calls.complete(id, 3).promise
    await calls.clock.advance(graceMs)
    await calls.deadline(id).promise
    assert.equal((await calls.leg(id, request('l2')).promise).kind, 'grace-period-over')
    assert.equal(await calls.endLeg(id, 'l1', 'stopped').promise, false)
  })
})
