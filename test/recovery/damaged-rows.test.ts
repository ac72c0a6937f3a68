/**
 * A row that is not what was written, among good ones. Guards against a byte that takes the lists from everybody
 * (`/v1/calls` 500 for all, `since=snapshot` closed for ever), and against one that is served as if it were true.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import type { CallTableRow } from '../../src/store/sqlite/reading/stored-call-row.js'
import { callChecksum } from '../../src/store/sqlite/row-checksum.js'
import { runCommand } from '../support/command.js'
import { endedCall } from '../support/ended-calls.js'
import { FeedClient } from '../support/feed-client.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { assertProblem } from '../support/problems.js'
import { eventually, getText, logged, type Service, startService } from '../support/service.js'
import { change, changeIn, close, fileOf, openJournal } from '../support/sqlite.js'

const said = (words: string) => ({ transcription: words, sentiment: 'neutral', confidence: 1 }) as const

/** The changed one is `b`. */
async function changed(t: TestContext, sql: string): Promise<{ service: Service; dataDir: string }> {
  const { journal, dataDir } = await openJournal(t)
  for (const name of ['a', 'b', 'c']) await endedCall(journal, name, said(`invoice of ${name}`), Date.now())
  await close(journal)
  change(dataDir, (db) => assert.equal(db.prepare(sql).run().changes, 1, 'something was changed'))
  return { service: await startService(t, { dataDir }), dataDir }
}

const key = "(SELECT key FROM calls WHERE call_id = 'b')"
const rows: Readonly<Record<string, string>> = {
  'a byte cut off its snapshot': `UPDATE calls SET snapshot = substr(snapshot, 1, length(snapshot) - 1) WHERE key = ${key}`,
  'another digit in its snapshot': `UPDATE calls SET snapshot = replace(snapshot, '"sentiment":"neutral"', '"sentiment":"neutrak"') WHERE key = ${key}`,
  'another time of its creation': `UPDATE calls SET created_at = created_at + 1 WHERE key = ${key}`,
  'an end that has not come': `UPDATE calls SET is_settled = 0 WHERE key = ${key}`,
}

function assertDamaged(answer: Answer): void {
  assert.equal(assertProblem(answer, 500).type, 'urn:voicestream:problem:stored_damage')
}

const marked = { call_id: 'b', state: 'ARCHIVED', damaged: true }

describe('a call whose row is damaged', () => {
  for (const [what, sql] of Object.entries(rows))
    test(`is a mark in lists and pictures, and takes them from nobody: ${what}`, async (t) => {
      const { service, dataDir } = await changed(t, sql)
      const client = new HttpClient(t, service)
      for (const path of ['/v1/calls', '/v1/calls?state=ARCHIVED', '/v1/calls?q=invoice']) {
        const { status, body } = await client.get(path)
        assert.equal(status, 200, path)
        const calls = body['calls'] as { call_id: string; damaged?: boolean; ai?: unknown }[]
        assert.deepEqual(
          calls.map(({ call_id }) => call_id),
          ['c', 'b', 'a'],
        )
        assert.deepEqual(calls[1], marked)
        assert(calls[0]?.ai !== undefined && calls[2]?.ai !== undefined)
      }
      for (const part of ['', '/transcript', '/packets', '/gaps'])
        assertDamaged(await client.get(`/v1/call/b${part}`))
      assertDamaged(await client.packet('b', { sequence: 5, data: 'x', timestamp: 1 }))
      assert.equal((await client.call('a')).status, 200)
      for (const options of [{}, { view: 'floor' }] as const) {
        const feed = new FeedClient(t, service, options)
        await feed.live()
        const seen = feed.messages.flatMap(({ message }) =>
          message.event === 'snapshot' ? message.calls : [],
        )
        assert.equal(seen.length, 3)
        assert.deepEqual(
          seen.find(({ call_id }) => call_id === 'b'),
          marked,
        )
      }
      assert.equal(await readMetric(service, 'voicestream_damaged_rows_total'), 1)
      const lines = await logged(service, ({ msg }) => /is damaged/.test(String(msg)))
      assert.equal(lines.length, 1, 'it is logged once')
      service.kill('SIGTERM')
      await service.exited
      const { out, code } = await runCommand(['verify', '--data-dir', dataDir, '--json'])
      assert.equal(code, 1)
      const { damaged } = JSON.parse(String(out))
      assert.deepEqual(
        damaged.map(({ call_id }: { call_id: string }) => call_id),
        ['b'],
      )
    })
})

