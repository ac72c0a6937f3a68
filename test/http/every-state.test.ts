/** What comes for a call in each state of its life. COMPLETED, where most of it happens, has a file of its own. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { settingsOfStates } from '../support/call-states.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { eventually, logged, packet, type Service } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

type State = keyof typeof settingsOfStates

/** A call with packets 0, 1 and 3 of 4, in its state. */
async function callIn(state: State, callId: string, client: HttpClient): Promise<void> {
  for (const sequence of [0, 1, 3]) await client.packet(callId, packet(sequence))
  if (state !== 'IN_PROGRESS') await client.complete(callId, 4)
  // An analysis under way has begun its attempt: from then on the call only waits.
  const attempts = state === 'PROCESSING_AI' ? 1 : 0
  await eventually(
    () => client.call(callId),
    ({ body }) => body['state'] === state && (body['ai'] as { attempts: number }).attempts >= attempts,
  )
}

async function storedPackets(client: HttpClient, callId: string): Promise<unknown[]> {
  const { body } = await client.get(`/v1/call/${callId}/packets`)
  return (body['packets'] as { sequence: number; data: string; timestamp: number }[]).map(
    ({ sequence, data, timestamp }) => ({ sequence, data, timestamp }),
  )
}

const account = { total_received: 3, missing_sequences: [2], missing_count: 1 }

async function testDuplicate(t: TestContext, service: Service, state: State): Promise<void> {
  const client = new HttpClient(t, service)
  await callIn(state, 'same', client)
  const { status, body } = await client.packet('same', packet(1))
  assert.equal(status, 202)
  assert.deepEqual(body, {
    status: 'duplicate',
    message: 'Packet already received',
    call_id: 'same',
    sequence: 1,
    ...account,
    duplicate: true,
  })
  const after = await client.call('same')
  assert.equal(after.body['state'], state)
  assert.equal(after.body['total_received'], 3)
}

// Guards against A6: other content under the same sequence went by without a trace.
async function testOtherContent(t: TestContext, service: Service, state: State): Promise<void> {
  const client = new HttpClient(t, service)
  await callIn(state, 'other', client)
  const mismatches = () => readMetric(service, 'voicestream_duplicate_mismatches_total')
  const before = await mismatches()
  const { status, body } = await client.packet('other', { ...packet(1), data: 'DIFFERENT', timestamp: 1 })
  // A sender that still sends the call learns that the first stays; after that it can only be another call's.
  const receives = state === 'IN_PROGRESS' || state === 'COMPLETED'
  assert.deepEqual([status, body['status']], receives ? [202, 'duplicate'] : [409, 'rejected'])
  await eventually(mismatches, (count) => count === before + 1)
  const lines = await logged(service, (line) => line['call_id'] === 'other' && line['sequence'] === 1)
  assert.equal(lines.length, 1)
  assert.equal(lines[0]?.['level'], 40, 'it is a warning')
  assert(!JSON.stringify(service.log).includes('DIFFERENT'), 'nobody’s words are in the log')
  assert.deepEqual(await storedPackets(client, 'other'), [packet(0), packet(1), packet(3)])
}

// Guards against A2 on one side of the border, and on the other against a rejection that looks like a success.
async function testNewPacket(t: TestContext, service: Service, state: State): Promise<void> {
  const client = new HttpClient(t, service)
  await callIn(state, 'new', client)
  const { status, headers, body } = await client.packet('new', packet(2))
  assert.equal(headers['content-type'], 'application/json')
  if (state === 'IN_PROGRESS' || state === 'COMPLETED') {
    assert.equal(status, 202)
    assert.equal(body['status'], 'accepted')
    assert.deepEqual(
      await storedPackets(client, 'new'),
      [0, 1, 2, 3].map((sequence) => packet(sequence)),
    )
    return
  }
  const before = await client.call('new')
  assert.equal(status, 409)
  assert.deepEqual(body, {
    status: 'rejected',
    message: 'The grace period of the call is over',
    call_id: 'new',
    sequence: 2,
    ...account,
    duplicate: false,
  })
  assert.deepEqual(await storedPackets(client, 'new'), [packet(0), packet(1), packet(3)])
  const again = await client.packet('new', packet(2))
  assert.equal(again.body['status'], 'rejected', 'a rejected packet is never a duplicate')
  assert.deepEqual((await client.call('new')).body, before.body)
}

// Guards against table D: a second completion was accepted in every state, with any total.
async function testCompletion(t: TestContext, service: Service, state: State): Promise<void> {
  const client = new HttpClient(t, service)
  await callIn(state, 'again', client)
  const before = await client.call('again')
  const same = await client.complete('again', 4)
  assert.equal(same.status, 202)
  assert.deepEqual(same.body, {
    status: 'accepted',
    message: 'Call completion signal received',
    call_id: 'again',
    expected_total_packets: 4,
  })
  if (state === 'IN_PROGRESS') return
  const other = await client.complete('again', 7)
  assert.equal(other.status, 409)
  assert.equal(other.headers['content-type'], 'application/problem+json')
  assert.equal(other.body['type'], 'urn:voicestream:problem:total_packets_conflict')
  assert.deepEqual((await client.call('again')).body, before.body, 'nothing has changed')
}

for (const state of Object.keys(settingsOfStates) as State[]) {
  describe(`in ${state}`, () => {
    const service = suiteService({ settings: settingsOfStates[state] })

    test('a stored packet that comes again is a duplicate', (t) => testDuplicate(t, service(), state))
    test('other content under a stored sequence is counted and logged, and the first stays', (t) =>
      testOtherContent(t, service(), state))
    test('a packet that is not stored is accepted until the grace period is over, then refused', (t) =>
      testNewPacket(t, service(), state))
    test('a completion with the same total is repeated, with another one refused', (t) =>
      testCompletion(t, service(), state))
    test('a completion of a call that never was is not found and makes none', async (t) => {
      const client = new HttpClient(t, service())
      const { status, body } = await client.complete('never', 4)
      assert.equal(status, 404)
      assert.equal(body['type'], 'urn:voicestream:problem:call_not_found')
      assert.equal((await client.call('never')).status, 404)
    })
  })
}
