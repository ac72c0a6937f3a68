/** V5: replaying a call gives the same receive log and lifecycle as living through it, from any of its snapshots. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { CallMachineSnapshot } from '../../src/actors/call-machine.js'
import { replay, restoreSnapshot, snapshotOf } from '../../src/actors/call-replay.js'
import { callView } from '../../src/actors/call-view.js'
import { callStates } from '../../src/protocol/call-states.js'
import { type StartBody, textMedia } from '../../src/protocol/media.js'
import type { LifecycleEntry } from '../../src/store/journal.js'
import { analysed } from '../support/analysed.js'
import { Calls, callId, graceMs, idleMs, result } from '../support/calls.js'
import { turns } from '../support/fake-clock.js'
import { holds } from '../support/property.js'

const id = callId('c1')

const recordedEntries = [
  'attempt-started',
  'attempt-failed',
  'attempt-released',
  'heard',
  'analysed',
  'analysis-failed',
] as const
type RecordedEntry = (typeof recordedEntries)[number]

type Step =
  | { kind: 'packet'; sequence: number }
  | { kind: 'complete'; totalPackets: number }
  | { kind: 'deadline'; afterMs: number }
  | { kind: 'record'; entry: RecordedEntry }
  | { kind: 'redrive' }
  | { kind: 'describe'; body: StartBody }
  | { kind: 'silence' }
  | { kind: 'commit' }

const packetStep = fc
  .oneof(fc.nat(25), fc.constantFrom(1000, 65_536, 2 ** 31 - 1))
  .map((sequence): Step => ({ kind: 'packet', sequence }))
const otherStep: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 1, max: 30 }).map((totalPackets): Step => ({ kind: 'complete', totalPackets })),
  fc.constantFrom(0, 1, graceMs, idleMs).map((afterMs): Step => ({ kind: 'deadline', afterMs })),
  fc.constantFrom(...recordedEntries).map((entry): Step => ({ kind: 'record', entry })),
  fc.constant<Step>({ kind: 'redrive' }),
  fc
    .record({ agent: fc.constantFrom('maria', 'jo'), media: fc.constantFrom({}, { channels: 2 }) })
    .map((body): Step => ({ kind: 'describe', body })),
  fc.constant<Step>({ kind: 'silence' }),
  fc.constant<Step>({ kind: 'commit' }),
)
/** What takes a call all the way, because chance alone seldom does. */
const road: readonly Step[] = [
  { kind: 'complete', totalPackets: 30 },
  { kind: 'deadline', afterMs: graceMs },
  { kind: 'record', entry: 'attempt-started' },
  { kind: 'record', entry: 'heard' },
  { kind: 'record', entry: 'analysis-failed' },
  { kind: 'redrive' },
]
const lives = fc
  .array(
    fc.oneof(
      { weight: 60, arbitrary: packetStep.map((step) => [step]) },
      { weight: 40, arbitrary: otherStep.map((step) => [step]) },
      { weight: 3, arbitrary: fc.nat(road.length).map((length) => road.slice(0, length)) },
    ),
    { minLength: 5, maxLength: 60 },
  )
  .map((parts) => parts.flat())

const outcome = await analysed(result)

function entryOf(name: RecordedEntry, attempts: number, at: number): LifecycleEntry {
  switch (name) {
    case 'attempt-started':
      return { type: name, at, attempt: attempts + 1, provider: 'fake' }
    case 'attempt-failed':
      return { type: name, at, attempt: attempts, error: 'no', spentMs: 17, nextAttemptAt: at + 1000 }
    case 'attempt-released':
      return { type: name, at, attempt: attempts, error: 'down' }
    case 'heard': {
      const { beginning, isTruncated, bytes } = outcome.digest
      return { type: name, at, digest: { beginning, isTruncated, bytes }, text: outcome.text }
    }
    case 'analysed':
      return { ...outcome, at }
    case 'analysis-failed':
      return { type: name, at, error: 'no' }
  }
}

/** All that a replay owes: the view and the log, but for duplicates, which leave nothing in the journal. */
function remembered(state: CallMachineSnapshot) {
  return {
    ...callView(state),
    duplicate_count: 0,
    // More than is shown.
    details: state.context.details,
    describedAt: state.context.describedAt,
    analysis: state.context.analysis,
    logs: state.context.logs.snapshot(),
  }
}

/** Sends without waiting, so that what follows meets a call whose past is not committed yet; `commit` lets it settle. */
async function live(calls: Calls, step: Step): Promise<void> {
  switch (step.kind) {
    case 'packet':
      calls.packet(id, step.sequence)
      return
    case 'complete':
      calls.complete(id, step.totalPackets)
      return
    case 'deadline':
      await calls.clock.advance(step.afterMs)
      calls.deadline(id)
      return
    case 'record': {
      const attempts = await calls.look(id, ({ context }) => context.analysis.attempts)
      if (attempts !== null) calls.record(id, entryOf(step.entry, attempts, calls.clock.now()))
      return
    }
    case 'describe':
      calls.describe(id, step.body)
      return
    case 'redrive':
      calls.redrive(id)
      return
    case 'silence':
      return calls.fallSilent()
    case 'commit':
      return turns()
  }
}

function replayedFromEach(calls: Calls): CallMachineSnapshot[] {
  const { appends } = calls.journal
  return appends.flatMap(({ snapshot }, i) => {
    if (snapshot === null) return []
    const entries = appends.slice(i + 1).flatMap((append) => append.entries)
    return [replay(restoreSnapshot(id, snapshot), entries)]
  })
}

