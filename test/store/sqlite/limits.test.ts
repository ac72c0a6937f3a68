/** The bounds of the journal on SQLite, and what a busy or failing database does to its callers. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../../src/limits.js'
import { settlementOf } from '../../../src/store/journal.js'
import { callId } from '../../support/calls.js'
import { append, packetEntry, pagesOf, settled, snapshot, storedCall } from '../../support/journals.js'
import { inspect, openJournal, whileLocked } from '../../support/sqlite.js'

const id = callId('c1')

describe('the open batch', () => {
  test('has room for so many entries, says so when it is full, and has room again after the commit (V7)', async (t) => {
    const { journal } = await openJournal(t)
    const stream = await storedCall(journal, id)
    let committed = 0
    const replyTo = { answered: () => committed++, failed: (error: Error) => assert.fail(error) }
    const settlement = settlementOf(replyTo, undefined)
    // The first ones are with the writer at once.
    const entries = limits.eagerCommitEntries + limits.journalQueueEntriesMax
    for (let i = 1; i <= entries; i++) {
      assert.equal(journal.hasRoom(1), true)
      journal.append(stream, stream.version, [packetEntry(i, 'x')], null, settlement)
    }
    assert.equal(journal.hasRoom(0), false)
    assert.throws(
      () => journal.append(stream, stream.version, [packetEntry(0, 'x')], null, settlement),
      /room/,
    )
    await settled(journal, stream)
    assert.equal(committed, entries)
    assert.equal(journal.hasRoom(limits.dataBytesMax), true)
  })

  test('has room for so many bytes, and counts those of the next packet', async (t) => {
    const { journal } = await openJournal(t)
    const stream = await storedCall(journal, id)
    const data = 'y'.repeat(limits.dataBytesMax)
    let packets = 0
    while (journal.hasRoom(limits.dataBytesMax)) {
      packets++
      void append(journal, stream, [packetEntry(packets, data)])
    }
    const room = Math.floor(limits.journalQueueBytesMax / (limits.dataBytesMax + 36))
    assert.equal(packets, limits.eagerCommitEntries + room)
    assert(journal.commits.openBytes <= limits.journalQueueBytesMax)
    await settled(journal, stream)
    const found = (await pagesOf(journal, id, 1000)).flatMap((page) => page.packets)
    assert.equal(found.length, packets + 1)
  })
})

describe('a page', () => {
  test('of packets ends before 2 MiB, of calls likewise, and the next one goes on there', async (t) => {
    const { journal } = await openJournal(t)
    const stream = await storedCall(journal, id)
    const data = 'y'.repeat(limits.dataBytesMax)
    await append(
      journal,
      stream,
      [...Array(150).keys()].map((i) => packetEntry(i + 1, data)),
    )
    const pages = await pagesOf(journal, id, limits.packetsPageMax)
    assert(pages.length >= 3)
    for (const { packets } of pages)
      assert(packets.reduce((sum, packet) => sum + packet.data.length, 0) <= limits.pageBytesMax)

    for (let i = 0; i < 5; i++)
      await storedCall(journal, callId(`large-${i}`), [0], snapshot({ body: 'z'.repeat(900_000) }))
    const first = await journal.calls({ state: null, cursor: null, limit: 100 })
    assert.deepEqual(
      first.calls.map((call) => call.callId),
      ['large-4', 'large-3'],
    )
    const second = await journal.calls({ state: null, cursor: first.nextCursor, limit: 100 })
    assert.equal(second.calls[0]?.callId, 'large-2')
  })

  test('is made of runs of at most 256 KiB, each read once', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    const stream = await storedCall(journal, id)
    const data = 'y'.repeat(limits.dataBytesMax)
    await append(
      journal,
      stream,
      [...Array(70).keys()].map((i) => packetEntry(i + 1, data)),
    )
    // A full run is folded with the commit after it.
    await append(journal, stream, [packetEntry(71)])
    assert.equal((await pagesOf(journal, id, 1000)).flatMap((page) => page.packets).length, 72)
    const sizes = inspect(
      dataDir,
      (db) => db.prepare('SELECT length(records) FROM runs').pluck().all() as number[],
    )
    assert(sizes.length >= 6)
    assert(Math.max(...sizes) <= limits.runBytesMax)
  })
})

describe('a database that is locked for longer than the writer waits', () => {
  test('fails the commit, says why, is no reason to stop, and is used again afterwards', async (t) => {
    const { journal, dataDir, fatal } = await openJournal(t)
    const stream = await storedCall(journal, id)
    await whileLocked(dataDir, async () => {
      const startedAt = performance.now()
      await assert.rejects(append(journal, stream, [packetEntry(1)]), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'commit_failed')
        assert.match(String(error.cause), /SQLITE_BUSY/)
        return true
      })
      assert(performance.now() - startedAt > 1000, 'it was waited for first')
    })
    assert.deepEqual(fatal, [])
    const history = await journal.replay(id)
    assert(history)
    await append(journal, history.stream, [packetEntry(1)])
    assert.equal((await journal.packets(id, 0, 10)).packets.length, 2)
  })
})

describe('a commit', () => {
  test('holds what arrived while the one before it was under way', async (t) => {
    // Guards against one fsync a packet: group commit is what makes the rate.
    const packets: number[] = []
    const { journal } = await openJournal(t, { onCommit: (commit) => packets.push(commit.packets) })
    const stream = await storedCall(journal, id)
    const commits: Promise<void>[] = []
    for (let i = 1; i <= 2000; i++) {
      commits.push(append(journal, stream, [packetEntry(i)]))
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(commits)
    assert.equal(
      packets.reduce((sum, count) => sum + count, 0),
      2001,
    )
    assert(packets.length <= 25, `${packets.length} commits`)
    assert(Math.max(...packets) >= 100)
  })
})
