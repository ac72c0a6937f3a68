import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EndedCalls } from '../../src/feed/ended-calls.js'
import type { RowText } from '../../src/feed/feed-messages.js'
import { FloorStream } from '../../src/feed/floor-stream.js'
import { FloorView } from '../../src/feed/floor-view.js'
import { limits } from '../../src/limits.js'
import type { FeedMessage, FloorMessage } from '../../src/protocol/feed.js'
import type { ReplyTo } from '../../src/store/journal.js'
import { callId } from '../support/calls.js'
import { FakeClock } from '../support/fake-clock.js'
import { drain, Turn } from '../support/feeds.js'
import { snapshotPart } from '../support/snapshot-parts.js'

const silent = { pump: () => false }
const floors = (messages: readonly FeedMessage[]) =>
  messages.filter((message): message is FloorMessage => message.event === 'floor')

function trial() {
  const clock = new FakeClock()
  const turn = new Turn()
  const ended = new EndedCalls()
  const looked: string[] = []
  const versions = new Map<string, number>()
  /** Calls whose last packet is not committed: they answer later. */
  const held: (() => void)[] = []
  const state = { isHolding: false, call: 'IN_PROGRESS' as RowText['state'], unknown: new Set<string>() }
  const floor = new FloorView({
    ...turn.ports,
    clock,
    ended,
    observe: <T>(id: string, _stored: null, _look: unknown, replyTo: ReplyTo<T | null>) => {
      looked.push(id)
      const version = (versions.get(id) ?? 0) + 1
      versions.set(id, version)
      const text = JSON.stringify({ call_id: id, version })
      const row = state.unknown.has(id) ? null : { callId: id, state: state.call, text }
      const answer = () => replyTo.answered(row as T | null)
      if (state.isHolding) held.push(answer)
      else answer()
    },
    totals: () => ({}) as never,
    position: () => 'e.1',
  })
  let rejoined = 0
  const stream = () =>
    new FloorStream({ floor, clock, position: () => 'e.1', rejoin: () => rejoined++, hasRoom: () => {} })
  const tick = async () => {
    await clock.advance(limits.floorTickMs)
    turn.end()
  }
  const part = (isLast: boolean, text = '{"event":"snapshot"}') => snapshotPart({ isLast, text })
  return { clock, floor, ended, looked, held, state, stream, tick, part, rejoined: () => rejoined }
}

describe('the floor view', () => {
  test('looks at each changed call once a tick, and at none while nobody watches', async () => {
    const { floor, looked, tick } = trial()
    floor.changed(callId('unwatched'))
    const leave = floor.add(silent)
    for (let i = 0; i < 1000; i++) floor.changed(callId(`c${i % 3}`))
    await tick()
    assert.deepEqual(looked, ['c0', 'c1', 'c2'])
    await tick()
    assert.equal(looked.length, 3)
    leave()
    floor.changed(callId('c0'))
    await tick()
    assert.equal(looked.length, 3)
  })

  test('tells what has changed, merged for whoever skipped ticks', async () => {
    const { floor, stream, tick, part } = trial()
    floor.add(silent)
    const [quick, slow] = [stream(), stream()]
    for (const each of [quick, slow]) each.addPart(part(true))
    drain(quick)
    drain(slow)
    const seen: FloorMessage[] = []
    for (const id of ['a', 'b', 'a']) {
      floor.changed(callId(id))
      await tick()
      seen.push(...floors(drain(quick)))
    }
    const changed = (messages: readonly FloorMessage[]) => messages.map((message) => message.changed)
    assert.deepEqual(changed(seen), [
      [{ call_id: 'a', version: 1 }],
      [{ call_id: 'b', version: 1 }],
      [{ call_id: 'a', version: 2 }],
    ])
    assert.deepEqual(changed(floors(drain(slow))), [
      [
        { call_id: 'a', version: 2 },
        { call_id: 'b', version: 1 },
      ],
    ])
  })

  test('begins anew for whoever has skipped more ticks than are held', async () => {
    const { floor, stream, tick, part, rejoined } = trial()
    floor.add(silent)
    const slow = stream()
    slow.addPart(part(true))
    drain(slow)
    for (let i = 0; i <= limits.floorTicksHeld; i++) {
      floor.changed(callId('a'))
      await tick()
    }
    const [reset, ...rest] = drain(slow)
    assert.deepEqual([reset?.event, rest.length, rejoined()], ['reset', 0, 1])
    slow.addPart(part(true))
    assert.deepEqual(
      drain(slow).map(({ event }) => event),
      ['snapshot', 'live'],
    )
  })

  test('waits for no call whose packet is not committed, and tells it by the next tick', async () => {
    const { floor, stream, tick, held, state, part } = trial()
    floor.add(silent)
    const each = stream()
    each.addPart(part(true))
    drain(each)
    state.isHolding = true
    floor.changed(callId('pending'))
    await tick()
    state.isHolding = false
    floor.changed(callId('committed'))
    await tick()
    const ids = () => floors(drain(each)).flatMap(({ changed }) => changed.map(({ call_id }) => call_id))
    assert.deepEqual(ids(), ['committed'])
    for (const answer of held) answer()
    await tick()
    assert.deepEqual(ids(), ['pending'])
  })

  // Guards against a row that was looked at before the one of the snapshot, and told after it.
  test('never tells an older row after a newer one of the snapshot', async () => {
    const { floor, stream, tick, held, state, part } = trial()
    floor.add(silent)
    const each = stream()
    state.isHolding = true
    floor.changed(callId('a'))
    await tick()
    for (const answer of held) answer()
    // It has been looked at, and is told by the next tick; meanwhile the snapshot has it, too.
    const newer = { callId: 'a', state: 'IN_PROGRESS', text: '{"call_id":"a","version":9}' } as const
    floor.rowSeen(newer)
    each.addPart(part(true))
    await tick()
    const last = floors(drain(each)).flatMap(({ changed }) => changed)
    assert.deepEqual(last, [{ call_id: 'a', version: 9 }])
  })

  test('lets the calls go that ended before the ones that ended last, and those that are erased', async () => {
    const { floor, stream, tick, state, part } = trial()
    floor.add(silent)
    const each = stream()
    each.addPart(part(true))
    drain(each)
    state.call = 'ARCHIVED'
    for (let i = 0; i <= limits.endedCallsShownMax; i++) {
      const id = callId(`c${i}`)
      floor.stateChanged(id, 'ARCHIVED')
      floor.changed(id)
    }
    await tick()
    const [message] = floors(drain(each))
    assert.deepEqual(message?.gone, ['c0'])
    assert.equal(message?.changed.length, limits.endedCallsShownMax)
    // A duplicate to a call that has gone does not bring it back.
    floor.changed(callId('c0'))
    state.unknown.add('c5')
    floor.changed(callId('c5'))
    await tick()
    const [later] = floors(drain(each))
    assert.deepEqual([later?.changed, later?.gone], [[], ['c5']])
  })

  test('tells its totals once a second when nothing changes', async () => {
    const { floor, stream, tick, part } = trial()
    floor.add(silent)
    const each = stream()
    each.addPart(part(true))
    for (let i = 0; i < 4; i++) await tick()
    drain(each)
    for (let i = 0; i < 12; i++) await tick()
    const count = floor.tick
    for (let i = 0; i < 4; i++) await tick()
    assert.equal(floor.tick, count + 1)
  })
})
