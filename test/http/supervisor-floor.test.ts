import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { Floor } from '../../src/protocol/floor.js'
import { isIntact } from '../../src/protocol/intact.js'
import { FeedClient } from '../support/feed-client.js'
import { HttpClient } from '../support/http-client.js'
import { pictureOf } from '../support/picture.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

describe('the floor', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 100 } })

  test('is told at most 4 times a second, at least once, and each call once a message', async (t) => {
    const http = new HttpClient(t, service(), 8)
    const client = new FeedClient(t, service(), { view: 'floor' })
    await client.live()
    const load = { isDone: false }
    const loads = Array.from({ length: 8 }, async (_, lane) => {
      let sent = 0
      for (; !load.isDone; sent++) await http.packet(`conflated-${lane % 4}-${lane}`, packet(sent))
      return sent
    })
    await client.until(() => client.floors.length >= 12)
    load.isDone = true
    const sent = (await Promise.all(loads)).reduce((sum, count) => sum + count, 0)
    const times = client.messages.filter(({ message }) => message.event === 'floor').map(({ at }) => at)
    const span = (times.at(-1) ?? 0) - (times[0] ?? 0)
    // A timer may be late, and the message after it in time.
    assert(times.length - 1 <= span / 250 + 2, `${times.length} messages in ${span} ms`)
    for (const { changed } of client.floors)
      assert.equal(new Set(changed.map(({ call_id }) => call_id)).size, changed.length)
    const rows = client.floors.reduce((sum, { changed }) => sum + changed.length, 0)
    assert(rows < sent / 2, `${rows} rows for ${sent} packets`)
    assert(client.floors.some(({ totals }) => totals.packets_per_second > 0))

    const quietFrom = client.floors.length
    await client.until(() => client.floors.length >= quietFrom + 3)
    const quiet = client.messages.filter(({ message }) => message.event === 'floor').slice(-2)
    const gap = (quiet[1]?.at ?? 0) - (quiet[0]?.at ?? 0)
    assert(gap > 500 && gap < 3000, `${gap} ms between quiet messages`)
  })

  test('shows a call through its life, with its sentiment at the end', async (t) => {
    const http = new HttpClient(t, service())
    const client = new FeedClient(t, service(), { view: 'floor' })
    await client.live()
    for (const sequence of [0, 3, 1, 1]) await http.packet('shown', packet(sequence))
    const row = () =>
      client.floors.flatMap(({ changed }) => changed.filter((r) => r.call_id === 'shown')).at(-1)
    await client.until(() => row()?.duplicate_count === 1)
    const { total_received, missing_count, late_count, expected_total_packets, state } = row() ?? {}
    assert.deepEqual(
      { total_received, missing_count, late_count, expected_total_packets, state },
      {
        total_received: 3,
        missing_count: 1,
        late_count: 1,
        expected_total_packets: null,
        state: 'IN_PROGRESS',
      },
    )
    await http.complete('shown', 6)
    await client.until(() => row()?.state === 'ARCHIVED')
    assert.equal(row()?.missing_count, 3)
    assert.equal(row()?.ai.attempts, 1)
    assert(row()?.sentiment !== null && row()?.ended_at !== null)
  })

  test('shows whose call it is once the PBX has said it', async (t) => {
    const http = new HttpClient(t, service())
    const client = new FeedClient(t, service(), { view: 'floor' })
    await client.live()
    const seen = () =>
      client.floors
        .flatMap(({ changed }) => changed.filter(({ call_id }) => call_id === 'whose'))
        .map(({ caller, callee, agent, queue }) => ({ caller, callee, agent, queue }))
        .at(-1)
    await http.packet('whose', packet(0))
    await client.until(() => seen() !== undefined)
    assert.deepEqual(seen(), { caller: null, callee: null, agent: null, queue: null })
    const parties = { caller: '+4930231250', callee: '+442079460101', agent: 'maria', queue: 'billing' }
    await http.post('/v1/call/start/whose', parties)
    await client.until(() => seen()?.agent === 'maria')
    assert.deepEqual(seen(), parties)
    const later = new FeedClient(t, service(), { view: 'floor' })
    await later.live()
    const rows = later.messages.flatMap(({ message }) =>
      message.event === 'snapshot' ? message.calls.filter(isIntact) : [],
    )
    const row = rows.find(({ call_id }) => call_id === 'whose')
    assert.deepEqual([row?.caller, row?.callee, row?.agent, row?.queue], Object.values(parties))
  })

  test('keeps the calls that ended last, tells of those that go, and has the same for who comes later', async (t) => {
    const http = new HttpClient(t, service(), 16)
    const client = new FeedClient(t, service(), { view: 'floor' })
    await client.live()
    const count = 220
    for (let i = 0; i < count; i += 20)
      await Promise.all(
        Array.from({ length: 20 }, async (_, j) => {
          await http.packet(`many-${i + j}`, packet(0))
          await http.complete(`many-${i + j}`, 1)
        }),
      )
    const shown = () => pictureOf(client.messages.map(({ message }) => message))
    const ended = () => [...shown().values()].filter(({ state }) => state === 'ARCHIVED').length
    const unended = () =>
      [...shown()].filter(([id, { state }]) => id.startsWith('many') && state !== 'ARCHIVED')
    await client.until(() => (client.floors.at(-1)?.totals.calls.ARCHIVED ?? 0) >= count)
    await client.until(() => unended().length === 0 && ended() === 200)
    const later = new FeedClient(t, service(), { view: 'floor' })
    await later.live()
    const other = pictureOf(later.messages.map(({ message }) => message))
    assert.deepEqual([...other.keys()].sort(), [...shown().keys()].sort())
  })

  test('can be asked for over HTTP, with its last hour', async (t) => {
    const http = new HttpClient(t, service())
    const read = async () => {
      const { status, body } = await http.get('/v1/floor')
      assert.equal(status, 200)
      assert(Compile(Floor).Check(body), JSON.stringify(body).slice(0, 500))
      return body as unknown as Floor
    }
    const before = await read()
    for (const sequence of [0, 4, 2, 2]) await http.packet('counted', packet(sequence))
    await http.complete('counted', 6)
    const after = await eventually(
      read,
      ({ totals }) => totals.last_hour.archived > before.totals.last_hour.archived,
    )
    const total = (floor: Floor, name: Exclude<keyof Floor['history'][number], 'at'>) =>
      floor.history.reduce((sum, bucket) => sum + bucket[name], 0)
    const grown = (name: Parameters<typeof total>[1]) => total(after, name) - total(before, name)
    assert.deepEqual(
      {
        packets: grown('packets'),
        duplicates: grown('duplicates'),
        late: grown('late'),
        skipped: grown('skipped'),
        lost: grown('lost'),
        started: grown('calls_started'),
        archived: grown('calls_archived'),
        attempts: grown('ai_attempts_succeeded'),
      },
      { packets: 3, duplicates: 1, late: 1, skipped: 3, lost: 3, started: 1, archived: 1, attempts: 1 },
    )
  })
})
