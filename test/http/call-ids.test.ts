import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sipCallIds } from '../support/call-id-texts.js'
import { FeedClient } from '../support/feed-client.js'
import { supervisorHandshake } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { RawConnection } from '../support/raw-connection.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

/** As they stand in the path; bytes above 0x7F are sent as they are. */
const refused: Record<string, string> = {
  'U+0000': 'a%00b',
  'a way up': '..%2Fa',
  'a way up within': 'a%2F..%2Fb',
  'one dot': '.',
  'two dots': '..',
  'an encoded dot': '%2e',
  'two encoded dots': '%2E%2e',
  // Guards against table D: both became U+FFFD, and so one call.
  'half a character': '%C3',
  'a byte that is no UTF-8': '%FF',
  'a whole character that is not allowed': '%C3%A9',
  'a raw byte above 0x7F': 'a\xff',
  'another raw byte above 0x7F': 'a\xe9',
  'a truncated escape': 'a%4',
  'a lone percent sign': 'a%',
  'an escape that is none': 'a%zz',
  'a truncated character': '%E0%A4%A',
  'a space': 'a%20b',
  'a line feed': 'a%0Ab',
  'a semicolon': 'a;v=1',
  'a comma': 'a,b',
  'two at signs': 'a%40b@c',
  'an at sign at the end': 'a@',
  '256 characters': 'i'.repeat(256),
  '256 characters, once decoded': `%69${'i'.repeat(255)}`,
  '3,000 characters': 'i'.repeat(3000),
}

const routes = [
  ['POST', (id: string) => `/v1/call/stream/${id}`, JSON.stringify(packet(0))],
  ['POST', (id: string) => `/v1/call/complete/${id}`, '{"total_packets":1}'],
  ['GET', (id: string) => `/v1/call/${id}`, undefined],
  ['GET', (id: string) => `/v1/call/${id}/packets`, undefined],
  ['GET', (id: string) => `/v1/call/${id}/gaps`, undefined],
] as const

