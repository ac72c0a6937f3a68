/** `POST /v1/call/retry/{call_id}` over HTTP: in every state, with and without a body, before and after restarts. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { RawConnection } from '../support/raw-connection.js'
import { eventually, packet, type Service, startService, temporaryFolder } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

const failing = {
  GRACE_PERIOD_MS: 0,
  AI_SIMULATED_FAILURE_RATE: 1,
  AI_MAX_ATTEMPTS: 2,
  AI_BACKOFF_BASE_MS: 1,
  AI_BREAKER_FAILURES: 0,
} as const
const hanging = {
  GRACE_PERIOD_MS: 0,
  AI_SIMULATED_LATENCY_MIN_MS: 600_000,
  AI_SIMULATED_LATENCY_MAX_MS: 600_000,
} as const

const retry = (client: HttpClient, callId: string) => client.send('POST', `/v1/call/retry/${callId}`, {})

async function until(client: HttpClient, callId: string, state: string): Promise<Record<string, unknown>> {
  const { body } = await eventually(
    () => client.call(callId),
    (answer) => answer.body['state'] === state,
  )
  return body
}

async function fail(client: HttpClient, callId: string): Promise<void> {
  await client.packet(callId, packet(0))
  await client.complete(callId, 1)
  await until(client, callId, 'FAILED')
}

function ai(body: Record<string, unknown>): { attempts: number; attempts_total: number; redrives: number } {
  return body['ai'] as { attempts: number; attempts_total: number; redrives: number }
}

describe('a retry of a failed call', () => {
  const service = suiteService({ settings: failing })

  test('begins its analysis again, with the events and the counts of that', async (t) => {
    const client = new HttpClient(t, service())
    await fail(client, 'again')
    const supervisor = await SupervisorClient.connect(t, service())
    const answer = await retry(client, 'again')
    assert.equal(answer.status, 202)
    assert.deepEqual(answer.body, {
      status: 'accepted',
      message: 'The analysis begins again',
      call_id: 'again',
      redrives: 1,
    })
    await supervisor.until(() => supervisor.of('again').some(({ event }) => event === 'ai_failed'))
    const changes = supervisor
      .of('again')
      .flatMap((event) => (event.event === 'state_changed' ? [[event.to_state, event.reason]] : []))
    assert.deepEqual(changes, [
      ['PROCESSING_AI', 'retried'],
      ['FAILED', 'analysis_failed'],
    ])
    const { attempts, attempts_total: total, redrives } = ai(await until(client, 'again', 'FAILED'))
    assert.deepEqual([attempts, total, redrives], [2, 4, 1])
    assert.match((await client.get('/metrics')).text, /^voicestream_ai_redrives_total 1$/m)
  })

  test('takes no body, or an object, and nothing else', async (t) => {
    const client = new HttpClient(t, service())
    const json = { 'content-type': 'application/json' }
    const path = '/v1/call/retry/bodies'
    await fail(client, 'bodies')
    for (const body of ['{', '[]', '"x"', 'null', '{"a":1,"a":2}', '\u00ff']) {
      const answer = await client.send('POST', path, json, body)
      assertProblem(answer, body === '[]' || body === '"x"' || body === 'null' ? 422 : 400)
    }
    assertProblem(await client.send('POST', path, { 'content-type': 'text/plain' }, '{}'), 415)
    assertProblem(await client.send('POST', path, { 'content-type': 'text/plain' }), 415)
    assertProblem(await client.send('POST', path, json, `{"a":"${'x'.repeat(70_000)}"}`), 413)
    assert.equal(ai((await client.call('bodies')).body).redrives, 0, 'a refusal has no side effect')
    let redrives = 0
    for (const [headers, body] of [
      [{}, undefined],
      [json, undefined],
      [json, '{}'],
      [{}, '{}'],
      [{}, ''],
    ] as const) {
      assert.equal((await client.send('POST', path, headers, body)).status, 202)
      assert.equal(ai(await until(client, 'bodies', 'FAILED')).redrives, ++redrives)
    }
  })

  test('is not begun by a request whose framing is ambiguous, nor before its last byte', async (t) => {
    // Guards against a handler that acts on the headers alone: uWebSockets.js checks the framing after it has run.
    const client = new HttpClient(t, service())
    await fail(client, 'framed')
    const begin = 'POST /v1/call/retry/framed HTTP/1.1\r\nHost: x\r\n'
    for (const rest of [
      'Content-Length: 0\r\nContent-Length: 2\r\n\r\n{}',
      'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'Content-Length: x\r\n\r\n',
      'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{',
    ]) {
      const raw = await RawConnection.open(service())
      raw.socket.write(begin + rest)
      await new Promise((resolve) => setImmediate(resolve))
      raw.socket.destroy()
    }
    assert.equal(ai((await client.call('framed')).body).redrives, 0)
  })

  test('is refused for a call that is not known or has no name', async (t) => {
    const client = new HttpClient(t, service())
    assertProblem(await retry(client, 'nobody'), 404)
    assertProblem(await retry(client, '..%2f'), 400)
    const wrong = await client.get('/v1/call/retry/nobody')
    assertProblem(wrong, 405)
    assert.equal(wrong.headers['allow'], 'POST')
  })
})

/** What keeps a call in each state, and what a retry of it is answered. */
const states = {
  IN_PROGRESS: { settings: {}, status: 409 },
  COMPLETED: { settings: { GRACE_PERIOD_MS: 86_400_000 }, status: 409 },
  PROCESSING_AI: { settings: hanging, status: 202 },
  ARCHIVED: { settings: { GRACE_PERIOD_MS: 0 }, status: 409 },
  FAILED: { settings: failing, status: 202 },
} as const

async function bring(t: TestContext, service: Service, state: keyof typeof states): Promise<HttpClient> {
  const client = new HttpClient(t, service)
  await client.packet('c1', packet(0))
  if (state !== 'IN_PROGRESS') await client.complete('c1', 1)
  await until(client, 'c1', state)
  return client
}

describe('a retry of a call', { concurrency: 2 }, () => {
  for (const [state, { settings, status }] of Object.entries(states) as [
    keyof typeof states,
    (typeof states)['FAILED'],
  ][])
    test(`in ${state} is answered ${status}, of a living call and after a restart`, async (t) => {
      const dataDir = temporaryFolder(t)
      const judge = async (client: HttpClient, redrives: number) => {
        const before = (await client.call('c1')).body
        const answer = await retry(client, 'c1')
        assert.equal(answer.status, status)
        if (status !== 202) {
          assertProblem(answer, 409)
          assert.deepEqual((await client.call('c1')).body, before)
        } else if (state === 'PROCESSING_AI')
          assert.deepEqual([answer.body['status'], answer.body['redrives']], ['under_way', 0])
        else {
          assert.deepEqual([answer.body['status'], answer.body['redrives']], ['accepted', redrives])
          assert.equal(ai(await until(client, 'c1', 'FAILED')).redrives, redrives)
        }
      }
      const service = await startService(t, { dataDir, settings })
      await judge(await bring(t, service, state), 1)
      service.kill('SIGKILL')
      await service.exited
      await judge(new HttpClient(t, await startService(t, { dataDir, settings })), 2)
    })
})
