/** A call that was never answered: the PBX starts it, and completes it with a total of 0. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { assertProblem } from '../support/problems.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

describe('a completion with a total of 0', () => {
  const service = suiteService({ settings: { CALL_IDLE_TIMEOUT_MS: 60_000, GRACE_PERIOD_MS: 60_000 } })
  const idle = suiteService({ settings: { CALL_IDLE_TIMEOUT_MS: 1000, GRACE_PERIOD_MS: 60_000 } })

  // Guards against a call that looks silent for a quarter of an hour, because its end was refused.
  test('ends a call that was started and has no packets at once, and no provider is asked', async (t) => {
    const client = new HttpClient(t, service())
    const supervisor = await SupervisorClient.connect(t, service())
    await client.post('/v1/call/start/unanswered', '{"agent":"maria"}')
    const { status, body } = await client.complete('unanswered', 0)
    assert.equal(status, 202)
    assert.deepEqual(body, {
      status: 'accepted',
      message: 'Call completion signal received',
      call_id: 'unanswered',
      expected_total_packets: 0,
    })
    const { body: call } = await client.call('unanswered')
    assert.deepEqual(
      [call['state'], call['reason'], call['expected_total_packets'], call['missing_count']],
      ['ARCHIVED', 'no_audio', 0, 0],
    )
    assert.equal(call['completed_at'], call['ended_at'])
    const ai = call['ai'] as Record<string, unknown>
    assert.deepEqual([ai['attempts_total'], ai['waiting_for'], ai['error']], [0, null, null])
    await supervisor.until(() => supervisor.of('unanswered').length === 4)
    assert.deepEqual(
      supervisor.of('unanswered').map((event) => {
        return event.event === 'state_changed' ? [event.to_state, event.reason] : event.event
      }),
      [
        'call_started',
        ['COMPLETED', 'no_audio'],
        ['PROCESSING_AI', 'grace_period_over'],
        ['ARCHIVED', 'no_audio'],
      ],
    )
    assert.equal(await readMetric(service(), 'voicestream_calls_completed_total{reason="no_audio"}'), 1)
    assertProblem(await client.get('/v1/call/unanswered/transcript'), 404)
    assertProblem(await client.get('/v1/call/unanswered/audio'), 404)
  })

  test('may be repeated, and is final: a packet comes too late, another total conflicts', async (t) => {
    const client = new HttpClient(t, service())
    await client.post('/v1/call/start/final', '')
    for (let i = 0; i < 3; i++) assert.equal((await client.complete('final', 0)).status, 202)
    assert.equal((await client.packet('final', packet(0))).status, 409)
    assert.equal((await client.complete('final', 1)).status, 409)
    assert.equal((await client.call('final')).body['total_received'], 0)
  })

  test('ends a started call, too, that the idle timeout has completed', async (t) => {
    const client = new HttpClient(t, idle())
    await client.post('/v1/call/start/idle', '')
    await eventually(
      () => client.call('idle'),
      ({ body }) => body['state'] === 'COMPLETED',
    )
    assert.equal((await client.complete('idle', 0)).status, 202)
    const { body } = await client.call('idle')
    assert.deepEqual([body['state'], body['reason']], ['ARCHIVED', 'no_audio'])
  })

  test('is refused for every other call, which goes on', async (t) => {
    const client = new HttpClient(t, service())
    assertProblem(await client.complete('unknown', 0), 422)
    assert.equal((await client.call('unknown')).status, 404)
    await client.packet('never-started', packet(0))
    await client.post('/v1/call/start/with-packets', '')
    await client.packet('with-packets', packet(0))
    for (const callId of ['never-started', 'with-packets']) {
      const refused = await client.complete(callId, 0)
      assertProblem(refused, 422)
      assert.equal((refused.body['errors'] as { path: string }[])[0]?.path, '/total_packets')
      assert.equal((await client.call(callId)).body['state'], 'IN_PROGRESS')
      await client.complete(callId, 1)
      assertProblem(await client.complete(callId, 0), 422)
    }
    await client.post('/v1/call/start/minus', '')
    for (const text of ['{"total_packets":-0}', '{"total_packets":0.0}'])
      assertProblem(await client.post('/v1/call/complete/minus', text), 422)
    assert.equal((await client.call('minus')).body['state'], 'IN_PROGRESS')
  })
})
