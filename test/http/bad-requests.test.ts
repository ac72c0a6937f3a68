/** Media types, sizes, methods and routes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { RawConnection } from '../support/raw-connection.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const json = JSON.stringify(packet(0))
const line = JSON.stringify({ call_id: 'media', ...packet(0) })

/** A packet padded with white space, which JSON allows, to so many bytes. */
const padded = (bytes: number) => json + ' '.repeat(bytes - json.length)

describe('the media type of a body', () => {
  const service = suiteService()

  test('must be the one of the route', async (t) => {
    const client = new HttpClient(t, service())
    const wrong = [
      'text/plain',
      'application/xml',
      'application/+json',
      'application/json+ld',
      'text/html+json',
      'text/json',
      'application/x-www-form-urlencoded',
      'application/jsonx',
      'application/json, text/plain',
      'multipart/form-data; boundary=x',
      ';application/json',
    ]
    for (const type of wrong) {
      const headers = { 'content-type': type }
      for (const path of ['/v1/call/stream/media', '/v1/call/complete/media']) {
        assertProblem(await client.send('POST', path, headers, json), 415)
      }
      assertProblem(await client.send('POST', '/v1/packets', headers, line), 415)
    }
    const exchanged = [
      await client.send('POST', '/v1/packets', { 'content-type': 'application/json' }, line),
      await client.send('POST', '/v1/call/stream/media', { 'content-type': 'application/x-ndjson' }, json),
    ]
    for (const answer of exchanged) assertProblem(answer, 415)
    assert.equal((await client.call('media')).status, 404, 'no side effect')
  })

  test('is compared without case and parameters', async (t) => {
    const client = new HttpClient(t, service())
    const right = [
      'application/json',
      'Application/JSON',
      'application/json; charset=utf-8',
      'application/json ;a=b',
      '',
      'application/vnd.api+json',
      'Application/LD+JSON; profile="x"',
      'application/problem+json',
    ]
    for (const [index, type] of right.entries()) {
      const answer = await client.send(
        'POST',
        `/v1/call/stream/type-${index}`,
        { 'content-type': type },
        json,
      )
      assert.equal(answer.status, 202, type)
    }
  })

  test('may be left out on every route that takes a body', async (t) => {
    const client = new HttpClient(t, service())
    // The predecessor's senders say none, or one of another vocabulary.
    for (const [id, headers] of [
      ['untyped', {}],
      ['api', { 'content-type': 'application/vnd.api+json' }],
    ] as const) {
      const send = (path: string, body: string) => client.send('POST', path, headers, body)
      assert.equal((await send(`/v1/call/start/${id}`, '{"agent":"ann"}')).status, 202)
      assert.equal((await send(`/v1/call/stream/${id}`, json)).status, 202)
      assert.equal((await send(`/v1/call/complete/${id}`, '{"total_packets":1}')).status, 202)
      assert.equal((await send(`/v1/call/retry/${id}`, '{}')).status, 409)
      assert.notEqual((await send('/v1/supervisor/ticket', '{}')).status, 415)
    }
    for (const type of [undefined, 'application/ndjson', 'application/jsonl', 'application/x-jsonlines']) {
      const headers = type === undefined ? {} : { 'content-type': type }
      const answer = await client.send('POST', '/v1/packets', headers, line)
      assert.equal(answer.status, 202, type)
    }
  })

  test('left out does not let the page of another origin in', async (t) => {
    const client = new HttpClient(t, service())
    for (const origin of ['https://evil.example', 'null'])
      for (const type of [undefined, 'application/vnd.api+json']) {
        const headers = { origin, ...(type === undefined ? {} : { 'content-type': type }) }
        for (const path of ['/v1/call/stream/foreign', '/v1/call/start/foreign', '/v1/packets'])
          assertProblem(await client.send('POST', path, headers, path.endsWith('packets') ? line : json), 403)
      }
    assert.equal((await client.call('foreign')).status, 404, 'no side effect')
  })
})

