/** What the journal on SQLite holds after a clean stop, after a crash, and after damage. */
import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import { limits } from '../../../src/limits.js'
import type { CallId } from '../../../src/protocol/call-id.js'
import { recordCallKey, recordOrdinal, recordStarts } from '../../../src/store/sqlite/packet-record.js'
import type { SqliteJournal } from '../../../src/store/sqlite/sqlite-journal.js'
import { callId } from '../../support/calls.js'
import {
  append,
  lifecycleEntry,
  packetEntry,
  pagesOf,
  plain,
  remembered,
  settled,
  snapshot,
  storedCall,
} from '../../support/journals.js'
import { randomNumbers, seed } from '../../support/property.js'
import { temporaryFolder } from '../../support/service.js'
import { change, close, fileOf, inspect, openJournal } from '../../support/sqlite.js'

const ids = ['a', 'b', 'c', 'd', 'e'].map(callId)

/** Five calls with some hundred entries over many commits, some of them folded, some in the tail. */
async function fill(t: TestContext, journal: SqliteJournal): Promise<void> {
  t.diagnostic(`VSTEST_SEED=${seed}`)
  const random = randomNumbers(30)
  const streams = await Promise.all(ids.map((id) => storedCall(journal, id, [0], snapshot({ dueAt: 10 }))))
  for (let step = 1; step <= 200; step++) {
    const stream = streams[Math.floor(random() ** 2 * 5)]
    assert(stream)
    const entries = [...Array(1 + Math.floor(random() * 6))].map((_, i) =>
      random() < 0.1
        ? lifecycleEntry(step * 10 + i)
        : packetEntry(step * 10 + ((i * 7) % 10), `dätä ${step}`),
    )
    const taken = random() < 0.03 ? snapshot({ state: 'COMPLETED', body: `{"step":${step}}` }) : null
    const committed = append(journal, stream, entries, taken)
    if (step % 10 === 0) await committed
  }
  await Promise.all(streams.map((stream) => settled(journal, stream)))
}

async function contentsOf(journal: SqliteJournal) {
  const calls = await Promise.all(
    ids.map(async (id) => {
      const history = await journal.replay(id)
      const packets = (await pagesOf(journal, id, 100)).flatMap((page) => page.packets.map(plain))
      return { id, snapshot: history?.snapshot, entries: remembered(history?.entries ?? []), packets }
    }),
  )
  const due = await journal.due({ dueAt: 0, key: 0 }, 1_000_000, 100)
  const list = await journal.calls({ state: null, cursor: null, limit: 100 })
  return { calls, due, list, counts: await journal.stateCounts() }
}

function countOf(contents: Awaited<ReturnType<typeof contentsOf>>): number {
  return contents.calls.reduce((sum, { packets }) => sum + packets.length, 0)
}

/** The tail is empty, and the runs hold so many packets, each once and within the bounds that its run names. */
function assertFolded(dataDir: string, packets: number): void {
  inspect(dataDir, (db) => {
    assert.equal(db.prepare('SELECT count(*) FROM journal').pluck().get(), 0)
    const seen: string[] = []
    for (const run of db.prepare('SELECT * FROM runs').all() as Record<string, number & Buffer>[]) {
      const { records, first_sequence, last_sequence, call_key } = run
      assert(records)
      const sequences = [...recordStarts(records)].map((at) => {
        assert.equal(recordCallKey(records, at), call_key)
        return recordOrdinal(records, at)
      })
      assert.deepEqual([Math.min(...sequences), Math.max(...sequences)], [first_sequence, last_sequence])
      seen.push(...sequences.map((sequence) => `${call_key}/${sequence}`))
    }
    assert.equal(seen.length, packets)
    assert.equal(new Set(seen).size, packets)
  })
}

