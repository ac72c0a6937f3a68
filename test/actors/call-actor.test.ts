/** Every call in memory is a started XState actor, and all of them are children of one root. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AnyActorRef, InspectionEvent } from 'xstate'
import { CallActor } from '../../src/actors/call-actor.js'
import { Calls, callId } from '../support/calls.js'

/** XState's own word for it, which no type of it tells. */
const running = 1
const stopped = 2
const processingStatus = (actor: AnyActorRef) => Reflect.get(actor, '_processingStatus')

function watched(calls: Calls): { readonly actors: AnyActorRef[]; readonly seen: InspectionEvent[] } {
  const actors: AnyActorRef[] = []
  const seen: InspectionEvent[] = []
  calls.registry.system.root.system.inspect((event: InspectionEvent) => {
    seen.push(event)
    if (event.type === '@xstate.actor') actors.push(event.actorRef as AnyActorRef)
  })
  return { actors, seen }
}

describe('a call in memory', () => {
  // Guards against an actor that is only made by the first message that is no packet: most calls would have none.
  test('is a started actor of the one system, whatever its first message was', async () => {
    const calls = new Calls()
    const { actors } = watched(calls)
    const root = calls.registry.system.root
    await calls.packet(callId('packet'), 0).promise
    await calls.describe(callId('start'), {}).promise
    await calls.packet(callId('stored'), 0).promise
    await calls.registry.passivation.passivateAll()
    assert.equal(calls.registry.activeCount, 0)
    assert.deepEqual(actors.map(processingStatus), [stopped, stopped, stopped])
    await calls.packet(callId('stored'), 1).promise
    assert.equal(calls.registry.activeCount, 1)
    const [packet, start, stored, replayed] = actors
    assert.deepEqual(
      [packet, start, stored, replayed].map((actor) => actor?.id),
      ['packet', 'start', 'stored', 'stored'],
    )
    assert.equal(actors.length, 4)
    assert(replayed !== undefined)
    assert.equal(processingStatus(replayed), running)
    for (const actor of actors) {
      assert(actor instanceof CallActor)
      assert.equal(actor.system, root.system)
      assert.equal(actor._parent, root)
    }
  })

  test('takes what may change its state through its mailbox, and packets past it', async () => {
    const calls = new Calls()
    const { seen } = watched(calls)
    await calls.packet(callId('c1'), 0).promise
    await calls.packet(callId('c1'), 1).promise
    await calls.complete(callId('c1'), 2).promise
    const messages = seen.filter(({ type }) => type === '@xstate.event')
    assert.deepEqual(
      messages.map((message) => ('event' in message ? message.event.type : '')),
      ['xstate.init', 'complete'],
    )
    assert.equal((await calls.view(callId('c1')))?.total_received, 2)
  })

  test('is observed by nobody, who would be told before the commit (V3)', async () => {
    const calls = new Calls()
    const { actors } = watched(calls)
    await calls.packet(callId('c1'), 0).promise
    assert.throws(() => actors[0]?.subscribe(() => {}), /not observed/)
    assert.throws(() => actors[0]?.on('*', () => {}), /not observed/)
  })

  test('that meets something impossible fails the root, which ends the process', async () => {
    const calls = new Calls()
    await calls.packet(callId('c1'), 0).promise
    const failures: unknown[] = []
    calls.registry.system.root.subscribe({ error: (error) => failures.push(error) })
    // While the journal is full a completion is answered within its own turn.
    calls.journal.isFull = true
    calls.registry.tell(callId('c1'), {
      type: 'complete',
      totalPackets: 1,
      replyTo: {
        answered: () => assert.fail('there is no room'),
        failed: () => calls.packet(callId('c1'), 1),
      },
    })
    assert.equal(failures.length, 1)
    assert.match(String(failures[0]), /the mailbox is empty/)
  })
})