describe('a byte order mark', () => {
  const service = suiteService()
  const mark = '\ufeff'

  test('in front of a body is ignored, on every route that takes one', async (t) => {
    const client = new HttpClient(t, service())
    const post = (path: string, body: string) => client.post(path, body)
    assert.equal((await post('/v1/call/start/marked', mark)).status, 202)
    assert.equal((await post('/v1/call/start/marked', `${mark}{"agent":"ann"}`)).status, 202)
    assert.equal((await post('/v1/call/stream/marked', mark + json)).status, 202)
    assert.equal((await client.bulk(`${mark}${line.replace('media', 'marked')}\n`)).body['invalid'], 0)
    assert.equal((await client.bulk(`${mark}\r\n${line.replace('media', 'marked')}`)).body['invalid'], 0)
    assert.equal((await post('/v1/call/complete/marked', `${mark}{"total_packets":1}`)).status, 202)
    assert.equal((await post('/v1/call/retry/marked', `${mark}{}`)).status, 409)
    const { body } = await client.call('marked')
    assert.deepEqual([body['total_received'], body['agent']], [1, 'ann'])
  })

  test('in front of a line is ignored: files that begin with one were put one behind the other', async (t) => {
    const client = new HttpClient(t, service())
    const lines = [0, 1, 2].map((sequence) => JSON.stringify({ call_id: 'joined', ...packet(sequence) }))
    const { body } = await client.bulk(
      `${lines.map((each) => `${mark}${each}\r\n`).join('')}${mark}\n${mark}`,
    )
    assert.deepEqual([body['received'], body['accepted'], body['lines']], [3, 3, []])
    const twice = await client.bulk(`${lines[0]}\n${mark}${mark}${lines[1]}\n`)
    assert.deepEqual([twice.body['duplicate'], twice.body['invalid']], [1, 1])
  })

  test('is not ignored twice, nor inside a body, and stays where data begins with it', async (t) => {
    const client = new HttpClient(t, service())
    assertProblem(await client.post('/v1/call/stream/twice', mark + mark + json), 400)
    assertProblem(await client.post('/v1/call/stream/twice', json + mark), 400)
    assertProblem(await client.post('/v1/call/stream/twice', `\ufffe${json}`), 400)
    await client.packet('kept', JSON.stringify({ ...packet(0), data: `${mark}text` }))
    const { body } = await client.get('/v1/call/kept/packets')
    assert.equal((body['packets'] as { data: string }[])[0]?.data, `${mark}text`)
  })
})