describe('the erasure of a call whose row is damaged', () => {
  // Guards against a call that nobody can read and nobody can be rid of but with SQL by hand.
  const gone = async (t: TestContext, service: Service, dataDir: string) => {
    const client = new HttpClient(t, service)
    const [before, erased] = [await client.get('/v1/calls'), await client.send('DELETE', '/v1/call/b', {})]
    assert.equal((before.body['calls'] as unknown[]).length, 3)
    assert.equal(erased.status, 204)
    assertProblem(await client.call('b'), 404)
    for (const path of ['/v1/calls', '/v1/calls?state=ARCHIVED', '/v1/calls?q=invoice'])
      assert.deepEqual(
        ((await client.get(path)).body['calls'] as { call_id: string }[]).map(({ call_id }) => call_id),
        ['c', 'a'],
        path,
      )
    assert.equal((await client.send('DELETE', '/v1/call/b', {})).status, 404)
    assert.equal((await client.packet('b', { sequence: 0, data: 'new', timestamp: 1 })).status, 202)
    assert.match(await getText(service, '/metrics'), /voicestream_calls\{state="ARCHIVED"\} 2$/m)
    await eventually(
      () => readMetric(service, 'voicestream_erasure_backlog_calls'),
      (calls) => calls === 0,
    )
    service.kill('SIGTERM')
    await service.exited
    assert.equal(readFileSync(fileOf(dataDir)).includes('invoice of b'), false)
    const verified = await runCommand(['verify', '--data-dir', dataDir])
    assert.equal(verified.code, 0, String(verified.out))
  }

  for (const what of [
    'another digit in its snapshot',
    'another time of its creation',
    'an end that has not come',
  ])
    test(`takes all of it, and nothing else: ${what}`, async (t) => {
      const { service, dataDir } = await changed(t, rows[what] as string)
      await gone(t, service, dataDir)
    })

  for (const [what, to] of [
    ['name', 'x\x05ARCHIVED'],
    ['state', 'b\x05ARCHIVEE'],
  ] as const)
    test(`takes its entries in the indexes, too, which do not say what the row does: its ${what}`, async (t) => {
      const { journal, dataDir } = await openJournal(t)
      for (const name of ['a', 'b', 'c'])
        await endedCall(journal, name, said(`invoice of ${name}`), Date.now())
      await close(journal)
      // Name, version and state stand side by side in the row.
      changeIn(dataDir, 'calls', 'b\x05ARCHIVED', to)
      await gone(t, await startService(t, { dataDir }), dataDir)
    })

  test('takes one whose history cannot be replayed', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    for (const name of ['a', 'b', 'c']) await endedCall(journal, name, said(`invoice of ${name}`), Date.now())
    await close(journal)
    change(dataDir, (db) => {
      const row = db.prepare('SELECT * FROM calls WHERE call_id = ?').get('b') as CallTableRow
      const changed = { ...row, version: 1, is_settled: 0 as const }
      db.prepare('UPDATE calls SET version = 1, is_settled = 0, checksum = ? WHERE key = ?').run(
        callChecksum(changed),
        row.key,
      )
      db.prepare("UPDATE lifecycle SET entry = replace(entry, 'local', 'lokal') WHERE call_key = ?").run(
        row.key,
      )
    })
    await gone(t, await startService(t, { dataDir }), dataDir)
  })
})

test('an erasure that was begun and now names another call deletes nothing of it', async (t) => {
  // Guards against packets that a changed byte in the list of erased calls takes from a call that is there.
  const { journal, dataDir } = await openJournal(t)
  for (const name of ['a', 'b']) await endedCall(journal, name, said(`invoice of ${name}`), Date.now())
  await close(journal)
  change(dataDir, (db) => db.prepare("INSERT INTO erasures SELECT key FROM calls WHERE call_id = 'b'").run())
  const service = await startService(t, { dataDir })
  service.kill('SIGTERM')
  await service.exited
  const verified = await runCommand(['verify', '--data-dir', dataDir])
  assert.equal(verified.code, 0, String(verified.out))
})

describe('a call whose transcript is damaged', () => {
  const letter = `UPDATE lifecycle SET text = replace(text, 'invoice of b', 'invoice 0f b') WHERE call_key = ${key} AND type = 'analysed'`

  test('is served without it, and is no find', async (t) => {
    // One byte of a stored transcript was served as what had been said, and `verify` said good.
    const { service, dataDir } = await changed(t, letter)
    const client = new HttpClient(t, service)
    for (const format of ['json', 'vtt', 'srt', 'text'])
      assertDamaged(await client.get(`/v1/call/b/transcript?format=${format}`))
    const view = await client.call('b')
    assert.equal((view.body['ai'] as { transcription: string }).transcription, 'invoice of b')
    const found = async (path: string) =>
      ((await client.get(path)).body['calls'] as { call_id: string }[]).map(({ call_id }) => call_id)
    assert.deepEqual(await found('/v1/calls?q=invoice'), ['c', 'a'])
    assert.deepEqual(await found('/v1/calls'), ['c', 'b', 'a'])
    assert.equal((await client.get('/v1/call/a/transcript')).status, 200)
    // And the index of words, which did not say the same and was made anew.
    assert.equal(await readMetric(service, 'voicestream_damaged_rows_total'), 2)
    assert.equal((await client.send('DELETE', '/v1/call/b', {})).status, 204, 'and can be erased')
    assertProblem(await client.call('b'), 404)
    service.kill('SIGTERM')
    await service.exited
    const { code } = await runCommand(['verify', '--data-dir', dataDir])
    assert.equal(code, 0)
  })

  for (const [what, sql] of Object.entries({
    'a letter of the transcript': letter,
    'an entry': `UPDATE lifecycle SET entry = replace(entry, '"provider":"local"', '"provider":"lokal"') WHERE call_key = ${key} AND type = 'attempt-started'`,
  }))
    test(`is named by verify, with the row: ${what}`, async (t) => {
      const { journal, dataDir } = await openJournal(t)
      for (const name of ['a', 'b']) await endedCall(journal, name, said(`invoice of ${name}`), Date.now())
      await close(journal)
      change(dataDir, (db) => assert.equal(db.prepare(sql).run().changes, 1))
      const { out, code } = await runCommand(['verify', '--data-dir', dataDir, '--json'])
      assert.equal(code, 1)
      const { damaged } = JSON.parse(String(out))
      assert.equal(damaged[0].call_id, 'b')
      assert.match(damaged[0].faults.join(), /lifecycle entry \d+ .* is damaged/)
      assert.equal(damaged.length, 1)
    })
})
