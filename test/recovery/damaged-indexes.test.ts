/**
 * One byte of an index is changed while nothing runs. SQLite has no checksums of its own: the call whose name had changed was
 * unknown (404), and a copy of its first packet began it anew (202). What calls are found by is compared before a start.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { runCommand } from '../support/command.js'
import { endedCall } from '../support/ended-calls.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { logged, startService } from '../support/service.js'
import { change, changeIn, close, openJournal } from '../support/sqlite.js'
import { startRefused } from '../torture/refusal.js'
import { Stage } from '../torture/stage.js'
import { assertRefused } from './assert-refused.js'

const names = ['first-call', 'second-call', 'third-call']

async function stored(t: TestContext): Promise<string> {
  const { journal, dataDir } = await openJournal(t)
  for (const name of names)
    await endedCall(journal, name, {
      transcription: `invoice of ${name}`,
      sentiment: 'neutral',
      confidence: 1,
    })
  await close(journal)
  return dataDir
}

describe('a byte of what calls are found by', () => {
  for (const [tree, text, to] of [
    ['sqlite_autoindex_calls_1', 'second-call', 'secone-call'],
    ['calls_by_state', 'ARCHIVED', 'ARCHIVEE'],
  ] as const)
    test(`stops the start with a line that names it: ${tree}`, async (t) => {
      const dataDir = await stored(t)
      changeIn(dataDir, tree, text, to)
      const reason = new RegExp(`calls would not be found: the index ${tree} does not say what the rows`)
      assertRefused(await startRefused(Stage.of(t), { DATA_DIR: dataDir }), reason, 5000)
    })

  test('is an answer for its call alone where it is the row that has changed', async (t) => {
    // The index is right then, and a row that is damaged takes the service from nobody.
    const dataDir = await stored(t)
    changeIn(dataDir, 'calls', 'second-call', 'secone-call')
    const client = new HttpClient(t, await startService(t, { dataDir }))
    assert.equal((await client.call('second-call')).status, 500)
    assert.equal((await client.call('secone-call')).status, 404)
    const { body } = await client.get('/v1/calls')
    const calls = body['calls'] as { call_id: string; damaged?: boolean }[]
    assert.deepEqual(
      calls.map(({ call_id, damaged = false }) => [call_id, damaged]),
      [
        ['third-call', false],
        ['second-call', true],
        ['first-call', false],
      ],
    )
  })

  test('is a mark in the list of its state where it is the state of the row', async (t) => {
    // The row was asked for its state, and the call left out of the list.
    const dataDir = await stored(t)
    changeIn(dataDir, 'calls', 'ARCHIVED', 'ARCHIVEE')
    const client = new HttpClient(t, await startService(t, { dataDir }))
    for (const path of ['/v1/calls', '/v1/calls?state=ARCHIVED', '/v1/calls?q=invoice&state=ARCHIVED']) {
      const calls = (await client.get(path)).body['calls'] as { damaged?: boolean }[]
      assert.deepEqual([calls.length, calls.filter(({ damaged }) => damaged).length], [3, 1], path)
    }
  })

  test('is made good where it is a word that is searched for', async (t) => {
    const dataDir = await stored(t)
    changeIn(dataDir, 'words_data', 'invoice', 'invoicf')
    const service = await startService(t, { dataDir })
    const { body } = await new HttpClient(t, service).get('/v1/calls?q=invoice')
    assert.equal((body['calls'] as unknown[]).length, 3)
    assert.equal((await logged(service, ({ reason }) => /made anew/.test(String(reason)))).length, 1)
  })

  test('may be gone for a start that accepts it', async (t) => {
    const dataDir = await stored(t)
    changeIn(dataDir, 'sqlite_autoindex_calls_1', 'second-call', 'secone-call')
    const settings = { ACCEPT_DATA_LOSS: 'true' }
    const client = new HttpClient(t, await startService(t, { dataDir, settings }))
    assert.equal((await client.call('first-call')).status, 200)
  })
})

/** Each call with an agent of its own. */
async function described(t: TestContext): Promise<string> {
  const service = await startService(t, {})
  const client = new HttpClient(t, service)
  for (const name of names) {
    const answer = await client.post(`/v1/call/start/${name}`, { agent: `agent-of-${name}` })
    assert.equal(answer.status, 202)
  }
  service.kill('SIGTERM')
  await service.exited
  return service.dataDir
}

describe('a byte of what was said of a call', () => {
  // It stands in the file twice, and its checksum says which of both is true. The start was refused.
  for (const tree of ['details', 'details_by_value'])
    test(`takes the service from nobody, and the call is found by what was said: ${tree}`, async (t) => {
      const dataDir = await described(t)
      changeIn(dataDir, tree, 'agent-of-second-call', 'agent-0f-second-call')
      const service = await startService(t, { dataDir })
      const client = new HttpClient(t, service)
      for (const [agent, calls] of [
        ['agent-of-second-call', ['second-call']],
        ['agent-0f-second-call', []],
        ['agent-of-first-call', ['first-call']],
      ] as const) {
        const { body } = await client.get(`/v1/calls?agent=${agent}`)
        const found = (body['calls'] as { call_id: string }[]).map(({ call_id }) => call_id)
        assert.deepEqual(found, calls, agent)
      }
      assert.equal(await readMetric(service, 'voicestream_damaged_rows_total'), 1)
      assert.equal((await logged(service, ({ reason }) => /details/.test(String(reason)))).length, 1)
      service.kill('SIGTERM')
      await service.exited
      const { out, code } = await runCommand(['verify', '--data-dir', dataDir])
      assert.equal(code, 0, String(out))
    })

  test('is named by verify with its call, and mended by --rebuild-index', async (t) => {
    // The index was made anew from the row that had changed.
    const dataDir = await described(t)
    changeIn(dataDir, 'details', 'agent-of-second-call', 'agent-0f-second-call')
    const { out, code } = await runCommand(['verify', '--data-dir', dataDir])
    assert.equal(code, 1)
    assert.match(String(out), /second-call: the row "agent" of `details` is damaged/)
    const rebuilt = await runCommand(['verify', '--data-dir', dataDir, '--rebuild-index'])
    assert.equal(rebuilt.code, 0, String(rebuilt.out))
  })
})

describe('packets that are stored and are not found', () => {
  test('are an error, and no shorter call', async (t) => {
    // The receive log knows that they are there.
    const { journal, dataDir } = await openJournal(t)
    await endedCall(journal, 'c1', { transcription: 'invoice', sentiment: 'neutral', confidence: 1 })
    await close(journal)
    change(dataDir, (db) => assert.equal(db.prepare('DELETE FROM runs').run().changes, 1))
    change(dataDir, (db) => db.prepare("DELETE FROM lifecycle WHERE type = 'analysed'").run())
    const client = new HttpClient(t, await startService(t, { dataDir }))
    assert.equal((await client.call('c1')).status, 200)
    for (const part of ['packets', 'transcript'])
      assert.match(String((await client.get(`/v1/call/c1/${part}`)).body['type']), /stored_damage$/, part)
  })
})