describe('everything that was committed', () => {
  test('is there again after the journal was closed and opened', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    await fill(t, journal)
    const before = await contentsOf(journal)
    await close(journal)
    const { journal: next } = await openJournal(t, { dataDir })
    assert.deepEqual(await contentsOf(next), before)
    assert(countOf(before) > 300)
  })

  test('is there in an image of the folder that was taken while the journal was open', async (t) => {
    // As after kill -9: the tail is not folded, nothing is checkpointed. Nothing is read before, for a read folds.
    const { journal, dataDir } = await openJournal(t)
    await fill(t, journal)
    const image = join(temporaryFolder(t), 'image')
    cpSync(dataDir, image, { recursive: true })
    rmSync(`${fileOf(image)}-shm`, { force: true })
    const tail = inspect(image, (db) => db.prepare('SELECT count(*) FROM journal').pluck().get() as number)
    assert(tail > 0, 'the image has a tail to recover')
    const { journal: recovered } = await openJournal(t, { dataDir: image })
    assert.deepEqual(await contentsOf(recovered), await contentsOf(journal))
    const stream = (await recovered.replay(ids[0] as CallId))?.stream
    assert(stream)
    await append(recovered, stream, [packetEntry(9_999_999)])
    await close(recovered)
    const { journal: again } = await openJournal(t, { dataDir: image })
    assert.equal((await again.packets(ids[0] as CallId, 9_999_999, 1)).packets.length, 1)
  })

  test('is there once when a batch was folded in part before the crash', async (t) => {
    // Guards against a recovery that takes the whole batch as not folded: packets would stand twice, and the call could
    // not be replayed any more.
    const { journal, dataDir } = await openJournal(t)
    const [busy, quiet] = [journal.create(callId('busy')), journal.create(callId('quiet'))]
    const first = append(
      journal,
      busy,
      [...Array(70).keys()].map((i) => packetEntry(i, 'x'.repeat(limits.foldBytesMin / 64))),
      snapshot(),
    )
    await Promise.all([first, append(journal, quiet, [packetEntry(0), packetEntry(5)], snapshot())])
    // The next commit folds the full run of the busy call; the quiet one keeps the batch in the tail.
    await append(journal, busy, [packetEntry(70)])
    const image = join(temporaryFolder(t), 'image')
    cpSync(dataDir, image, { recursive: true })
    inspect(image, (db) => {
      assert.equal(db.prepare('SELECT count(DISTINCT call_key) FROM runs').pluck().get(), 1, 'one is folded')
      assert.equal(db.prepare('SELECT count(*) FROM journal').pluck().get(), 2, 'its batch is still there')
    })
    const { journal: recovered } = await openJournal(t, { dataDir: image })
    for (const [name, expected] of [
      ['busy', [...Array(71).keys()]],
      ['quiet', [0, 5]],
    ] as const) {
      const { packets } = await recovered.packets(callId(name), 0, 1000)
      assert.deepEqual(
        packets.map(({ sequence }) => sequence),
        expected,
      )
      // The snapshot was taken with the first append; what came after it is replayed once.
      assert.equal((await recovered.replay(callId(name)))?.entries.length, name === 'busy' ? 1 : 0)
    }
    await close(recovered)
    assertFolded(image, 73)
  })

  test('stands once in the runs and not at all in the tail once the journal is closed', async (t) => {
    // Guards against a fold that leaves its packets in the tail: the next start would fold, and give, them twice.
    const { journal, dataDir } = await openJournal(t)
    await fill(t, journal)
    const stored = countOf(await contentsOf(journal))
    await close(journal)
    assertFolded(dataDir, stored)
  })

  test('is settled before the journal closes, what was appended a moment ago too', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    const stream = await storedCall(journal, ids[0] as CallId)
    const committed = append(journal, stream, [packetEntry(1)])
    await close(journal)
    await committed
    const { journal: next } = await openJournal(t, { dataDir })
    assert.equal((await next.packets(ids[0] as CallId, 0, 10)).packets.length, 2)
  })

  test('keeps keys of its own after a restart, so that no call gets another one’s packets', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    await storedCall(journal, ids[0] as CallId, [1])
    await close(journal)
    const { journal: next } = await openJournal(t, { dataDir })
    await storedCall(next, ids[1] as CallId, [2])
    for (const [i, id] of ids.slice(0, 2).entries())
      assert.deepEqual(
        (await next.packets(id, 0, 10)).packets.map(({ sequence }) => sequence),
        [i + 1],
      )
    const { calls } = await next.calls({ state: null, cursor: null, limit: 10 })
    assert.deepEqual(
      calls.map((call) => call.callId),
      ['b', 'a'],
    )
  })

  test('gives keys of their own to new calls beside one whose key is damaged', async (t) => {
    // Guards against a flipped bit in a key: past 2^53 the next key was the same one for every new call.
    const { journal, dataDir } = await openJournal(t)
    await storedCall(journal, ids[0] as CallId, [1])
    await close(journal)
    change(dataDir, (db) => {
      db.exec('UPDATE calls SET key = 1 << 60')
      db.exec('INSERT INTO erasures VALUES (1 << 61)')
    })
    const { journal: next } = await openJournal(t, { dataDir })
    for (const [i, id] of ids.slice(1).entries()) await storedCall(next, id, [i])
    for (const [i, id] of ids.slice(1).entries())
      assert.deepEqual(
        (await next.packets(id, 0, 10)).packets.map(({ sequence }) => sequence),
        [i],
      )
  })
})

