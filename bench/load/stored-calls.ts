/**
 * A database that holds many calls and none of them in memory: half archived, half passive with an idle deadline ahead.
 *
 * Written through `SqliteJournal`, so that its rows are the service's own; through HTTP a million lives would take hours.
 * The calls have rows and snapshots, but no packets.
 */

import { type CallContext, newCall } from '../../src/actors/call-context.js'
import { callMachine } from '../../src/actors/call-machine.js'
import { snapshotOf } from '../../src/actors/call-replay.js'
import { TrackLogs } from '../../src/actors/track-logs.js'
import { systemClock } from '../../src/clock.js'
import { decodeCallId } from '../../src/protocol/call-id.js'
import { type CallSnapshot, settlementOf } from '../../src/store/journal.js'
import { SqliteJournal } from '../../src/store/sqlite/sqlite-journal.js'

const packets = 100
const idleMs = 900_000
const batchCalls = 5000
/** Deadlines lie from here to the idle timeout ahead: none comes due while somebody measures. */
const dueFromMs = 600_000

function receivedAll(): TrackLogs {
  const logs = new TrackLogs()
  for (let sequence = 0; sequence < packets; sequence++) logs.first.mark(sequence)
  return logs
}

function passiveSnapshot(now: number): CallSnapshot {
  const context = newCall(decodeCallId('any'), now, now + idleMs, receivedAll())
  return snapshotOf(callMachine.resolveState({ value: 'IN_PROGRESS', context }), true)
}

function archivedSnapshot(now: number): CallSnapshot {
  const logs = receivedAll()
  logs.first.expect(packets)
  const call = newCall(decodeCallId('any'), now, now + idleMs, logs)
  const result = {
    transcription: `Simulated transcription of ${packets} packets`,
    sentiment: 'neutral',
    confidence: 0.9,
  } as const
  const analysis = { ...call.analysis, attempts: 1, provider: 'simulated', result }
  const ended = { reason: 'completed', completedAt: now, endedAt: now, dueAt: null, analysis } as const
  const context: CallContext = { ...call, ...ended }
  return snapshotOf(callMachine.resolveState({ value: 'ARCHIVED', context }), true)
}

export async function storeCalls(dataDir: string, count: number): Promise<void> {
  const now = systemClock.now()
  let fatal: Error | null = null
  const journal = await SqliteJournal.open({
    dataDir,
    now,
    dueWithin: {},
    onFatal: (error) => {
      fatal = error
    },
  })
  const passive = passiveSnapshot(now)
  const archived = archivedSnapshot(now)
  const snapshotFor = (index: number): CallSnapshot =>
    index % 2 === 0 ? archived : { ...passive, dueAt: now + dueFromMs + (index % (idleMs - dueFromMs)) }
  for (let first = 0; first < count; first += batchCalls) {
    const indexes = Array.from({ length: Math.min(batchCalls, count - first) }, (_, index) => first + index)
    await Promise.all(indexes.map((index) => store(journal, `stored-${index}`, snapshotFor(index))))
  }
  await journal.close()
  if (fatal !== null) throw fatal
}

function store(journal: SqliteJournal, callId: string, snapshot: CallSnapshot): Promise<void> {
  const stream = journal.create(decodeCallId(callId))
  return new Promise((resolve, reject) => {
    const answered = () => {
      journal.release(stream)
      resolve()
    }
    journal.append(stream, 0, [], snapshot, settlementOf({ answered, failed: reject }, undefined))
  })
}
