/** Erased calls and supervisors: what is held for those who come back has nothing of them (P23). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FeedClient } from '../support/feed-client.js'
import { HttpClient } from '../support/http-client.js'
import { eventually, get, packet, type Service } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

/** With its transcription, which its events carry. */
async function archive(service: Service, http: HttpClient, callId: string): Promise<void> {
  for (const sequence of [0, 1]) await http.packet(callId, packet(sequence))
  await http.complete(callId, 2)
  await eventually(
    () => get(service, `/v1/call/${callId}`),
    ({ body }) => body['state'] === 'ARCHIVED',
  )
}

async function erase(service: Service, callId: string): Promise<void> {
  assert.equal((await fetch(`${service.url}/v1/call/${callId}`, { method: 'DELETE' })).status, 204)
}

describe('a call that was erased', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0 } })

  // Guards against a ring that outlives the call: its transcription would go to whoever resumes.
  test('is nowhere in what a supervisor missed but as deleted, and the others are there', async (t) => {
    const http = new HttpClient(t, service())
    const before = new FeedClient(t, service(), { start: 'now' })
    await before.live()
    const position = before.client.position as string
    before.client.dispose()
    for (const callId of ['gone', 'kept']) await archive(service(), http, callId)
    await erase(service(), 'gone')
    await http.packet('kept', packet(1))

    const after = new FeedClient(t, service(), { start: { position } })
    await after.live()
    assert.deepEqual(after.resets, [], 'its place was held')
    const toldOf = (callId: string) =>
      after.events.filter((event) => event.call_id === callId).map(({ event }) => event)
    assert.deepEqual(toldOf('gone'), ['call_deleted'])
    for (const event of ['packet_received', 'state_changed', 'ai_completed', 'packet_duplicate'] as const)
      assert(toldOf('kept').includes(event), event)
  })

  test('leaves the floor, and comes into no later picture', async (t) => {
    const http = new HttpClient(t, service())
    await archive(service(), http, 'shown')
    const viewer = new FeedClient(t, service(), { view: 'floor' })
    await viewer.live()
    const rowsOf = (client: FeedClient) =>
      client.snapshots.flatMap(({ calls }) => calls.filter(({ call_id }) => call_id === 'shown'))
    assert.equal(rowsOf(viewer).length, 1, 'it was in the picture')
    await erase(service(), 'shown')
    await viewer.until(() =>
      viewer.messages.some(({ message }) => message.event === 'floor' && message.gone.includes('shown')),
    )
    const next = new FeedClient(t, service(), { view: 'floor' })
    await next.live()
    assert.deepEqual(rowsOf(next), [])
  })
})
