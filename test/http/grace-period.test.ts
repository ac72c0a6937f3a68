import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.js'
import { patience } from '../support/patience.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const graceMs = 700

const archived = (client: HttpClient, callId: string) =>
  eventually(
    () => client.call(callId),
    ({ body }) => body['state'] === 'ARCHIVED',
  )

const transcriptionOf = (body: Record<string, unknown>) =>
  (body['ai'] as { transcription: string | null }).transcription

describe('the grace period', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: graceMs } })

  // Guards against A2: late packets within the 3 s were refused, so the AI never got them and the wait was for nothing.
  test('takes late packets, and the analysis gets them', async (t) => {
    const client = new HttpClient(t, service())
    for (const sequence of [0, 1, 3]) await client.packet('late', packet(sequence))
    await client.complete('late', 4)
    const before = await client.call('late')
    assert.equal(before.body['state'], 'COMPLETED', 'the packet below comes within the grace period')
    const { status, body } = await client.packet('late', packet(2))
    assert.equal(status, 202)
    assert.equal(body['status'], 'accepted')
    assert.equal(body['missing_count'], 0)
    const after = await archived(client, 'late')
    assert.equal(after.body['missing_count'], 0)
    assert.equal(after.body['late_count'], 1)
    const bytes = 4 * 'packet 0'.length
    assert.equal(
      transcriptionOf(after.body),
      `Simulated transcription of 4 packets, ${bytes} bytes of data, none missing.`,
    )
  })

  test('refuses with 409 once it is over, and the analysis tells what is missing', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('over', packet(0))
    await client.complete('over', 2)
    await archived(client, 'over')
    const { status, body } = await client.packet('over', packet(1))
    assert.equal(status, 409)
    assert.equal(body['status'], 'rejected')
    const after = await client.call('over')
    assert.equal(after.body['total_received'], 1)
    assert.match(transcriptionOf(after.body) ?? '', /^Simulated transcription of 1 packets, .* 1 missing\.$/)
  })

  // Guards against a PBX that takes the id of an ended call for a new one: its packets were answered 202, and thrown away.
  test('tells what is stored from other content once it is over', async (t) => {
    const client = new HttpClient(t, service())
    for (const sequence of [0, 1, 2]) await client.packet('again', packet(sequence))
    await client.complete('again', 3)
    await archived(client, 'again')
    const before = (await client.call('again')).body['duplicate_count'] as number
    const other = { ...packet(1), data: 'of another call' }
    const refused = await client.packet('again', other)
    assert.deepEqual([refused.status, refused.body['status']], [409, 'rejected'])
    assert.equal(refused.body['duplicate'], false)
    const same = await client.packet('again', { ...packet(1), timestamp: 7 })
    assert.deepEqual([same.status, same.body['status'], same.body['duplicate']], [202, 'duplicate', true])
    const lines = [0, 1, 2].flatMap((sequence) => [packet(sequence), { ...packet(sequence), data: 'other' }])
    const bulk = await client.bulk(
      lines.map((line) => JSON.stringify({ call_id: 'again', ...line })).join('\n'),
    )
    assert.equal(bulk.status, 202)
    assert.deepEqual(
      (bulk.body['lines'] as { status: string }[]).map(({ status }) => status),
      ['duplicate', 'rejected', 'duplicate', 'rejected', 'duplicate', 'rejected'],
    )
    assert.equal((await client.call('again')).body['duplicate_count'], before + 4)
    const stored = await client.get('/v1/call/again/packets')
    assert.deepEqual(
      (stored.body['packets'] as { data: string }[]).map(({ data }) => data),
      [0, 1, 2].map((sequence) => packet(sequence).data),
    )
  })

  test('has room for a bulk request that repeats a thousand packets of an ended call', async (t) => {
    // Guards against a repetition that can never end: each comparison too many would be "send all of it again".
    const client = new HttpClient(t, service())
    const count = 1000
    const body = Array.from({ length: count }, (_, sequence) =>
      JSON.stringify({ call_id: 'repeat', ...packet(sequence) }),
    ).join('\n')
    assert.equal((await client.bulk(body)).status, 202)
    await client.complete('repeat', count)
    await archived(client, 'repeat')
    const { status, body: result, text } = await client.bulk(body)
    assert.deepEqual([status, result['duplicate'], result['rejected']], [202, count, 0], text)
  })

  // Guards against the row "packet right after the 202 of the completion": accepted in 48 of 50 tries, rejected in 2.
  test('has begun when the completion is answered: every packet right after it is accepted', async (t) => {
    const client = new HttpClient(t, service())
    const statuses = new Map<unknown, number>()
    for (let round = 0; round < 50; round++) {
      const callId = `after-${round}`
      await client.packet(callId, packet(0))
      await client.complete(callId, 2)
      const { body } = await client.packet(callId, packet(1))
      statuses.set(body['status'], (statuses.get(body['status']) ?? 0) + 1)
    }
    assert.deepEqual([...statuses], [['accepted', 50]])
  })

  test('lasts as long as configured, however often the completion is repeated', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    await client.packet('repeated', packet(0))
    await client.complete('repeated', 1)
    const changes = () => supervisor.of('repeated').filter(({ event }) => event === 'state_changed')
    let repetitions = 0
    const until = Date.now() + graceMs + patience(4000)
    while (changes().length < 2 && Date.now() < until) {
      assert.equal((await client.complete('repeated', 1)).status, 202)
      repetitions++
    }
    assert(repetitions > 10, `${repetitions} repetitions within the grace period`)
    const [completed, over] = changes().map(({ at }) => Date.parse(at)) as [number, number]
    const lastedMs = over - completed
    assert(lastedMs >= graceMs && lastedMs < graceMs + patience(500), `it lasted ${lastedMs} ms`)
  })
})

describe('a grace period of 0', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0 } })

  test('ends the call at once, and what is answered to a racing packet is what happened to it', async (t) => {
    const client = new HttpClient(t, service())
    const outcomes = new Map<unknown, number>()
    const both = () => outcomes.has('accepted') && outcomes.has('rejected')
    for (let round = 0; round < 60 || (!both() && round < 600); round++) {
      const callId = `race-${round}`
      await client.packet(callId, packet(0))
      // The packet has to arrive now before the completion, now after it, now after the state has moved on; further apart on a
      // machine that is so busy that one of them always comes first.
      const apartMs = ((round % 11) - 5) * (1 + Math.floor(round / 60))
      const [completion, raced] = await Promise.all([
        delay(Math.max(0, -apartMs)).then(() => client.complete(callId, 2)),
        delay(Math.max(0, apartMs)).then(() => client.packet(callId, packet(1))),
      ])
      assert.equal(completion.status, 202)
      const { status } = raced.body
      outcomes.set(status, (outcomes.get(status) ?? 0) + 1)
      assert.equal(raced.status, status === 'accepted' ? 202 : 409)
      const { body } = await archived(client, callId)
      const stored = status === 'accepted' ? 2 : 1
      assert.equal(body['total_received'], stored, `round ${round}`)
      assert.match(transcriptionOf(body) ?? '', new RegExp(`of ${stored} packets`))
    }
    assert(both(), 'both came first at times')
    assert.equal(outcomes.size, 2)
  })
})
