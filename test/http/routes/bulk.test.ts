import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { limits } from '../../../src/limits.js'
import { BulkResult } from '../../../src/protocol/packet.js'
import { HttpClient } from '../../support/http-client.js'
import { assertProblem } from '../../support/problems.js'
import { randomNumbers, seed, shuffled } from '../../support/property.js'
import { eventually, packet } from '../../support/service.js'
import { suiteService } from '../../support/suite-service.js'

const resultCheck = Compile(BulkResult)
const line = (callId: string, sequence: number) => JSON.stringify({ call_id: callId, ...packet(sequence) })

async function send(client: HttpClient, body: string | Uint8Array): Promise<BulkResult> {
  const answer = await client.bulk(body)
  assert.equal(answer.status, 202, answer.text)
  assert.equal(answer.headers['content-type'], 'application/json')
  assert(resultCheck.Check(answer.body), answer.text.slice(0, 300))
  const { received, accepted, duplicate, rejected, invalid } = answer.body as BulkResult
  assert.equal(received, accepted + duplicate + rejected + invalid, 'every line has an answer')
  return answer.body as BulkResult
}

const counts = ({ lines: _, ...rest }: BulkResult) => rest

describe('a bulk request', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0 } })

  test('answers for each line what became of it, and a bad line spoils no other', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('ended', packet(0))
    await client.complete('ended', 2)
    await eventually(
      () => client.call('ended'),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
    await client.packet('known', packet(0))
    const lines = [
      line('known', 1),
      line('known', 0),
      '{"call_id":"known","sequence":1.0,"data":"x","timestamp":1}',
      'no json',
      line('ended', 1),
      line('ended', 0),
      '{"sequence":2,"data":"x","timestamp":1}',
      '{"call_id":"a/../b","sequence":2,"data":"x","timestamp":1}',
      '{"call_id":"..","sequence":2,"data":"x","timestamp":1}',
      line('fresh', 3),
      line('fresh', 3),
      `{"call_id":"known","sequence":2,"data":"${'€'.repeat(10_923)}","timestamp":1}`,
      '{"call_id":"known","call_id":"fresh","sequence":2,"data":"x","timestamp":1}',
      line('known', 2),
    ]
    const result = await send(client, lines.join('\n'))
    assert.deepEqual(counts(result), { received: 14, accepted: 3, duplicate: 3, rejected: 1, invalid: 7 })
    const invalid = result.lines.filter(({ status }) => status === 'invalid')
    assert.deepEqual(
      invalid.map(({ line: number, errors }) => [number, errors?.[0]?.path]),
      [
        [3, '/sequence'],
        [4, ''],
        [7, ''],
        [8, '/call_id'],
        [9, '/call_id'],
        [12, '/data'],
        [13, ''],
      ],
    )
    assert.deepEqual(
      result.lines.filter(({ status }) => status !== 'invalid'),
      [
        { line: 2, status: 'duplicate', call_id: 'known', sequence: 0 },
        { line: 5, status: 'rejected', call_id: 'ended', sequence: 1 },
        { line: 6, status: 'duplicate', call_id: 'ended', sequence: 0 },
        { line: 11, status: 'duplicate', call_id: 'fresh', sequence: 3 },
      ],
    )
    assert.deepEqual(
      result.lines.map((one) => one.line),
      [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13],
      'in the order of the lines',
    )
    assert.equal((await client.call('known')).body['total_received'], 3)
    assert.equal((await client.call('ended')).body['total_received'], 1)
    assert.deepEqual((await client.call('fresh')).body['missing_ranges'], [[0, 2]])
  })

  test('may have blank lines, CRLF, and no end on its last line', async (t) => {
    const client = new HttpClient(t, service())
    const body = `\n\r\n${line('ends', 0)}\r\n \t \r\n${line('ends', 1)}\n\n${line('ends', 0)}\r\n${line('ends', 2)}`
    const result = await send(client, body)
    assert.deepEqual(counts(result), { received: 4, accepted: 3, duplicate: 1, rejected: 0, invalid: 0 })
    assert.equal(result.lines[0]?.line, 7, 'blank lines are counted as lines')
    const { body: page } = await client.get('/v1/call/ends/packets')
    const stored = page['packets'] as { sequence: number; data: string }[]
    assert.deepEqual(
      stored.map(({ sequence, data }) => [sequence, data]),
      [0, 1, 2].map((sequence) => [sequence, `packet ${sequence}`]),
    )
  })

  test('without a line has nothing to answer', async (t) => {
    const client = new HttpClient(t, service())
    for (const body of ['', '\n', '\r\n\n  \n'])
      assert.deepEqual(await send(client, body), {
        received: 0,
        accepted: 0,
        duplicate: 0,
        rejected: 0,
        invalid: 0,
        lines: [],
      })
  })

  test('lists at most 1,000 lines and counts all of them', async (t) => {
    const client = new HttpClient(t, service())
    const bad = Array.from({ length: 1500 }, (_, i) => (i % 2 === 0 ? 'bad' : line('listed', 0)))
    const result = await send(client, bad.join('\n'))
    assert.deepEqual(counts(result), {
      received: 1500,
      accepted: 1,
      duplicate: 749,
      rejected: 0,
      invalid: 750,
    })
    assert.equal(result.lines.length, limits.bulkLinesListedMax)
    for (let i = 1; i < result.lines.length; i++)
      assert((result.lines[i - 1]?.line ?? 0) < (result.lines[i]?.line ?? 0), 'ascending')
  })

  test('lists the first 1,000 lines that were not simply accepted', async (t) => {
    const client = new HttpClient(t, service())
    // The duplicates wait for their original, which comes in this request; the bad lines behind them wait for nothing.
    const lines = [
      ...Array.from({ length: 601 }, () => line('first-listed', 0)),
      ...Array.from({ length: 1200 }, () => 'bad'),
    ]
    const result = await send(client, lines.join('\n'))
    assert.deepEqual(counts(result), {
      received: 1801,
      accepted: 1,
      duplicate: 600,
      rejected: 0,
      invalid: 1200,
    })
    assert.deepEqual(
      result.lines.map((one) => one.line),
      Array.from({ length: 1000 }, (_, i) => i + 2),
    )
  })

  test('takes the lines of one call in their order', async (t) => {
    const client = new HttpClient(t, service())
    // Same sequence, other content: the first line of each is the one that stays.
    const lines = Array.from({ length: 500 }, (_, i) =>
      JSON.stringify({ call_id: 'ordered', ...packet(i % 100, `round ${Math.floor(i / 100)}`) }),
    )
    const result = await send(client, lines.join('\n'))
    assert.equal(result.accepted, 100)
    assert.equal(result.duplicate, 400)
    const { body } = await client.get('/v1/call/ordered/packets')
    const stored = body['packets'] as { data: string }[]
    assert.equal(stored.length, 100)
    assert(stored.every(({ data }) => data === 'round 0'))
    assert.equal((await client.call('ordered')).body['late_count'], 0)
  })

  test('of 20,000 lines for 500 new calls stores every one of them', async (t) => {
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const client = new HttpClient(t, service())
    const [calls, each] = [500, 40]
    const all = Array.from({ length: calls * each }, (_, i) =>
      line(`trunk-${i % calls}`, Math.floor(i / calls)),
    )
    const result = await send(client, shuffled(all, randomNumbers(3)).join('\n'))
    assert.deepEqual(counts(result), {
      received: 20_000,
      accepted: 20_000,
      duplicate: 0,
      rejected: 0,
      invalid: 0,
    })
    assert.deepEqual(result.lines, [])
    let stored = 0
    for (let call = 0; call < calls; call++) {
      const { body } = await client.get(`/v1/call/trunk-${call}/packets`)
      const packets = body['packets'] as { sequence: number; data: string }[]
      assert(packets.every(({ sequence, data }, i) => sequence === i && data === `packet ${i}`))
      stored += packets.length
    }
    assert.equal(stored, 20_000)
  })

  test('of 4 MiB is taken, and of one byte more is not', async (t) => {
    const client = new HttpClient(t, service())
    const first = `${line('sized', 0)}\n`
    const body = (bytes: number) => Buffer.alloc(bytes, '\n').fill(first, 0, first.length)
    assert.equal((await send(client, body(limits.bulkBodyBytesMax))).accepted, 1)
    assertProblem(await client.bulk(body(limits.bulkBodyBytesMax + 1)), 413)
  })
})
