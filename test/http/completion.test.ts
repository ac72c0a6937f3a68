import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { patience } from '../support/patience.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

describe('a completion', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 60_000 } })

  test('is answered field by field, and the call waits out its grace period', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('plain', packet(0))
    const { status, headers, body } = await client.complete('plain', 1)
    assert.equal(status, 202)
    assert.equal(headers['content-type'], 'application/json')
    assert.deepEqual(body, {
      status: 'accepted',
      message: 'Call completion signal received',
      call_id: 'plain',
      expected_total_packets: 1,
    })
    const call = await client.call('plain')
    assert.equal(call.body['state'], 'COMPLETED')
    assert.equal(call.body['reason'], 'completed')
    assert.equal(call.body['expected_total_packets'], 1)
  })

  // Guards against A4: the total was stored and never compared, and a call with 2 of 50 packets was "complete".
  test('shows a lost tail', async (t) => {
    const client = new HttpClient(t, service())
    for (const sequence of [0, 1]) await client.packet('short', packet(sequence))
    await client.complete('short', 50)
    const { body } = await client.call('short')
    assert.equal(body['missing_count'], 48)
    assert.deepEqual(body['missing_ranges'], [[2, 49]])
    assert.equal(body['surplus_count'], 0)
    const late = await client.packet('short', packet(49))
    assert.equal(late.body['missing_count'], 47)
    assert.deepEqual((late.body['missing_sequences'] as number[]).slice(0, 2), [2, 3])
    assert.deepEqual((await client.call('short')).body['missing_ranges'], [[2, 48]])
  })

  test('shows a surplus, and counts nothing beyond the total as missing', async (t) => {
    const client = new HttpClient(t, service())
    for (const sequence of [0, 2, 5, 9]) await client.packet('surplus', packet(sequence))
    await client.complete('surplus', 4)
    const { body } = await client.call('surplus')
    assert.equal(body['missing_count'], 2)
    assert.deepEqual(body['missing_ranges'], [
      [1, 1],
      [3, 3],
    ])
    assert.equal(body['surplus_count'], 2)
    const more = await client.packet('surplus', packet(7))
    assert.equal(more.body['status'], 'accepted')
    assert.deepEqual(more.body['missing_sequences'], [1, 3])
    assert.equal((await client.call('surplus')).body['surplus_count'], 3)
  })

  // Guards against B3: this total was accepted, broke the task behind it and wedged the call.
  test('with a total of 2147483648 is one like any other', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('huge', packet(0))
    const { status, body } = await client.complete('huge', 2 ** 31)
    assert.equal(status, 202)
    assert.equal(body['expected_total_packets'], 2 ** 31)
    const call = await client.call('huge')
    assert.equal(call.body['missing_count'], 2 ** 31 - 1)
    assert.deepEqual(call.body['missing_ranges'], [[1, 2 ** 31 - 1]])
    const last = await client.packet('huge', packet(2 ** 31 - 1))
    assert.equal(last.body['status'], 'accepted')
    assert.equal(last.body['missing_count'], 2 ** 31 - 2)
  })

  // Guards against table D: five completions at once were five transitions.
  test('that comes five times at once happens once', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    await client.packet('five', packet(0))
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => client.complete('five', 3)))
    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202, 202, 202, 202],
    )
    // An event of another call is the sign that nothing more is under way for this one.
    await client.packet('five-later', packet(0))
    await supervisor.until(() => supervisor.of('five-later').length === 1)
    const changes = supervisor.of('five').filter(({ event }) => event === 'state_changed')
    assert.equal(changes.length, 1)
  })

  test('that comes five times at once with five totals has one winner', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('totals', packet(0))
    const totals = [3, 4, 5, 6, 7]
    const answers = await Promise.all(totals.map((total) => client.complete('totals', total)))
    const won = answers.filter(({ status }) => status === 202)
    assert.equal(won.length, 1)
    assert.equal(answers.filter(({ status }) => status === 409).length, 4)
    const { body } = await client.call('totals')
    assert.equal(body['expected_total_packets'], won[0]?.body['expected_total_packets'])
  })

  test('that comes together with the first packet finds the call or does not, and never breaks it', async (t) => {
    const client = new HttpClient(t, service())
    const statuses = new Set<number>()
    for (let round = 0; round < 40; round++) {
      const callId = `together-${round}`
      const both = [() => client.packet(callId, packet(0)), () => client.complete(callId, 1)]
      // Both orders of sending.
      const [first, second] = await Promise.all(
        (round % 2 === 0 ? both : both.reverse()).map((send) => send()),
      )
      const [stored, completed] = round % 2 === 0 ? [first, second] : [second, first]
      assert.equal(stored?.status, 202)
      assert(completed?.status === 202 || completed?.status === 404, `${completed?.status}`)
      statuses.add(completed.status)
      const { body } = await client.call(callId)
      assert.equal(body['state'], completed.status === 202 ? 'COMPLETED' : 'IN_PROGRESS')
      assert.equal(body['total_received'], 1)
    }
    assert.deepEqual([...statuses].sort(), [202, 404], 'each came first at times')
  })
})