describe('a replayed call', () => {
  test('equals the living one, whatever it has lived through and from whichever snapshot (V5)', async (t) => {
    // Guards against a change of state that is not journaled, or that is made differently while replaying.
    let snapshots = 0
    const ended = new Set<string>()
    let redriven = 0
    let described = 0
    await holds(t, lives, 150, async (steps) => {
      const calls = new Calls()
      for (const step of steps) await live(calls, step)
      await turns()
      const living = await calls.look(id, (state) => ({ ...remembered(state), dueAt: state.context.dueAt }))
      if (living === null) return
      const replayed = replayedFromEach(calls)
      assert(replayed.length > 0)
      const { dueAt, ...rest } = living
      for (const state of replayed) assert.deepEqual(remembered(state), rest)
      // A postponed deadline stands in snapshots only, so the last one has it.
      assert.equal(replayed.at(-1)?.context.dueAt, dueAt)
      snapshots += replayed.length
      ended.add(living.state)
      if (living.analysis.redrives > 0) redriven++
      if (living.describedAt !== null) described++
    })
    assert(snapshots > 300, `${snapshots} snapshots`)
    assert(ended.size >= 4, [...ended].join())
    assert(described > 30, `${described} calls were described`)
    assert(redriven > 3, `${redriven} calls were redriven`)
  })

  test('equals the living one after it was passivated and activated again, in every state', async () => {
    for (const state of callStates) {
      const calls = new Calls()
      await calls.bring(id, state)
      const before = await calls.view(id)
      await calls.fallSilent()
      assert.equal(calls.registry.isActive(id), false, state)
      assert.deepEqual(await calls.view(id), before, 'as it is stored')
      assert.deepEqual(await calls.activate(id), before, 'as it is replayed')
      assert.equal(calls.registry.isActive(id), true)
    }
  })

  test('equals the living one after each of its drives, from every snapshot of them (V5)', async () => {
    // Guards against a redrive that a restart forgets, or that goes on with the attempts of the drive before.
    const calls = new Calls()
    await calls.bring(id, 'FAILED')
    for (let drive = 1; drive <= 3; drive++) {
      await calls.redrive(id).promise
      for (const name of [
        'attempt-started',
        'attempt-released',
        'attempt-started',
        'analysis-failed',
      ] as const) {
        const attempts = (await calls.look(id, ({ context }) => context.analysis.attempts)) ?? 0
        assert.equal(await calls.record(id, entryOf(name, attempts, calls.clock.now())).promise, true, name)
        const living = await calls.look(id, remembered)
        for (const state of replayedFromEach(calls)) assert.deepEqual(remembered(state), living)
      }
      const { attempts, attemptsTotal, redrives } = (await calls.look(id, remembered))?.analysis ?? {}
      assert.deepEqual([attempts, attemptsTotal, redrives], [1, 1 + 2 * drive, drive])
    }
  })

  test('takes a packet that the journal holds twice once, and is refused where an entry does not follow', async () => {
    // Guards against a call that no start can bring back, because of a packet that was never told to be stored twice.
    const calls = new Calls()
    await calls.packet(id, 0).promise
    const snapshot = calls.journal.appends[0]?.snapshot
    assert(snapshot)
    const start = () => restoreSnapshot(id, snapshot)
    const twice = replay(start(), [
      { type: 'packet', sequence: 0, receivedAt: 1 },
      { type: 'dropped', sequence: 0 },
    ])
    assert.deepEqual(twice, start())
    assert.throws(() => replay(start(), [{ type: 'grace-over', at: 1 }]), /follows/)
  })
})

describe('a snapshot', () => {
  test('from before calls were described is read as that of a call of the default media', async () => {
    const calls = new Calls()
    await calls.bring(id, 'FAILED')
    const [now] = (await calls.look(id, (state) => [snapshotOf(state, true)])) ?? []
    assert(now)
    const { details, describedAt, ...old } = JSON.parse(now.body)
    assert.deepEqual([details, describedAt], [{ media: textMedia }, null])
    const media = { encoding: 'alaw', sample_rate: 16_000, channels: 2 } as const
    const { context } = restoreSnapshot(id, { ...now, body: JSON.stringify(old) }, media)
    assert.deepEqual([context.details, context.describedAt], [{ media }, null])
    const said = restoreSnapshot(id, now, media).context
    assert.deepEqual(said.details, { media: textMedia }, 'what was known stays')
  })

  test('gives back exactly the state that it was taken of', async () => {
    for (const state of callStates) {
      const calls = new Calls()
      await calls.bring(id, state)
      await calls.packet(id, 0).promise
      const [living, restored] =
        (await calls.look(id, (now) => [now, restoreSnapshot(id, snapshotOf(now, true))])) ?? []
      assert(living && restored)
      assert.equal(restored.value, living.value)
      const { logs, ...context } = restored.context
      const { logs: livingLogs, ...livingContext } = living.context
      assert.deepEqual(context, livingContext)
      assert.deepEqual(logs.snapshot(), livingLogs.snapshot())
      assert.equal(context.duplicateCount, 1)
    }
  })

  test('from before there were retries is read as that of a call without any', async () => {
    const calls = new Calls()
    await calls.bring(id, 'FAILED')
    const [now] = (await calls.look(id, (state) => [snapshotOf(state, true)])) ?? []
    assert(now)
    const { analysis, ...body } = JSON.parse(now.body)
    const { attemptsTotal: _, redrives: __, isAwaitingProvider: ___, ...old } = analysis
    assert.equal(Object.keys(old).length, Object.keys(analysis).length - 3)
    const restored = restoreSnapshot(id, { ...now, body: JSON.stringify({ ...body, analysis: old }) })
    assert.deepEqual(restored.context.analysis, {
      ...old,
      attemptsTotal: old.attempts,
      redrives: 0,
      isAwaitingProvider: false,
    })
    assert.equal(restored.can({ type: 'redriven', at: 1 }), true)
  })
})
