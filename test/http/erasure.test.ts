/** `DELETE /v1/call/{call_id}`: in every state, once, and of that call alone. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settingsOfStates } from '../support/call-states.js'
import { HttpClient } from '../support/http-client.js'
import { readMetrics } from '../support/metrics.js'
import { RawConnection } from '../support/raw-connection.js'
import { eventually, get, packet, post, type Service } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

async function bring(service: Service, callId: string, state: string): Promise<void> {
  for (const sequence of [0, 1, 3]) await post(service, `/v1/call/stream/${callId}`, packet(sequence))
  if (state !== 'IN_PROGRESS') await post(service, `/v1/call/complete/${callId}`, { total_packets: 4 })
  const attempts = state === 'PROCESSING_AI' ? 1 : 0
  await eventually(
    () => get(service, `/v1/call/${callId}`),
    ({ body }) => body['state'] === state && (body['ai'] as { attempts: number }).attempts >= attempts,
  )
}

const remove = (service: Service, callId: string) =>
  fetch(`${service.url}/v1/call/${callId}`, { method: 'DELETE' })

for (const [state, settings] of Object.entries(settingsOfStates))
  describe(`a call that is ${state}`, () => {
    const running = suiteService({ settings })

    test('is erased whole and once, and its name begins a new call', async (t) => {
      // Guards against what goes on for a call that is gone: its actor, its analysis, its place in lists and counts.
      const service = running()
      const supervisor = await SupervisorClient.connect(t, service)
      await bring(service, 'gone', state)
      await bring(service, 'kept', state)
      const answer = await remove(service, 'gone')
      assert.equal(answer.status, 204)
      assert.equal(await answer.text(), '')
      assert.equal((await remove(service, 'gone')).status, 404)
      for (const path of ['', '/packets', '/gaps'])
        assert.equal((await get(service, `/v1/call/gone${path}`)).status, 404, path)
      const completed = await post(service, '/v1/call/complete/gone', { total_packets: 4 })
      assert.equal(completed.status, 404)
      const { body } = await get(service, '/v1/calls')
      assert.deepEqual(
        (body['calls'] as { call_id: string }[]).map(({ call_id }) => call_id),
        ['kept'],
      )
      await supervisor.until(() => supervisor.of('gone').some(({ event }) => event === 'call_deleted'))
      assert.equal(supervisor.of('gone').at(-1)?.event, 'call_deleted')

      const again = await post(service, '/v1/call/stream/gone', packet(5, 'a new fact'))
      assert.equal(again.status, 202)
      assert.deepEqual([again.body['total_received'], again.body['duplicate']], [1, false])
      const found = await get(service, '/v1/call/gone/packets')
      assert.equal((found.body['packets'] as unknown[]).length, 1)
      assert.equal((await get(service, '/v1/call/kept/packets')).body['next_from'], null)

      const metrics = await readMetrics(service)
      const counted = (name: string) => metrics.get(`voicestream_calls{state="${name}"}`)
      assert.equal(counted('IN_PROGRESS'), state === 'IN_PROGRESS' ? 2 : 1)
      if (state !== 'IN_PROGRESS') assert.equal(counted(state), 1)
      assert.equal(metrics.get('voicestream_calls_erased_total'), 1)
      assert.equal(metrics.get('voicestream_analyses_running'), state === 'PROCESSING_AI' ? 1 : 0)
    })
  })

describe('an erasure', () => {
  const running = suiteService()

  test('of an unknown call is 404, of no call id 400, and a route without it says what it takes', async () => {
    const service = running()
    assert.equal((await remove(service, 'never')).status, 404)
    assert.equal((await remove(service, '%zz')).status, 400)
    const refused = await fetch(`${service.url}/v1/calls`, { method: 'DELETE' })
    assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'])
    const put = await fetch(`${service.url}/v1/call/c1`, { method: 'PUT' })
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'GET, HEAD, DELETE'])
  })

  test('among packets of the same call leaves those that were sent after it', async (t) => {
    // Guards against messages that wait for an activation and pass the erasure that came before them.
    const service = running()
    const client = new HttpClient(t, service)
    for (let round = 0; round < 20; round++) {
      const id = `raced-${round}`
      const answers = await Promise.all([
        ...[0, 1, 2].map((sequence) => post(service, `/v1/call/stream/${id}`, packet(sequence))),
        remove(service, id),
        ...[3, 4, 5].map((sequence) => post(service, `/v1/call/stream/${id}`, packet(sequence))),
      ])
      const erased = (answers[3] as Response).status
      assert(erased === 204 || erased === 404, `${erased}`)
      for (const { status } of answers.filter((_, i) => i !== 3)) assert.equal(status, 202)
      const { status, body } = await client.call(id)
      const stored = status === 404 ? 0 : (body['total_received'] as number)
      assert(erased === 204 ? stored < 6 : stored === 6, `${erased}, ${stored} packets`)
      const sent = await post(service, `/v1/call/stream/${id}`, packet(9))
      assert.equal(sent.body['total_received'], stored + 1)
    }
  })

  test('whose framing is ambiguous erases nothing', async () => {
    // uWebSockets.js calls the handler before it looks at the framing.
    const service = running()
    await post(service, '/v1/call/stream/framed', packet(0))
    const connection = await RawConnection.open(service)
    connection.write(
      'DELETE /v1/call/framed HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde',
    )
    const [answer] = await connection.answered(1)
    assert.equal(answer?.status, 400)
    connection.end()
    assert.equal((await get(service, '/v1/call/framed')).status, 200)
  })
})