// Guards against B6: a call whose completion never came stayed in progress for ever.
describe('a call that nobody completes', () => {
  const idleMs = 1000
  const graceMs = 600
  const service = suiteService({ settings: { CALL_IDLE_TIMEOUT_MS: idleMs, GRACE_PERIOD_MS: graceMs } })
  const inState = (client: HttpClient, callId: string, state: string) =>
    eventually(
      () => client.call(callId),
      ({ body }) => body['state'] === state,
    )

  test('is completed by the idle timeout, says so, and ends', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('idle', packet(0))
    const completed = await inState(client, 'idle', 'COMPLETED')
    assert.equal(completed.body['reason'], 'idle_timeout')
    assert.equal(completed.body['expected_total_packets'], null)
    const idledMs =
      Date.parse(String(completed.body['completed_at'])) -
      Date.parse(String(completed.body['last_packet_at']))
    assert(idledMs >= idleMs && idledMs < idleMs + patience(1000), `it was idle for ${idledMs} ms`)
    const archived = await inState(client, 'idle', 'ARCHIVED')
    assert.equal(archived.body['reason'], 'idle_timeout')
    // After the grace period nobody can say how many there were.
    const { status, body } = await client.complete('idle', 2)
    assert.equal(status, 409)
    assert.equal(body['type'], 'urn:voicestream:problem:total_packets_conflict')
    assert.deepEqual((await client.call('idle')).body, archived.body)
  })

  test('still takes a packet and a total in its grace period', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('total', packet(0))
    await inState(client, 'total', 'COMPLETED')
    assert.equal((await client.packet('total', packet(2))).body['status'], 'accepted')
    assert.equal((await client.complete('total', 4)).status, 202)
    assert.equal((await client.complete('total', 4)).status, 202)
    assert.equal((await client.complete('total', 5)).status, 409)
    const { body } = await inState(client, 'total', 'ARCHIVED')
    assert.equal(body['reason'], 'idle_timeout')
    assert.equal(body['expected_total_packets'], 4)
    assert.equal(body['missing_count'], 2)
    assert.match(
      String((body['ai'] as Record<string, unknown>)['transcription']),
      /of 2 packets, .* 2 missing/,
    )
    assert.equal((await client.complete('total', 4)).status, 202, 'the total is repeated after the end too')
  })

  test('goes on while packets come', async (t) => {
    const client = new HttpClient(t, service())
    const startedAt = performance.now()
    let sequence = 0
    while (performance.now() - startedAt < idleMs * 1.8) {
      const { body } = await client.packet('busy', packet(sequence++))
      assert.equal(body['status'], 'accepted')
      await new Promise((resolve) => setTimeout(resolve, idleMs / 4))
    }
    assert(sequence > 4, `${sequence} packets came`)
    assert.equal((await client.call('busy')).body['state'], 'IN_PROGRESS')
    await inState(client, 'busy', 'COMPLETED')
  })
})
