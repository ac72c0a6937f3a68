/** What the main thread keeps of a batch that is with the writer, when the store fails meanwhile. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { VoiceStreamError } from '../../../../src/errors.js'
import { limits } from '../../../../src/limits.js'
import { type LifecycleEntry, settlementOf } from '../../../../src/store/journal.js'
import { SqliteReads } from '../../../../src/store/sqlite/reading/sqlite-reads.js'
import { Stream } from '../../../../src/store/sqlite/writing/batch.js'
import { GroupCommit } from '../../../../src/store/sqlite/writing/group-commit.js'
import { SqliteWrites } from '../../../../src/store/sqlite/writing/sqlite-writes.js'
import { callId } from '../../../support/calls.js'
import { turns } from '../../../support/fake-clock.js'
import { packetEntry, snapshot } from '../../../support/journals.js'
import { close, openJournal } from '../../../support/sqlite.js'

const analysed: LifecycleEntry = { type: 'analysis-failed', at: 1, error: 'none' }

test('a commit that comes back after the store has failed is no fault, and tells nobody a second time', async () => {
  // Guards against an assertion that ends the process in the place of the orderly exit that is under way.
  const handedOver: number[] = []
  const commits = new GroupCommit({ handOver: ({ id }) => handedOver.push(id) })
  const told: string[] = []
  commits.append(
    new Stream(callId('c1'), 1, 0),
    [packetEntry(0)],
    snapshot(),
    settlementOf(
      { answered: () => told.push('committed'), failed: ({ code }) => told.push(code) },
      undefined,
    ),
  )
  await turns()
  assert.equal(handedOver.length, 1)
  commits.stop(new VoiceStreamError('commit_failed', 'the store has failed'))
  commits.committed({ type: 'committed', id: handedOver[0] ?? 0, commitMs: 1, tailBytes: 0, walPages: 0 })
  assert.deepEqual(told, ['commit_failed'])
  assert.equal(commits.queuedEntries, 0)
})

for (const outcome of ['committed', 'failed'] as const)
  test(`a batch that has ${outcome} is let go, though its calls are live`, async () => {
    // Guards against receipts, request bodies and findings that stay until the next packet of each call in the batch.
    let id = 0
    const commits = new GroupCommit({ handOver: (batch) => (id = batch.id) })
    const streams = [new Stream(callId('c1'), 1, 0), new Stream(callId('c2'), 2, 0)]
    const body = 'x'.repeat(1000)
    let told = 0
    const count = () => told++
    for (const stream of streams)
      commits.append(
        stream,
        [packetEntry(0), analysed],
        { ...snapshot(), body },
        settlementOf({ answered: count, failed: count }, undefined),
      )
    await turns()
    if (outcome === 'committed')
      commits.committed({ type: 'committed', id, commitMs: 1, tailBytes: 0, walPages: 0 })
    else commits.fail(new VoiceStreamError('commit_failed', 'the disk is full'))
    await turns()
    assert.equal(told, 2)
    for (const { batch, isPending, isDead } of streams) {
      assert.equal(isPending, false)
      assert.equal(isDead, outcome === 'failed')
      assert.deepEqual([batch?.settlements, batch?.calls, batch?.lifecycle], [[], [], []])
    }
  })

test('what nobody waits for gathers, until somebody does', async (t) => {
  // Guards against a commit for each turn of the loop in which media streams bring packets, and against a receipt that waits
  // for them.
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const handedOver: number[] = []
  const commits = new GroupCommit({ handOver: ({ settlements }) => handedOver.push(settlements.length) })
  const stream = new Stream(callId('c1'), 1, 0)
  const append = (patience: { isPatient?: true }) =>
    commits.append(
      stream,
      [packetEntry(0)],
      null,
      settlementOf({ answered: () => {}, failed: () => {}, ...patience }, undefined),
    )
  const committed = () =>
    commits.committed({ type: 'committed', id: handedOver.length, commitMs: 1, tailBytes: 0, walPages: 0 })

  for (let packets = 0; packets < 2 * limits.eagerCommitEntries; packets++) append({ isPatient: true })
  await turns()
  assert.deepEqual(handedOver, [])
  t.mock.timers.tick(limits.patientCommitMs)
  assert.deepEqual(handedOver, [2 * limits.eagerCommitEntries])

  append({ isPatient: true })
  committed()
  await turns()
  assert.equal(handedOver.length, 1, 'what came during a commit gathers as well')
  append({})
  await turns()
  assert.deepEqual(handedOver.slice(1), [2])
  committed()

  // A long turn of the loop is no reason for a second one.
  append({ isPatient: true })
  now += limits.patientCommitMs
  append({ isPatient: true })
  assert.deepEqual(handedOver.slice(2), [2])
})

test('a thread that has ended already is not waited for', { timeout: 20_000 }, async (t) => {
  // Guards against a stop that waits for an exit which nobody will tell again, until it is killed.
  const dataDir = join(mkdtempSync(join(tmpdir(), 'voicestream-threads-')), 'none')
  t.after(() => rmSync(join(dataDir, '..'), { recursive: true }))
  const ignore = () => {}
  const writes = new SqliteWrites(
    { dataDir, acceptDataLoss: false, now: 0, dueWithin: {} },
    {
      checkpointFailed: ignore,
      erasing: ignore,
      dropped: ignore,
      damaged: ignore,
      died: ignore,
    },
  )
  await assert.rejects(writes.opened())
  await writes.end()
  await writes.end()

  const { journal, dataDir: stored } = await openJournal(t)
  await close(journal)
  const reads = await SqliteReads.open({
    dataDir: stored,
    yields: false,
    atOnce: 1,
    died: ignore,
    damaged: ignore,
  })
  await reads.close()
  await reads.close()
})
