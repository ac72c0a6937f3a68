/** What an erasure leaves in the files: nothing, wherever SQLite has put copies of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { textMedia } from '../../../../src/protocol/media.js'
import { parseSearch } from '../../../../src/protocol/search.js'
import type { CallStream } from '../../../../src/store/journal.js'
import type { SqliteJournal } from '../../../../src/store/sqlite/sqlite-journal.js'
import { analysed } from '../../../support/analysed.js'
import { callId } from '../../../support/calls.js'
import { found } from '../../../support/data-files.js'
import { append, erase, lifecycleEntry, packetEntry, snapshot } from '../../../support/journals.js'
import { randomNumbers, seed } from '../../../support/property.js'
import { eventually } from '../../../support/service.js'
import { change, close, inspect, openJournal } from '../../../support/sqlite.js'

const nameOf = (call: number) => `call-${call}-of-many`
const textOf = (call: number) => `<said in ${call}>`
const fill = (call: number, bytes: number) =>
  textOf(call)
    .repeat(1 + bytes / 14)
    .slice(0, bytes)

/** Rows grow while others come between them, so that pages are split and merged again and again. */
async function fillPages(journal: SqliteJournal, calls: number): Promise<Map<number, CallStream>> {
  const random = randomNumbers(31)
  const streams = new Map<number, CallStream>()
  const told: Promise<void>[] = []
  for (let step = 0; step < calls * 8; step++) {
    const call =
      streams.size < calls && random() < 0.2
        ? streams.size
        : Math.max(0, streams.size - 1 - Math.floor(random() * 60))
    const stream = streams.get(call) ?? journal.create(callId(nameOf(call)))
    streams.set(call, stream)
    const body = JSON.stringify({ any: fill(call, 100 + random() * 1200) })
    const entry = { ...lifecycleEntry(step), provider: fill(call, 60 + random() * 400) }
    const packet = packetEntry(step, fill(call, 100 + random() * 3000))
    told.push(append(journal, stream, [packet, entry], snapshot({ body })))
    if (step % 20 === 0) await told.at(-1)
  }
  await Promise.all(told)
  return streams
}

const untilErased = (journal: SqliteJournal) =>
  eventually(
    async () => journal.erasureBacklog,
    (calls) => calls === 0,
    60_000,
  )

