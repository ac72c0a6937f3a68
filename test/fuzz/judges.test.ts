/** The accounts of the fuzz for calls that are said to be something, and for what is read of them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openAdmission } from './admission.js'
import { bystanders, soundFile } from './bystanders.js'
import { expectationOf } from './expectation.js'
import { inputOf } from './ground.js'
import { naiveStart } from './naive-start.js'
import type { Answer } from './socket-exchange.js'
import { judgeStarts, type StartAttempt } from './started-calls.js'

const expected = (text: string) => {
  const [request] = expectationOf(inputOf('http', '', [Buffer.from(text)]), openAdmission).requests
  assert(request !== undefined)
  return request
}
const get = (target: string, lines = '') =>
  expected(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`)
const refusals = (body: string) => {
  const said = naiveStart(Buffer.from(body))
  return 'media' in said ? 'taken' : said.join()
}

describe('what the fuzz expects of a start', () => {
  test('is that each rule of the contract holds, in code points and at every level', () => {
    for (const body of [
      '',
      '{}',
      '{"media":{"channels":8},"x":1}',
      `{"caller":"${'🎧'.repeat(128)}","metadata":{"a":""}}`,
    ])
      assert.equal(refusals(body), 'taken', body)
    const labels = Array.from({ length: 33 }, (_, i) => `"k${i}":""`).join()
    for (const body of [
      `{"metadata":{${labels}}}`,
      '{"media":{"sample_rate":8e3}}',
      '{"caller":""}',
      '{"direction":"up"}',
      '{"metadata":{"a b":""}}',
      '{"agent":"\\u0000"}',
    ])
      assert.equal(refusals(body), 'schema_violation', body)
    for (const body of ['{"metadata":{"a":"1","a":"2"}}', '{"media":{"__proto__":{}}}'])
      assert.equal(refusals(body), 'malformed_json', body)
  })

  test('is that the last one is shown, whichever of those that were under way together that was', () => {
    const attempt = (agent: string, sentAt: number, doneAt: number): StartAttempt => ({
      call: 'c',
      said: { media: {}, texts: { agent }, metadata: {} },
      sentAt,
      doneAt,
      outcome: 'accepted',
      isConflict: false,
    })
    const view = (agent: string | null, encoding = 'text') => ({
      ...{ direction: null, caller: null, callee: null, agent, queue: null, metadata: {} },
      media: { encoding, sample_rate: 8000, channels: 1 },
    })
    const starts = [attempt('a', 1, 2), attempt('b', 3, 6), attempt('c', 4, 5)]
    const judge = (shown: ReturnType<typeof view> | null) => judgeStarts(starts, [], shown).length
    assert.deepEqual([view('b'), view('c')].map(judge), [0, 0])
    assert.deepEqual([view('a'), view(null), view('c', 'mulaw'), null].map(judge), [1, 1, 1, 1])
    assert.deepEqual(judgeStarts([], [], view(null)), ['nobody has made this call'])
  })

  test('is a refusal only where packets of other media may be stored', () => {
    const said = { media: { encoding: 'mulaw' }, texts: {}, metadata: {} }
    const refused = { call: 'c', said, sentAt: 5, doneAt: 6, outcome: 'refused', isConflict: true } as const
    const view = {
      ...{ direction: null, caller: null, callee: null, agent: null, queue: null, metadata: {} },
      media: { encoding: 'text', sample_rate: 8000, channels: 1 },
    }
    const packet = (sentAt: number) => ({ sentAt, doneAt: sentAt + 1, outcome: 'accepted' }) as const
    assert.deepEqual(judgeStarts([refused], [packet(1)], view), [])
    assert.deepEqual(judgeStarts([refused], [packet(7)], view), ['a start was refused for nothing'])
    const taken = { ...refused, outcome: 'accepted', isConflict: false } as const
    assert(
      judgeStarts([taken], [packet(1)], view).includes('other media were taken for packets that are stored'),
    )
  })
})

describe('what the fuzz expects of a body', () => {
  const post = (path: string, type: string | null, body: string) => {
    const head = [`POST ${path} HTTP/1.1`, 'Host: localhost', `Content-Length: ${Buffer.byteLength(body)}`]
    if (type !== null) head.push(`Content-Type: ${type}`)
    return expected(`${head.join('\r\n')}\r\n\r\n${body}`)
  }
  const text = '{"sequence":1,"data":"x","timestamp":1}'

  test('is what it says behind one byte order mark, and without a type', () => {
    for (const type of [null, '', 'application/vnd.api+json', 'application/json'])
      for (const body of [text, `\ufeff${text}`])
        assert.deepEqual(post('/v1/call/stream/c', type, body).statuses, [202], `${type}`)
    assert.deepEqual(post('/v1/call/stream/c', null, `\ufeff\ufeff${text}`).statuses, [400])
    for (const type of ['text/json', 'application/+json', 'application/x-ndjson'])
      assert.deepEqual(post('/v1/call/stream/c', type, text).statuses, [415], type)
    assert.deepEqual(post('/v1/packets', 'application/jsonl', text).statuses, [202])
  })

  test('is refused in few words', () => {
    const { fault } = post('/v1/call/stream/c', null, '[]')
    const refusal = (body: string) => ({ status: 422, head: '', body, bytes: Buffer.from(body) })
    assert.equal(fault(refusal('{}')), null)
    assert.notEqual(fault(refusal('x'.repeat(60_000))), null)
  })
})

describe('what the fuzz expects of a read', () => {
  const file = soundFile()
  const answer = (status: number, bytes: Buffer, range = ''): Answer => ({
    status,
    bytes,
    body: bytes.toString(),
    head: `HTTP/1.1 ${status}${range === '' ? '' : `\r\nContent-Range: ${range}`}`,
  })
  const sound = `/v1/call/${bystanders.sound}/audio.wav`

  test('is the part of a recording that was asked for, byte for byte', () => {
    assert.equal(get(sound).fault(answer(200, file)), null)
    const { statuses, fault } = get(sound, 'Range: bytes=58-60\r\n')
    assert.deepEqual(statuses, [206])
    assert.equal(fault(answer(206, file.subarray(58, 61), `bytes 58-60/${file.length}`)), null)
    assert.notEqual(fault(answer(206, file.subarray(58, 62), `bytes 58-60/${file.length}`)), null)
    assert.notEqual(fault(answer(206, file.subarray(58, 61), `bytes 58-61/${file.length}`)), null)
    assert.deepEqual(get(sound, 'Range: bytes=-0\r\n').statuses, [416])
    assert.deepEqual(get(sound, 'Range: bytes=3-1\r\n').statuses, [200])
    assert.deepEqual(get(sound, `Range: bytes=${file.length}-\r\n`).statuses, [416])
    assert.deepEqual(get(`/v1/call/${bystanders.done}/audio.wav`).statuses, [404])
  })

  test('is what was searched for, and a refusal of what is no search', () => {
    const found = (...calls: string[]) => {
      const body = JSON.stringify({ calls: calls.map((call_id) => ({ call_id })), next_cursor: null })
      return answer(200, Buffer.from(body))
    }
    const { done, open } = bystanders
    const both = found(bystanders.sound, done)
    assert.equal(get('/v1/calls?q=Simulated%20pack*').fault(both), null)
    assert.notEqual(get('/v1/calls?q=nobody').fault(both), null)
    assert.notEqual(get('/v1/calls?q=simulated').fault(found(done)), null)
    assert.notEqual(get('/v1/calls?q=%22x-y%22').fault(found(open)), null)
    for (const query of ['q=%22', 'q=', 'q=ab*', 'q=a..*', 'limit=201', 'state=archived', 'cursor=-1'])
      assert.deepEqual(get(`/v1/calls?${query}`).statuses, [422], query)
  })
})