describe('what an answer quotes of a request', () => {
  const service = suiteService()

  test('has a bound, wherever it stands', async (t) => {
    const client = new HttpClient(t, service())
    const long = 'é'.repeat(30_000)
    const members = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}${'n'.repeat(2900)}`, 1]))
    const answers = [
      await client.post('/v1/call/start/long', JSON.stringify({ metadata: { [long]: 'x' } })),
      await client.post('/v1/call/start/long', JSON.stringify({ metadata: { a: long } })),
      await client.post('/v1/call/start/long', JSON.stringify({ metadata: members })),
      await client.post(
        '/v1/call/start/long',
        JSON.stringify({ direction: long, media: { encoding: long } }),
      ),
      await client.post('/v1/call/stream/long', JSON.stringify({ ...packet(0), [long]: 1, sequence: long })),
      await client.post('/v1/call/complete/long', JSON.stringify({ total_packets: long })),
      await client.bulk(JSON.stringify({ call_id: long, ...packet(0), timestamp: long })),
      await client.get(`/v1/calls?state=${'x'.repeat(3000)}&limit=${'9'.repeat(500)}`),
      await client.get(`/v1/calls?${'m'.repeat(3000)}=1`),
      await client.get(`/v1/call/${'c'.repeat(3000)}`),
      await client.send('GET', `/v1/supervisor?${'p'.repeat(3000)}=1`, {}, ''),
    ]
    for (const { status, body } of answers) {
      const bytes = Buffer.byteLength(JSON.stringify(body))
      assert(bytes < 6000, `an answer ${status} of ${bytes} bytes: ${JSON.stringify(body).slice(0, 300)}`)
    }
    assert(answers.filter(({ status }) => status === 422).length >= 5)
  })
})

describe('a body', () => {
  const service = suiteService()

  test('of 64 KiB is taken, and of one byte more is not', async (t) => {
    const client = new HttpClient(t, service())
    const largest = await client.packet('largest', padded(limits.bodyBytesMax))
    assert.equal(largest.status, 202)
    assertProblem(await client.packet('larger', padded(limits.bodyBytesMax + 1)), 413)
    assert.equal((await client.call('larger')).status, 404, 'no side effect')
  })

  test('without a Content-Length has the same bound', async (t) => {
    const client = new HttpClient(t, service())
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    const send = (callId: string, bytes: number) =>
      client.send('POST', `/v1/call/stream/${callId}`, { ...headers, 'content-length': [] }, padded(bytes))
    assert.equal((await send('chunked-largest', limits.bodyBytesMax)).status, 202)
    assertProblem(await send('chunked-larger', limits.bodyBytesMax + 1), 413)
    assert.equal((await client.call('chunked-larger')).status, 404, 'no side effect')
  })

  test('of a completion has it too', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('completed', packet(0))
    const body = `{"total_packets":1${' '.repeat(limits.bodyBytesMax)}}`
    assertProblem(await client.post('/v1/call/complete/completed', body), 413)
    assert.equal((await client.call('completed')).body['state'], 'IN_PROGRESS')
  })

  // A sender that never sees the 413 takes the broken connection for "unknown, send it again", for ever.
  test('that is too large is answered so that its sender gets the answer', async (t) => {
    const client = new HttpClient(t, service())
    for (let i = 0; i < 10; i++) {
      const answer = await client.bulk(Buffer.alloc(limits.bulkBodyBytesMax + 1, `${line}\n`))
      assertProblem(answer, 413)
    }
    assert.equal((await client.call('media')).status, 404, 'no side effect')
  })
})

describe('a request', () => {
  const service = suiteService()

  test('to an unknown route is 404', async (t) => {
    const client = new HttpClient(t, service())
    const paths = [
      '/v1',
      '/v1/',
      '/v1/call',
      '/v1/calls/x',
      '/v1/call/stream/',
      '/v1/call/stream/a/b',
      '/v1/call/stream/a/',
      '/V1/calls',
      '/v2/calls',
      '//v1/calls',
      '/docs/../v1/calls',
      '/docs/%2e%2e/openapi.json',
      '/docs/swagger-ui.css/..',
      '/docs/package.json',
      '/health',
      '/favicon.ico',
      '/__proto__',
    ]
    for (const path of paths)
      for (const method of ['GET', 'POST', 'DELETE'])
        assertProblem(await client.send(method, path, { 'content-type': 'application/json' }, json), 404)
  })

  test('with a method that its route does not take is 405, with those that it takes', async (t) => {
    const client = new HttpClient(t, service())
    const routes: [path: string, allow: string][] = [
      ['/v1/call/stream/a', 'POST'],
      ['/v1/call/complete/a', 'POST'],
      ['/v1/packets', 'POST'],
      ['/v1/call/a', 'GET, HEAD, DELETE'],
      ['/v1/calls', 'GET, HEAD'],
      ['/v1/call/a/packets', 'GET, HEAD'],
      ['/v1/call/a/gaps', 'GET, HEAD'],
      ['/', 'GET, HEAD'],
      ['/docs', 'GET, HEAD'],
      ['/openapi.json', 'GET, HEAD'],
      ['/health/live', 'GET, HEAD'],
      ['/health/ready', 'GET, HEAD'],
      ['/metrics', 'GET, HEAD'],
    ]
    for (const [path, allow] of routes) {
      const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].filter(
        (method) => !allow.split(', ').includes(method),
      )
      for (const method of methods) {
        const answer = await client.send(method, path, { 'content-type': 'application/json' }, json)
        const { type } = assertProblem(answer, 405)
        assert.equal(type, 'urn:voicestream:problem:method_not_allowed')
        assert.equal(answer.headers['allow'], allow, `${method} ${path}`)
      }
    }
    assert.equal((await client.call('a')).status, 404, 'no side effect')
  })

  test('with HEAD gets the headers of GET and no body', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('head', packet(0))
    const paths = [
      '/',
      '/v1/calls',
      '/v1/call/head',
      '/v1/call/head/packets',
      '/docs',
      '/openapi.json',
      '/metrics',
    ]
    for (const path of paths) {
      const got = await client.get(path)
      const head = await client.send('HEAD', path, {})
      assert.equal(head.status, 200, path)
      assert.equal(head.text, '')
      assert.equal(head.headers['content-type'], got.headers['content-type'])
      if (path !== '/metrics')
        assert.equal(head.headers['content-length'], String(Buffer.byteLength(got.text)))
    }
    assert.equal((await client.send('HEAD', '/v1/call/nobody', {})).status, 404)
    assert.equal((await client.send('HEAD', '/v1/call/stream/head', {})).status, 405)
  })

  // Guards against an answer to HEAD that the HTTP layer holds for unfinished: the next request would be cut off.
  test('with HEAD leaves its connection to the next one', async (t) => {
    const connection = await RawConnection.open(service())
    t.after(() => connection.socket.destroy())
    const ask = (method: string, path: string) =>
      connection.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    for (const path of ['/', '/v1/calls', '/v1/call/nobody', '/nothing', '/v1/packets', '/docs']) {
      ask('HEAD', path)
      // No body follows, so the parser of whole answers does not apply.
      await connection.receivedText((text) => text.endsWith('\r\n\r\n'))
      connection.forget()
      ask('GET', '/health/live')
      const answers = await connection.answered(1)
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200],
        `after HEAD ${path}`,
      )
      connection.forget()
    }
  })
})
