import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { randomNumbers, seed, shuffled } from '../support/property.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i)

/** What a receipt must say after these sequences, computed the slow way. */
function expectedAccount(received: ReadonlySet<number>, highest: number) {
  const missing = range(0, highest).filter((sequence) => !received.has(sequence))
  return {
    total_received: received.size,
    missing_sequences: missing.slice(0, 100),
    missing_count: missing.length,
  }
}

describe('a receipt', () => {
  const service = suiteService()

  test('of the first packet has every documented member and no other', async (t) => {
    const client = new HttpClient(t, service())
    const { status, headers, body } = await client.packet('first', packet(0))
    assert.equal(status, 202)
    assert.equal(headers['content-type'], 'application/json')
    assert.deepEqual(body, {
      status: 'accepted',
      message: 'Packet received successfully',
      call_id: 'first',
      sequence: 0,
      total_received: 1,
      missing_sequences: [],
      missing_count: 0,
      duplicate: false,
    })
  })

  test('lists what is missing before a packet that came ahead', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('ahead', packet(0))
    const { body } = await client.packet('ahead', packet(5))
    assert.deepEqual(body, {
      status: 'accepted',
      message: 'Packet received successfully',
      call_id: 'ahead',
      sequence: 5,
      total_received: 2,
      missing_sequences: [1, 2, 3, 4],
      missing_count: 4,
      duplicate: false,
    })
  })

  // Guards against A1: the answer to a duplicate lacked the call, the sequence and the account.
  test('of a duplicate is a whole receipt', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('twice', packet(0))
    await client.packet('twice', packet(3))
    const { status, body } = await client.packet('twice', packet(3))
    assert.equal(status, 202)
    assert.deepEqual(body, {
      status: 'duplicate',
      message: 'Packet already received',
      call_id: 'twice',
      sequence: 3,
      total_received: 2,
      missing_sequences: [1, 2],
      missing_count: 2,
      duplicate: true,
    })
  })

  test('of a call that does not begin with 0 misses what came before', async (t) => {
    const client = new HttpClient(t, service())
    const { body } = await client.packet('tail', packet(3))
    assert.deepEqual(body['missing_sequences'], [0, 1, 2])
    assert.equal(body['missing_count'], 3)
  })

  // Guards against the last row of table D: 8 stood before 7.
  test('lists missing numbers in ascending order', async (t) => {
    const client = new HttpClient(t, service())
    for (const sequence of range(0, 6)) await client.packet('ascending', packet(sequence))
    const { body } = await client.packet('ascending', packet(9))
    assert.deepEqual(body['missing_sequences'], [7, 8])
  })

  test('is exact after every packet of a shuffled call', async (t) => {
    t.diagnostic(`VSTEST_SEED=${seed}`)
    const client = new HttpClient(t, service())
    const received = new Set<number>()
    let highest = -1
    // Every third number never comes.
    const order = shuffled(range(0, 449), randomNumbers(1)).filter((sequence) => sequence % 3 !== 1)
    assert.equal(order.length, 300)
    for (const sequence of order) {
      received.add(sequence)
      highest = Math.max(highest, sequence)
      const { body } = await client.packet('shuffled', packet(sequence))
      const { total_received, missing_sequences, missing_count } = body
      assert.deepEqual(
        { total_received, missing_sequences, missing_count },
        expectedAccount(received, highest),
      )
    }
    assert.equal(expectedAccount(received, highest).missing_count > 100, true, 'the list was full')
  })

  test('counts the whole range up to the highest sequence and lists its first hundred', async (t) => {
    const client = new HttpClient(t, service())
    const { status, body } = await client.packet('top', packet(2 ** 31 - 1))
    assert.equal(status, 202)
    assert.deepEqual(body['missing_sequences'], range(0, 99))
    assert.equal(body['missing_count'], 2 ** 31 - 1)
  })

  test('keeps calls apart whose ids differ only in case', async (t) => {
    const client = new HttpClient(t, service())
    const answers = [await client.packet('Case', packet(0)), await client.packet('case', packet(0))]
    assert.deepEqual(
      answers.map(({ body }) => body['status']),
      ['accepted', 'accepted'],
    )
  })
})

// Guards against A3: a gap that brought the missing list over 100 was not tracked, and its packets became "duplicates".
describe('a gap of more than a hundred', () => {
  const service = suiteService()

  test('is counted, and a packet out of it is accepted', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('over', packet(0))
    const ahead = await client.packet('over', packet(102))
    assert.equal(ahead.body['missing_count'], 101)
    assert.deepEqual(ahead.body['missing_sequences'], range(1, 100))
    const late = await client.packet('over', packet(50))
    assert.equal(late.body['status'], 'accepted')
    assert.equal(late.body['missing_count'], 100)
    assert.deepEqual(late.body['missing_sequences'], [...range(1, 49), ...range(51, 101)])
  })

  test('is closed by its packets one by one, and none of them is lost', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('closed', packet(300))
    const late = shuffled(range(0, 299), randomNumbers(2))
    const statuses = new Set<unknown>()
    for (const sequence of late)
      statuses.add((await client.packet('closed', packet(sequence))).body['status'])
    assert.deepEqual([...statuses], ['accepted'])
    const { body } = await client.call('closed')
    assert.equal(body['total_received'], 301)
    assert.equal(body['missing_count'], 0)
    assert.equal(body['late_count'], 300)
    const stored = await client.get('/v1/call/closed/packets?limit=1000')
    const packets = stored.body['packets'] as { sequence: number; data: string }[]
    assert.deepEqual(
      packets.map(({ sequence, data }) => [sequence, data]),
      range(0, 300).map((sequence) => [sequence, `packet ${sequence}`]),
    )
  })

  test('may come on top of others', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('more', packet(60))
    const { body } = await client.packet('more', packet(111))
    assert.equal(body['missing_count'], 110)
    const late = await client.packet('more', packet(80))
    assert.equal(late.body['status'], 'accepted')
    assert.equal(late.body['missing_count'], 109)
  })
})
