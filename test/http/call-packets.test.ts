import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Compile } from 'typebox/compile'
import { GapPage, PacketPage } from '../../src/protocol/call.js'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { randomNumbers, seed, shuffled } from '../support/property.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const packetPageCheck = Compile(PacketPage)
const gapPageCheck = Compile(GapPage)

interface Stored {
  readonly sequence: number
  readonly data: string
  readonly timestamp: number
  readonly received_at: string
}

/** Every packet of a call, page by page, and how many pages there were. */
async function readPackets(client: HttpClient, callId: string, limit: number, first = 0) {
  const packets: Stored[] = []
  let pages = 0
  for (let from: number | null = first; from !== null; pages++) {
    const { status, body, text } = await client.get(`/v1/call/${callId}/packets?from=${from}&limit=${limit}`)
    assert.equal(status, 200, text)
    assert(packetPageCheck.Check(body), text.slice(0, 300))
    const page = body['packets'] as Stored[]
    assert(page.length >= 1 && page.length <= limit)
    packets.push(...page)
    from = body['next_from'] as number | null
  }
  return { packets, pages }
}

async function readGaps(client: HttpClient, callId: string, limit: number, first = 0) {
  const gaps: [number, number][] = []
  for (let from: number | null = first; from !== null; ) {
    const { status, body, text } = await client.get(`/v1/call/${callId}/gaps?from=${from}&limit=${limit}`)
    assert.equal(status, 200, text)
    assert(gapPageCheck.Check(body), text.slice(0, 300))
    gaps.push(...(body['gaps'] as [number, number][]))
    from = body['next_from'] as number | null
  }
  return gaps
}

const numbers = (count: number, step = 1) => Array.from({ length: count }, (_, i) => i * step)

/** In the order given, a few at a time, so that they lie in many commits. */
async function store(client: HttpClient, callId: string, sequences: readonly number[]): Promise<void> {
  for (let at = 0; at < sequences.length; at += 25) {
    const lines = sequences.slice(at, at + 25).map((n) => JSON.stringify({ call_id: callId, ...packet(n) }))
    const { body } = await client.bulk(lines.join('\n'))
    assert.equal(body['accepted'], lines.length)
  }
}

const texts = (packets: readonly Stored[]) => packets.map(({ sequence, data }) => `${sequence} ${data}`)
const expected = (sequences: readonly number[]) => sequences.map((n) => `${n} packet ${n}`)

