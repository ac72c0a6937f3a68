import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const malformed = [
  '',
  '{',
  '{"total_packets":NaN}',
  '{"total_packets":Infinity}',
  '{"total_packets":01}',
  '{"total_packets":1,"total_packets":2}',
  '{"total_packets":1,"total_packets":1}',
  '{"total_packets":1,"__proto__":{}}',
]
const invalid = [
  '[]',
  'null',
  '{}',
  '{"total_packets":null}',
  '{"total_packets":"1"}',
  '{"total_packets":true}',
  '{"total_packets":[1]}',
  '{"total_packets":0}',
  '{"total_packets":-0}',
  '{"total_packets":-1}',
  '{"total_packets":1.0}',
  '{"total_packets":1.5}',
  '{"total_packets":1e2}',
  '{"total_packets":2147483649}',
  '{"total_packets":9007199254740993}',
  '{"total_packets":1e400}',
]

describe('a completion', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 60_000 } })

  test('that is malformed or invalid is refused, and the call goes on', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('on', packet(0))
    const before = await client.call('on')
    for (const text of malformed) assertProblem(await client.post('/v1/call/complete/on', text), 400)
    for (const text of invalid) assertProblem(await client.post('/v1/call/complete/on', text), 422)
    assert.deepEqual((await client.call('on')).body, before.body)
    assert.equal((await client.packet('on', packet(1))).body['status'], 'accepted')
  })

  test('of an unknown call is 404 only when it is itself in order', async (t) => {
    const client = new HttpClient(t, service())
    assertProblem(await client.post('/v1/call/complete/nobody', '{'), 400)
    assertProblem(await client.post('/v1/call/complete/nobody', '{"total_packets":0}'), 422)
    assertProblem(await client.complete('nobody', 1), 404)
    assertProblem(await client.call('nobody'), 404)
  })

  // Guards against a body parser that is stricter for one route than for the other.
  test('ignores members that it does not know', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('more', packet(0))
    const { status } = await client.post('/v1/call/complete/more', '{"total_packets":1,"reason":"hangup"}')
    assert.equal(status, 202)
  })

  test('takes the lowest and the highest total', async (t) => {
    const client = new HttpClient(t, service())
    for (const total of [1, 2_147_483_648]) {
      await client.packet(`total-${total}`, packet(0))
      assert.equal((await client.complete(`total-${total}`, total)).status, 202)
    }
  })
})
