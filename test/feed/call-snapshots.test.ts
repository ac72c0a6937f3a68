import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { VoiceStreamError } from '../../src/errors.js'
import { CallSnapshots, type SnapshotMember } from '../../src/feed/call-snapshots.js'
import type { SnapshotPart } from '../../src/feed/snapshot-part.js'
import type { CallId } from '../../src/protocol/call-id.js'
import type { CallRow } from '../../src/protocol/floor.js'
import type { CallReader } from '../../src/store/journal.js'
import { Calls, callId } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'

class Member implements SnapshotMember {
  readonly parts: SnapshotPart[] = []
  queuedSnapshotBytes = 0
  failures = 0

  addPart(part: SnapshotPart): void {
    this.parts.push(part)
  }

  cutSnapshot(): null {
    return null
  }

  wake(): void {}

  snapshotFailed(): void {
    this.failures++
  }

  get rows(): readonly CallRow[] {
    return this.parts.flatMap(({ rows }) => rows.map(({ text }) => JSON.parse(text) as CallRow))
  }

  get isThrough(): boolean {
    return this.parts.some(({ isLast }) => isLast)
  }
}

function trial(reader?: Partial<Pick<CallReader, 'call' | 'calls'>>) {
  const calls = new Calls()
  const failures: unknown[] = []
  let pages = 0
  /** What happens to a call in the very turn in which it is looked at. */
  const around = { before: (_: CallId) => {}, after: (_: CallId) => {} }
  const snapshots = new CallSnapshots({
    reader: {
      call: (id) => calls.journal.call(id),
      calls: (query) => {
        pages++
        return calls.journal.calls(query)
      },
      ...reader,
    },
    clock: calls.clock,
    mark: () => calls.registry.mark,
    observe: (...asked) => {
      around.before(asked[0])
      calls.registry.observe(...asked)
      around.after(asked[0])
    },
    offset: () => calls.events.length,
    positionAt: (offset) => `e.${offset}`,
    endedCalls: () => [callId('ended')],
    rowSeen: () => {},
    soon: setImmediate,
    failed: (error) => failures.push(error),
  })
  const through = async (member: Member) => {
    for (let i = 0; i < 200 && !member.isThrough && member.failures === 0; i++) {
      await turns(2)
      await calls.clock.advance(5)
    }
  }
  return { calls, snapshots, failures, through, around, pages: () => pages }
}

describe('a snapshot of the current calls', () => {
  test('has every call that has not ended, and those that ended last', async () => {
    const { calls, snapshots, through } = trial()
    await calls.bring(callId('open'), 'IN_PROGRESS')
    await calls.bring(callId('grace'), 'COMPLETED')
    await calls.bring(callId('waiting'), 'PROCESSING_AI')
    await calls.bring(callId('ended'), 'ARCHIVED')
    await calls.bring(callId('longAgo'), 'FAILED')
    const member = new Member()
    snapshots.join(member)
    await through(member)
    const states = new Map(member.rows.map(({ call_id, state }) => [call_id, state]))
    assert.deepEqual([...states].sort(), [
      ['ended', 'ARCHIVED'],
      ['grace', 'COMPLETED'],
      ['open', 'IN_PROGRESS'],
      ['waiting', 'PROCESSING_AI'],
    ])
    assert.equal(member.parts.filter(({ isLast }) => isLast).length, 1)
    assert.equal(member.parts.at(-1)?.isLast, true)
  })

  // V3: what is marked and not committed is in memory, and would show.
  test('shows each row as of its place: exactly what the events before it told', async () => {
    const { calls, snapshots, through, around } = trial()
    const ids = Array.from({ length: 20 }, (_, i) => callId(`c${i}`))
    for (const id of ids) await calls.packet(id, 0).promise
    // Each row waits for a commit, in which a later packet of its call follows it.
    let sequence = 1
    around.before = (id) => void calls.packet(id, sequence++)
    around.after = (id) => void calls.packet(id, sequence++)
    const member = new Member()
    snapshots.join(member)
    await through(member)
    let compared = 0
    for (const { after, rows } of member.parts)
      for (const { text } of rows) {
        const row = JSON.parse(text) as CallRow
        const told = calls.events
          .slice(0, after)
          .filter(({ call_id, event }) => call_id === row.call_id && event === 'packet_received')
        assert.equal(row.total_received, told.length, row.call_id)
        assert.equal(row.total_received, 2, 'the one before it counts, the one after it does not')
        compared++
      }
    assert.equal(compared, ids.length)
  })

  test('is drawn once for all who wait for it', async () => {
    const { calls, snapshots, through, pages } = trial()
    await calls.packet(callId('c'), 0).promise
    const members = Array.from({ length: 50 }, () => new Member())
    for (const member of members) snapshots.join(member)
    for (const member of members) await through(member)
    for (const { rows } of members) assert.equal(rows.length, 1)
    assert(pages() <= 6, `${pages()} pages were read`)
  })

  test('tries again what passes, and says so when it does not', async () => {
    let failures = 2
    const busy = new VoiceStreamError('overloaded', 'too many reads')
    const passing = trial({
      calls: async () => {
        if (failures-- > 0) throw busy
        return { calls: [], nextCursor: null }
      },
    })
    const lucky = new Member()
    passing.snapshots.join(lucky)
    for (let i = 0; i < 20 && !lucky.isThrough; i++) await passing.calls.clock.advance(100)
    assert.deepEqual([lucky.isThrough, lucky.failures], [true, 0])

    const stuck = trial({ calls: () => Promise.reject(busy) })
    const member = new Member()
    stuck.snapshots.join(member)
    for (let i = 0; i < 40 && member.failures === 0; i++) await stuck.calls.clock.advance(100)
    assert.deepEqual([member.isThrough, member.failures, stuck.failures.length], [false, 1, 1])
    // And it is not stuck for ever.
    stuck.snapshots.join(member)
    for (let i = 0; i < 40 && member.failures === 1; i++) await stuck.calls.clock.advance(100)
    assert.equal(member.failures, 2)
  })

  test('comes to nobody who has left', async () => {
    const { snapshots, through, calls } = trial()
    await calls.packet(callId('c'), 0).promise
    const [gone, stays] = [new Member(), new Member()]
    snapshots.join(gone)
    snapshots.join(stays)
    snapshots.leave(gone)
    await through(stays)
    assert.deepEqual([gone.parts.length, stays.isThrough], [0, true])
  })
})