describe('the packets of a call', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 60_000 } })

  test('come back as they were sent, with the time of their arrival', async (t) => {
    const client = new HttpClient(t, service())
    const startedAt = Date.now()
    const data = 'UklGRg== "\\\n\t é€😀 </script>'
    await client.packet('exact', { sequence: 3, data, timestamp: 1234567890.125 })
    const { packets } = await readPackets(client, 'exact', 10)
    assert.equal(packets.length, 1)
    const [stored] = packets as [Stored]
    assert.deepEqual([stored.sequence, stored.data, stored.timestamp], [3, data, 1234567890.125])
    assert.match(stored.received_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert(Math.abs(Date.parse(stored.received_at) - startedAt) < 5000)
  })

  // 300 packets are folded into several runs; late ones lie in runs whose ranges overlap.
  const orders: Record<string, (random: () => number) => number[]> = {
    'in order': () => numbers(300),
    'in reverse order': () => numbers(300).reverse(),
    'in any order': (random) => shuffled(numbers(300), random),
    'with a late one every ten': () =>
      numbers(300).flatMap((n) => (n % 10 === 4 ? [] : n % 10 === 9 ? [n, n - 5] : [n])),
    'even numbers first': () => [...numbers(150, 2), ...numbers(150, 2).map((n) => n + 1)],
    'the first one last': () => [...numbers(300).slice(1), 0],
  }
  for (const [name, order] of Object.entries(orders)) {
    test(`that came ${name} are paged in ascending order`, async (t) => {
      t.diagnostic(`VSTEST_SEED=${seed}`)
      const client = new HttpClient(t, service())
      const sequences = order(randomNumbers(4))
      assert.equal(new Set(sequences).size, 300)
      const callId = `order-${name.replaceAll(' ', '-')}`
      await store(client, callId, sequences)
      for (const limit of [1000, 300, 64, 7]) {
        const { packets, pages } = await readPackets(client, callId, limit)
        assert.deepEqual(texts(packets), expected(numbers(300)), `limit ${limit}`)
        assert.equal(pages, Math.ceil(300 / limit))
      }
      const { packets } = await readPackets(client, callId, 50, 123)
      assert.deepEqual(texts(packets), expected(numbers(300).slice(123)), 'from a number on')
    })
  }

  test('can be read while more of them come', async (t) => {
    const client = new HttpClient(t, service())
    await store(client, 'live', numbers(200, 2))
    const state = { isDone: false, sent: 0 }
    const coming = (async () => {
      // Late ones among those that are read, and new ones beyond.
      while (!state.isDone) {
        const n = state.sent++
        await client.packet('live', packet(n < 200 ? n * 2 + 1 : n * 2))
      }
    })()
    for (let round = 0; round < 5; round++) {
      const { packets } = await readPackets(client, 'live', 30)
      const sequences = packets.map(({ sequence }) => sequence)
      for (let i = 1; i < sequences.length; i++)
        assert((sequences[i - 1] ?? 0) < (sequences[i] ?? 0), 'ascending, none twice')
      const even = sequences.filter((n) => n % 2 === 0 && n < 400)
      assert.deepEqual(even, numbers(200, 2), 'what was stored before is all there')
      assert(packets.every(({ sequence, data }) => data === `packet ${sequence}`))
    }
    state.isDone = true
    await coming
    assert(state.sent > 10, `${state.sent} packets came meanwhile`)
    const { packets } = await readPackets(client, 'live', 1000)
    assert.equal(packets.length, 200 + state.sent)
  })

  test('may lie anywhere up to 2147483647', async (t) => {
    const client = new HttpClient(t, service())
    const top = 2 ** 31 - 1
    const sequences = [top, 0, 2 ** 30, 65_536, 65_535, top - 1]
    await store(client, 'sparse', sequences)
    const ascending = [...sequences].sort((a, b) => a - b)
    assert.deepEqual(texts((await readPackets(client, 'sparse', 2)).packets), expected(ascending))
    assert.deepEqual(texts((await readPackets(client, 'sparse', 10, top)).packets), expected([top]))
    assert.deepEqual(await readGaps(client, 'sparse', 1), [
      [1, 65_534],
      [65_537, 2 ** 30 - 1],
      [2 ** 30 + 1, top - 2],
    ])
  })

  test('of the largest size end a page early, and none is left out', async (t) => {
    const client = new HttpClient(t, service())
    const data = 'x'.repeat(32 * 1024)
    for (let at = 0; at < 200; at += 100) {
      const lines = numbers(100).map((n) =>
        JSON.stringify({ call_id: 'large', sequence: at + n, data, timestamp: 1 }),
      )
      const { body } = await client.bulk(lines.join('\n'))
      assert.equal(body['accepted'], 100)
    }
    const { packets, pages } = await readPackets(client, 'large', 1000)
    assert.deepEqual(
      packets.map(({ sequence }) => sequence),
      numbers(200),
    )
    assert(packets.every((stored) => stored.data === data))
    assert(pages > 1, 'one answer does not hold 6 MiB')
  })

  test('beyond the last one are none', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('beyond', packet(5))
    const { status, body } = await client.get('/v1/call/beyond/packets?from=6')
    assert.equal(status, 200)
    assert.deepEqual(body, { packets: [], next_from: null })
  })

  test('and gaps refuse a query that is not valid', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('queried', packet(5))
    for (const page of ['packets', 'gaps'])
      for (const query of [
        'from=-1',
        'from=2147483648',
        'from=x',
        'from=',
        'from=1.0',
        'limit=0',
        'limit=1001',
        'limit=',
      ])
        assertProblem(await client.get(`/v1/call/queried/${page}?${query}`), 422)
  })
})

describe('the gaps of a call', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 60_000 } })

  test('are paged in ascending order, from any number on', async (t) => {
    const client = new HttpClient(t, service())
    // 0–1 are there, 2 is not, 3–4 are there, 5 is not, …
    await store(
      client,
      'paged',
      numbers(900).filter((n) => n % 3 !== 2),
    )
    const all = numbers(299).map((i) => [i * 3 + 2, i * 3 + 2])
    for (const limit of [1000, 299, 100, 7]) assert.deepEqual(await readGaps(client, 'paged', limit), all)
    assert.deepEqual(await readGaps(client, 'paged', 50, 450), all.slice(150))
    const { body } = await client.get('/v1/call/paged/gaps')
    assert.equal((body['gaps'] as unknown[]).length, 100)
  })

  test('are cut where the page begins within one', async (t) => {
    const client = new HttpClient(t, service())
    await store(client, 'cut', [0, 1000])
    assert.deepEqual(await readGaps(client, 'cut', 10, 500), [[500, 999]])
    assert.deepEqual(await readGaps(client, 'cut', 10, 1000), [])
  })

  test('end at the total once it is known', async (t) => {
    const client = new HttpClient(t, service())
    await store(client, 'total', [0, 3, 9])
    await client.complete('total', 20)
    assert.deepEqual(await readGaps(client, 'total', 2), [
      [1, 2],
      [4, 8],
      [10, 19],
    ])
    await store(client, 'surplus', [0, 3, 9])
    await client.complete('surplus', 6)
    assert.deepEqual(await readGaps(client, 'surplus', 1), [
      [1, 2],
      [4, 5],
    ])
  })

  test('of a whole call are none', async (t) => {
    const client = new HttpClient(t, service())
    await store(client, 'whole', numbers(10))
    assert.deepEqual(await readGaps(client, 'whole', 10), [])
  })
})
