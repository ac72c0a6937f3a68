/** What a page of calls reads of the database. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { parseSearch } from '../../../../src/protocol/search.js'
import type { CallQuery } from '../../../../src/store/journal.js'
import { CallPages } from '../../../../src/store/sqlite/reading/call-list.js'
import { analysed } from '../../../support/analysed.js'
import { callId } from '../../../support/calls.js'
import { append, snapshot } from '../../../support/journals.js'
import { fileOf, openJournal } from '../../../support/sqlite.js'

test('the rows of calls that do not fit are not read, however many are looked at', async (t) => {
  // Guards against a search with a filter that reads the snapshots of all calls with the word: 0.3 s a page, in which the
  // reader thread answers nobody else.
  const { journal, dataDir } = await openJournal(t)
  const result = { transcription: 'hello', sentiment: 'neutral', confidence: 1 } as const
  for (let i = 0; i < 40; i++) {
    const media = { encoding: 'text', sample_rate: 8000, channels: 1 } as const
    const described = { type: 'described', at: 1, details: { media, agent: `agent ${i % 10}` } } as const
    const taken = snapshot({ state: i % 20 === 0 ? 'FAILED' : 'ARCHIVED' })
    await append(journal, journal.create(callId(`c${i}`)), [described, await analysed(result)], taken)
  }
  let rowsRead = 0
  const db = new Database(fileOf(dataDir), {
    readonly: true,
    verbose: (sql) => {
      if (String(sql).startsWith('SELECT * FROM calls')) rowsRead++
    },
  })
  t.after(() => db.close())
  const pages = new CallPages(db)
  const found = (query: Partial<CallQuery>) => {
    rowsRead = 0
    const { calls } = pages.page({
      state: null,
      search: parseSearch('hello'),
      cursor: null,
      limit: 50,
      ...query,
    })
    return { calls: calls.length, rowsRead }
  }
  assert.deepEqual(found({ details: [{ names: ['agent'], text: 'agent 3', isPrefix: false }] }), {
    calls: 4,
    rowsRead: 4,
  })
  assert.deepEqual(found({ state: 'FAILED' }), { calls: 2, rowsRead: 2 })
  assert.deepEqual(found({}), { calls: 40, rowsRead: 40 })
})

test('a page of a search costs what it finds, however many calls before and behind it have the word', async (t) => {
  // Guards against bounds that are bound as REAL, as better-sqlite3 binds every number: FTS5 ignores those, and went over all
  // calls with the word for each page, 40 ms for 200,000 of them.
  const { journal, dataDir } = await openJournal(t)
  const result = { transcription: 'common rare', sentiment: 'neutral', confidence: 1 } as const
  for (let i = 0; i < 5; i++)
    await append(journal, journal.create(callId(`c${i}`)), [await analysed(result)], snapshot())
  const db = new Database(fileOf(dataDir))
  t.after(() => db.close())
  const { first, last } = db
    .prepare<[], { first: number; last: number }>('SELECT min(key) AS first, max(key) AS last FROM calls')
    .get() ?? { first: 0, last: 0 }
  const insert = db.prepare("INSERT INTO words(rowid, text) VALUES (?, 'common')")
  db.transaction(() => {
    for (let n = 1; n <= 40_000; n++) {
      insert.run(first - n)
      insert.run(last + n)
    }
  })()
  const pages = new CallPages(db)
  const search = (word: string) => {
    const query = { state: null, search: parseSearch(word), cursor: last + 1, limit: 5 }
    const startedAt = performance.now()
    const { calls } = pages.page(query)
    const ms = performance.now() - startedAt
    assert.deepEqual(
      calls.map((call) => [call.callId, call.snapshot !== null && call.match?.length]),
      [4, 3, 2, 1, 0].map((n) => [`c${n}`, 2]),
    )
    return ms
  }
  const least: Record<'common' | 'rare', number> = { common: Infinity, rare: Infinity }
  for (let round = 0; round < 15; round++)
    for (const word of ['common', 'rare'] as const) least[word] = Math.min(least[word], search(word))
  assert(
    least.common < 10 * least.rare,
    `a page of a common word took ${least.common / least.rare} times as long`,
  )
})