describe('a deadline after a restart', () => {
  test('lies at most its full delay ahead, whatever the wall clock did, and keeps what is left of it (V8)', async (t) => {
    const now = 1_000_000
    const { journal, dataDir } = await openJournal(t, { now })
    const dues = { far: 90_000_000, soon: now + 1500, past: 5 }
    for (const [name, dueAt] of Object.entries(dues))
      await storedCall(journal, callId(name), [0], snapshot({ state: 'COMPLETED', dueAt }))
    await storedCall(
      journal,
      callId('other-state'),
      [0],
      snapshot({ state: 'PROCESSING_AI', dueAt: 90_000_000 }),
    )
    await close(journal)
    const { journal: next } = await openJournal(t, { dataDir, now, dueWithin: { COMPLETED: 3000 } })
    const due = await next.due({ dueAt: 0, key: 0 }, Number.MAX_SAFE_INTEGER, 10)
    assert.deepEqual(Object.fromEntries(due.map(({ callId, dueAt }) => [callId, dueAt])), {
      past: 5,
      soon: now + 1500,
      far: now + 3000,
      'other-state': 90_000_000,
    })
    assert.equal((await next.replay(callId('far')))?.snapshot.dueAt, now + 3000)
  })
})

describe('a damaged database', () => {
  async function damaged(t: TestContext, isOpen: boolean, table: string): Promise<string> {
    const { journal, dataDir } = await openJournal(t)
    await storedCall(journal, ids[0] as CallId, [0, 1, 2])
    let folder = dataDir
    if (isOpen) {
      folder = join(temporaryFolder(t), 'image')
      cpSync(dataDir, folder, { recursive: true })
    } else await close(journal)
    // Left open: the last connection that closes would take the log away.
    const db = new Database(fileOf(folder))
    t.after(() => db.close())
    const { records } = db.prepare(`SELECT records FROM ${table}`).get() as { records: Buffer }
    records.writeUInt8(records.readUInt8(40) ^ 1, 40)
    assert.equal(db.prepare(`UPDATE ${table} SET records = ?`).run(records).changes, 1)
    return folder
  }

  test('is refused at the start when its tail is damaged', async (t) => {
    const dataDir = await damaged(t, true, 'journal')
    await assert.rejects(openJournal(t, { dataDir }), /the journal is damaged at offset 1/)
  })

  test('is refused with the same words at the next start', async (t) => {
    // Guards against a refusal that ends in SQLite's last close: it moves the log away, and the next start says that
    // the log is gone, which sends the operator to accept a loss that is none.
    const source = await damaged(t, true, 'journal')
    const dataDir = join(temporaryFolder(t), 'evidence')
    cpSync(source, dataDir, { recursive: true })
    for (let start = 1; start <= 3; start++)
      await assert.rejects(
        openJournal(t, { dataDir }),
        /the journal is damaged at offset 1/,
        `start ${start}`,
      )
  })

  test('is gone on without its damaged row where the operator accepts that, and the next start needs no word', async (t) => {
    // The start was refused all the same, and no setting helped.
    const dataDir = await damaged(t, true, 'journal')
    const told: string[] = []
    const accepting = { acceptDataLoss: true, onDamaged: (damage: string) => told.push(damage) }
    const { journal } = await openJournal(t, { dataDir, ...accepting })
    assert.deepEqual(told, ['the journal is damaged at offset 1'])
    await close(journal)
    await openJournal(t, { dataDir })
  })

  test('refuses to give packets out of a damaged run, and never gives wrong ones', async (t) => {
    const dataDir = await damaged(t, false, 'runs')
    const { journal } = await openJournal(t, { dataDir })
    await assert.rejects(journal.packets(ids[0] as CallId, 0, 10), { code: 'stored_damage' })
  })
})
