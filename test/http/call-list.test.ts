import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { CallPage as CallPageSchema, CallView } from '../../src/protocol/call.js'
import { emptyCallView } from '../support/call-views.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

interface CallPage {
  readonly calls: CallView[]
  readonly next_cursor: string | null
}

const viewCheck = Compile(CallView)
const pageCheck = Compile(CallPageSchema)

function pageOf(answer: Answer): CallPage {
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers['content-type'], 'application/json')
  assert(pageCheck.Check(answer.body), answer.text.slice(0, 500))
  return answer.body as CallPage
}

/** Every page from the newest call to the oldest. */
async function* pages(client: HttpClient, query: string): AsyncGenerator<CallView[]> {
  let cursor: string | null = null
  do {
    const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = pageOf(await client.get(`/v1/calls?${query}${from}`))
    yield page.calls
    cursor = page.next_cursor
  } while (cursor !== null)
}

// Guards against B7: nothing could be read back.
describe('a call', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 300 } })

  test('is shown in every state, member by member', async (t) => {
    const client = new HttpClient(t, service())
    const startedAt = Date.now()
    for (const sequence of [0, 5, 5, 2]) await client.packet('life', packet(sequence))
    const live = await client.call('life')
    assert.equal(live.status, 200)
    assert(viewCheck.Check(live.body), live.text)
    const { created_at, last_packet_at } = live.body as CallView
    assert.deepEqual(live.body, {
      ...emptyCallView,
      call_id: 'life',
      total_received: 3,
      highest_sequence: 5,
      missing_count: 3,
      missing_ranges: [
        [1, 1],
        [3, 4],
      ],
      late_count: 1,
      duplicate_count: 1,
      created_at,
      last_packet_at,
    })
    assert(last_packet_at !== null)
    for (const time of [created_at, last_packet_at]) {
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert(Math.abs(Date.parse(time) - startedAt) < 5000)
    }
    assert(created_at <= last_packet_at)

    await client.complete('life', 7)
    const { body: ended } = await eventually(
      () => client.call('life'),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
    assert(viewCheck.Check(ended))
    const view = ended as CallView
    assert.deepEqual(view.missing_ranges, [
      [1, 1],
      [3, 4],
      [6, 6],
    ])
    assert.equal(view.created_at, created_at)
    assert(created_at <= (view.completed_at ?? '') && (view.completed_at ?? '') < (view.ended_at ?? ''))
    assert.equal(view.ai.attempts, 1)
    assert.equal(view.ai.provider, 'simulated')
    assert.match(view.ai.transcription ?? '', /^Simulated transcription of 3 packets, .* 4 missing\.$/)
    assert.equal(view.ai.error, null)
    assert.equal(view.ai.next_attempt_at, null)
  })

  test('lists a hundred of its missing ranges at most', async (t) => {
    const client = new HttpClient(t, service())
    const lines = Array.from({ length: 151 }, (_, i) =>
      JSON.stringify({ call_id: 'holes', ...packet(i * 2) }),
    )
    await client.bulk(lines.join('\n'))
    const { body } = await client.call('holes')
    assert.equal(body['missing_count'], 150)
    assert.deepEqual(
      body['missing_ranges'],
      Array.from({ length: 100 }, (_, i) => [i * 2 + 1, i * 2 + 1]),
    )
  })

  test('that never was is 404', async (t) => {
    const client = new HttpClient(t, service())
    for (const path of ['/v1/call/nobody', '/v1/call/nobody/packets', '/v1/call/nobody/gaps']) {
      const { type } = assertProblem(await client.get(path), 404)
      assert.equal(type, 'urn:voicestream:problem:call_not_found')
    }
  })
})

describe('the list of calls', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0 } })

  test('is empty at first', async (t) => {
    const client = new HttpClient(t, service())
    assert.deepEqual(pageOf(await client.get('/v1/calls')), { calls: [], next_cursor: null })
  })

  test('has the newest first, and the same of each as the call itself', async (t) => {
    const client = new HttpClient(t, service())
    for (let i = 0; i < 7; i++) await client.packet(`newest-${i}`, packet(i))
    const seen: CallView[] = []
    let count = 0
    for await (const calls of pages(client, 'limit=3')) {
      count++
      seen.push(...calls)
    }
    assert.equal(count, 3)
    assert.deepEqual(
      seen.map(({ call_id }) => call_id),
      [6, 5, 4, 3, 2, 1, 0].map((i) => `newest-${i}`),
    )
    for (const view of seen) assert.deepEqual((await client.call(view.call_id)).body, view)
  })

  test('has every call exactly once, while others are created, packets come and calls end', async (t) => {
    const client = new HttpClient(t, service())
    const first = Array.from({ length: 120 }, (_, i) => `paged-${i}`)
    await Promise.all(first.map((callId) => client.packet(callId, packet(0))))
    const seen: string[] = []
    let count = 0
    for await (const calls of pages(client, 'limit=7')) {
      seen.push(...calls.map(({ call_id }) => call_id))
      await Promise.all([
        client.packet(`meanwhile-${count}`, packet(0)),
        client.packet(`paged-${count}`, packet(1)),
        client.complete(`paged-${(count * 7) % 120}`, 2),
      ])
      count++
    }
    assert(count >= 17)
    const paged = seen.filter((callId) => callId.startsWith('paged-'))
    assert.equal(paged.length, 120)
    assert.equal(new Set(seen).size, seen.length, 'none stands twice')
  })

  test('can be narrowed to a state', async (t) => {
    const client = new HttpClient(t, service())
    for (let i = 0; i < 6; i++) await client.packet(`state-${i}`, packet(0))
    for (let i = 0; i < 6; i += 2) await client.complete(`state-${i}`, 1)
    const named = async (state: string) => {
      const found: string[] = []
      for await (const calls of pages(client, `state=${state}&limit=2`)) {
        for (const call of calls) assert.equal(call.state, state)
        found.push(...calls.map(({ call_id }) => call_id).filter((callId) => callId.startsWith('state-')))
      }
      return found
    }
    const archived = await eventually(
      () => named('ARCHIVED'),
      (found) => found.length === 3,
    )
    assert.deepEqual(archived, ['state-4', 'state-2', 'state-0'])
    assert.deepEqual(await named('IN_PROGRESS'), ['state-5', 'state-3', 'state-1'])
    assert.deepEqual(await named('FAILED'), [])
  })

  test('refuses a query that is not valid, and says which part', async (t) => {
    const client = new HttpClient(t, service())
    const queries: [query: string, path: string][] = [
      ['state=DONE', '/query/state'],
      ['state=archived', '/query/state'],
      ['state=', '/query/state'],
      ['limit=0', '/query/limit'],
      ['limit=201', '/query/limit'],
      ['limit=-1', '/query/limit'],
      ['limit=1.5', '/query/limit'],
      ['limit=1e1', '/query/limit'],
      ['limit=', '/query/limit'],
      ['limit=ten', '/query/limit'],
      ['limit=99999999999999999999', '/query/limit'],
      ['cursor=', '/query/cursor'],
      ['cursor=%27', '/query/cursor'],
      ['cursor=-1', '/query/cursor'],
      ['cursor=A', '/query/cursor'],
      ['cursor=zzzzzzzzzzzz', '/query/cursor'],
    ]
    for (const [query, path] of queries) {
      const { errors } = assertProblem(await client.get(`/v1/calls?${query}`), 422)
      assert.equal(errors[0]?.path, path, query)
    }
  })
})