describe('a call id', () => {
  const service = suiteService()

  test('that breaks the rule is refused with 400 by every route and makes no call', async (t) => {
    const client = new HttpClient(t, service())
    let cases = 0
    for (const [name, segment] of Object.entries(refused)) {
      await t.test(name, async () => {
        for (const [method, path, body] of routes) {
          const answer = await client.send(
            method,
            path(segment),
            { 'content-type': 'application/json' },
            body,
          )
          const problem = assertProblem(answer, 400)
          assert.equal(problem.type, 'urn:voicestream:problem:invalid_call_id')
          cases++
        }
      })
    }
    assert.equal(cases, Object.keys(refused).length * routes.length)
    const { body } = await client.get('/v1/calls')
    assert.deepEqual(body['calls'], [], 'no call was made')
  })

  test('of 5,000 characters is refused with a 4xx', async (t) => {
    const client = new HttpClient(t, service())
    const { status } = await client.packet('i'.repeat(5000), packet(0))
    assert(status >= 400 && status < 500, `${status}`)
  })

  test('may have every allowed character, and 255 of them', async (t) => {
    const client = new HttpClient(t, service())
    const all = 'ABCXYZabcxyz0123456789._:-'
    for (const callId of [
      all,
      '...',
      '.a',
      '-',
      ':',
      '_',
      '0',
      'i'.repeat(255),
      'stream',
      'complete',
      'packets',
    ]) {
      const stored = await client.packet(callId, packet(0))
      assert.equal(stored.status, 202, callId)
      assert.equal(stored.body['call_id'], callId)
      assert.equal((await client.call(callId)).body['call_id'], callId)
      const { body } = await client.get(`/v1/call/${callId}/packets`)
      assert.equal((body['packets'] as unknown[]).length, 1, callId)
    }
  })

  test('with percent-encoded characters is the same as in plain letters', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('plain:call-1', packet(0))
    for (const written of ['plain%3Acall-1', 'plain%3acall%2D1', '%70%6C%61%69%6E%3A%63%61%6C%6C%2D%31']) {
      const again = await client.packet(written, packet(0))
      assert.equal(again.body['status'], 'duplicate')
      assert.equal(again.body['call_id'], 'plain:call-1')
      assert.equal((await client.call(written)).body['call_id'], 'plain:call-1')
      assert.equal((await client.get(`/v1/call/${written}/packets`)).status, 200)
    }
  })

  // Guards against a place that relies on letters without an escape: JSON that is pieced together, a filter, a file.
  test('of a SIP device is shown as it is, everywhere', async (t) => {
    const client = new HttpClient(t, service())
    const filtered = new FeedClient(t, service(), { calls: [...sipCallIds], start: 'now' })
    await filtered.until(() => filtered.openedAt.length > 0)
    const all = await SupervisorClient.connect(t, service())
    await client.packet('bystander', packet(0))
    for (const callId of sipCallIds) {
      const path = encodeURIComponent(callId)
      const started = await client.post(`/v1/call/start/${path}`, '{"agent":"maria"}')
      assert.equal(started.body['call_id'], callId)
      const stored = await client.packet(path, packet(1))
      assert.deepEqual(
        [stored.status, stored.body['call_id'], stored.body['missing_sequences']],
        [202, callId, [0]],
      )
      assert.equal((await client.packet(path, packet(1))).body['call_id'], callId)
      const bulk = await client.bulk(JSON.stringify({ call_id: callId, ...packet(1) }))
      assert.deepEqual((bulk.body['lines'] as { call_id: string }[])[0]?.call_id, callId)
      for (const route of ['', '/packets', '/gaps'])
        assert.equal((await client.get(`/v1/call/${path}${route}`)).status, 200)
      assert.equal((await client.call(path)).body['call_id'], callId)
      const completed = await client.post(`/v1/call/complete/${path}`, '{"total_packets":2}')
      assert.equal(completed.body['call_id'], callId)
    }
    const { body } = await client.get('/v1/calls?agent=maria')
    const listed = (body['calls'] as { call_id: string }[]).map(({ call_id }) => call_id)
    assert.deepEqual(new Set(listed), new Set(sipCallIds))
    const last = sipCallIds.at(-1) as string
    const isDone = (events: readonly { event: string; call_id?: string }[]) =>
      events.some(({ event, call_id }) => event === 'state_changed' && call_id === last)
    await all.until(() => isDone(all.events))
    await filtered.until(() => isDone(filtered.events))
    assert.deepEqual(new Set(filtered.events.map(({ call_id }) => call_id)), new Set(sipCallIds))
    for (const callId of sipCallIds) {
      const seen = all
        .of(callId)
        .map(({ event }) => event)
        .slice(0, 5)
      assert.deepEqual(seen, [
        'call_started',
        'packet_received',
        'packet_duplicate',
        'packet_duplicate',
        'state_changed',
      ])
    }
    const erased = await client.send('DELETE', `/v1/call/${encodeURIComponent(last)}`, {})
    assert.equal(erased.status, 204)
    assert.equal((await client.call(encodeURIComponent(last))).status, 404)
  })

  // Guards against the rule of forms, where a plus sign is a space: no call has one.
  test('stands in the filter of a socket as it is, or percent-encoded', async (t) => {
    for (const [query, callId] of [
      ['a+b@c', 'a+b@c'],
      ['a%2Bb%40c', 'a+b@c'],
      ['%2541', '%41'],
    ]) {
      const connection = await RawConnection.open(service())
      t.after(() => connection.end())
      connection.write(supervisorHandshake(`?call=${query},other`))
      await connection.receivedText((text) => text.includes('101 Switching Protocols'))
      await new HttpClient(t, service()).packet(encodeURIComponent(callId as string), packet(7))
      await connection.receivedText((text) => text.includes(`"call_id":"${callId}"`))
    }
  })

  test('is not the rest of a query', async (t) => {
    const client = new HttpClient(t, service())
    const { body } = await client.packet('asked?sequence=9', packet(0))
    assert.equal(body['call_id'], 'asked')
    assert.equal(body['sequence'], 0)
  })
})