describe('the files after an erasure', () => {
  test('hold no copy of the call, also not in the gaps that SQLite leaves when it rebuilds a page', async (t) => {
    // `secure_delete` alone leaves a text of about every thirtieth call.
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const { journal, dataDir } = await openJournal(t)
    const streams = await fillPages(journal, 500)
    const erased = [...streams.keys()].filter((call) => call % 2 === 0)
    const told = erased.map((call) => erase(journal, streams.get(call) as CallStream))
    await Promise.all(told)
    await untilErased(journal)
    const marks = erased.flatMap((call) => [nameOf(call), textOf(call)])
    assert.deepEqual(found(dataDir, marks), [])
    const kept = [...streams.keys()].filter((call) => call % 2 === 1)
    for (const call of kept)
      assert(found(dataDir, [nameOf(call), textOf(call)]).length >= 2, `${nameOf(call)} stays`)
    await close(journal)
    inspect(dataDir, (db) => {
      assert.equal(db.pragma('integrity_check', { simple: true }), 'ok')
      assert.equal(db.prepare('SELECT count(*) FROM erasures').pluck().get(), 0)
      assert.equal(
        db.prepare('SELECT count(*) FROM runs WHERE call_key NOT IN (SELECT key FROM calls)').pluck().get(),
        0,
      )
    })
  })

  test('hold none either when the service stops at once', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    const streams = await fillPages(journal, 60)
    await erase(journal, streams.get(7) as CallStream)
    await close(journal)
    assert.deepEqual(found(dataDir, [nameOf(7), textOf(7)]), [])
    const { journal: next } = await openJournal(t, { dataDir })
    assert.equal(await next.call(callId(nameOf(7))), null)
    assert.notEqual(await next.call(callId(nameOf(8))), null)
  })

  test('keep what was erased last apart from the call that comes next', async (t) => {
    // Guards against a key that is used again while the packets of its first call are still being deleted.
    const { journal, dataDir } = await openJournal(t)
    const streams = await fillPages(journal, 20)
    const last = Math.max(...streams.keys())
    const { key } = streams.get(last) as CallStream & { key: number }
    await erase(journal, streams.get(last) as CallStream)
    await close(journal)
    change(dataDir, (db) => db.prepare('INSERT OR IGNORE INTO erasures VALUES (?)').run(key))
    const { journal: next } = await openJournal(t, { dataDir })
    const stream = next.create(callId('next'))
    await append(next, stream, [packetEntry(1)], snapshot())
    assert((stream as CallStream & { key: number }).key > key)
    await untilErased(next)
    assert.equal((await next.packets(callId('next'), 0, 10)).packets.length, 1)
  })

  test('wait for somebody who reads an old snapshot, and commits do not', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    const streams = await fillPages(journal, 60)
    const { default: Database } = await import('better-sqlite3')
    const reader = new Database(`${dataDir}/voicestream.db`, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM calls').get()
    await erase(journal, streams.get(7) as CallStream)
    const other = streams.get(8) as CallStream
    const until = performance.now() + 6000
    let slowest = 0
    for (let sequence = 10_000; performance.now() < until; sequence++) {
      const since = performance.now()
      await append(journal, other, [packetEntry(sequence)])
      slowest = Math.max(slowest, performance.now() - since)
    }
    assert(slowest < 1000, `a commit took ${slowest} ms`)
    assert.equal(journal.erasureBacklog, 1)
    assert.notDeepEqual(found(dataDir, [nameOf(7), textOf(7)]), [])
    reader.exec('COMMIT')
    await untilErased(journal)
    assert.deepEqual(found(dataDir, [nameOf(7), textOf(7)]), [])
    reader.close()
  })
})

describe('the index of words after an erasure', () => {
  const words = (call: number) =>
    [...Array(40).keys()]
      .map((i) => (i % 2 === 0 ? `said${call}x${i}z` : `common${(i * call) % 300}`))
      .join(' ')
  const details = (call: number) => ({
    media: textMedia,
    caller: `caller-${call}-`,
    metadata: { k: `label-${call}-` },
  })

  test('holds no word of the call, wherever FTS5 has put copies of it', async (t) => {
    // Guards against delete marks that repeat the words, and against `secure-delete` of FTS5, which leaves some of them.
    const { journal, dataDir } = await openJournal(t)
    const streams: CallStream[] = []
    const told: Promise<void>[] = []
    for (let call = 0; call < 600; call++) {
      const stream = journal.create(callId(`c${call}`))
      streams.push(stream)
      const result = { transcription: words(call), sentiment: 'neutral', confidence: 1 } as const
      const entries = [{ type: 'described', at: 1, details: details(call) }, await analysed(result)] as const
      told.push(append(journal, stream, entries, snapshot({ state: 'ARCHIVED', body: '{}' })))
      if (call % 10 === 0) await told.at(-1)
    }
    await Promise.all(told)
    const erased = [...streams.keys()].filter((call) => call % 3 === 0)
    for (const call of erased) await erase(journal, streams[call] as CallStream)
    await untilErased(journal)
    // The beginning of a word is enough for a neighbour in the index.
    const marks = erased.flatMap((call) => [`said${call}x`, `caller-${call}-`, `label-${call}-`])
    assert.deepEqual(found(dataDir, marks), [])
    const search = parseSearch('said1x*')
    const { calls } = await journal.calls({ state: null, search, cursor: null, limit: 5 })
    assert.deepEqual(
      calls.map((call) => String(call.callId)),
      ['c1'],
    )
    await close(journal)
    inspect(dataDir, (db) => assert.equal(db.pragma('integrity_check', { simple: true }), 'ok'))
    change(dataDir, (db) => db.exec("INSERT INTO words(words, rank) VALUES ('integrity-check', 1)"))
  })
})
