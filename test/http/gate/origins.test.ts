/** What the pages of others may do with a supervisor's browser. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError } from '../../../src/config/config.js'
import { Origins } from '../../../src/http/gate/origins.js'
import { bearer, credentialSettings, tokens } from '../../support/credentials.js'
import { handshakeLines } from '../../support/handshake.js'
import { HttpClient } from '../../support/http-client.js'
import { assertProblem } from '../../support/problems.js'
import { exchangeRaw } from '../../support/raw-connection.js'
import { packet } from '../../support/service.js'
import { suiteService } from '../../support/suite-service.js'

const listed = 'https://voice.example.com'
const strangers = [
  'null',
  'https://evil.example',
  'http://voice.example.com',
  'https://voice.example.com:8443',
  'https://voice.example.com.evil.example',
  'https://evilvoice.example.com',
  'https://voice.example.com/',
  'HTTPS://VOICE.EXAMPLE.COM',
  '*',
  '',
]
const options = { allowedOrigins: '', allowedHosts: '', ownHost: '127.0.0.1', hasTls: false }

describe('the list of origins', () => {
  test('takes exact origins and nothing that only looks like one', () => {
    const origins = new Origins({ ...options, allowedOrigins: `${listed}, http://10.0.0.5:8000` })
    assert(origins.isAllowed(listed, 'other'))
    assert(origins.isAllowed('http://10.0.0.5:8000', 'other'))
    for (const origin of strangers) assert(!origins.isAllowed(origin, 'other'), origin)
    for (const allowedOrigins of [
      '*',
      'null',
      'voice.example.com',
      `${listed}/`,
      `${listed}/x`,
      'ftp://x',
      `${listed},`,
    ])
      assert.throws(() => new Origins({ ...options, allowedOrigins }), ConfigError, allowedOrigins)
  })

  test('without one allows where the request itself goes, with scheme and port', () => {
    const plain = new Origins(options)
    assert(plain.isAllowed('http://voice.example.com:8000', 'voice.example.com:8000'))
    assert(plain.isAllowed('http://voice.example.com', 'Voice.Example.com'))
    for (const origin of [
      'https://voice.example.com:8000',
      'http://voice.example.com',
      'http://voice.example.com:80000',
    ])
      assert(!plain.isAllowed(origin, 'voice.example.com:8000'), origin)
    assert(!plain.isAllowed('http://', ''))
    assert(!plain.isAllowed('null', null))
    const tls = new Origins({ ...options, hasTls: true })
    assert(tls.isAllowed('https://voice.example.com', 'voice.example.com'))
    assert(!tls.isAllowed('http://voice.example.com', 'voice.example.com'))
    // A proxy may say the default port, an origin never does.
    assert(tls.isAllowed('https://voice.example.com', 'voice.example.com:443'))
    assert(plain.isAllowed('http://voice.example.com', 'voice.example.com:80'))
    assert(!plain.isAllowed('http://voice.example.com', 'voice.example.com:443'))
    assert(!plain.isAllowed('http://', ':80'))
  })
})

describe('a page', () => {
  const service = suiteService({ settings: { ...credentialSettings, ALLOWED_ORIGINS: listed } })
  const preflight = (origin: string) =>
    exchangeRaw(
      service(),
      `OPTIONS /v1/calls HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n\r\n`,
    ).then(({ answers }) => answers[0])

  test('of a listed origin may ask and read, with a token and never with cookies', async (t) => {
    const answer = await preflight(listed)
    assert.equal(answer?.status, 200)
    assert.equal(answer?.headers.get('access-control-allow-origin'), listed)
    assert.match(answer?.headers.get('access-control-allow-headers') ?? '', /Authorization/)
    assert.equal(answer?.headers.get('access-control-allow-methods'), 'GET, HEAD')
    assert.equal(answer?.headers.get('vary'), 'Origin')
    const client = new HttpClient(t, service())
    const headers = { origin: listed, ...bearer(tokens.supervisor[0]) }
    const read = await client.send('GET', '/v1/calls', headers)
    assert.equal(read.status, 200)
    assert.equal(read.headers['access-control-allow-origin'], listed)
    assert.equal(read.headers['access-control-allow-credentials'], undefined)
    assert.equal(read.headers['vary'], 'Origin')
    const refused = await client.send('GET', '/v1/calls', { origin: listed })
    assert.equal(refused.status, 401)
    assert.equal(refused.headers['access-control-allow-origin'], listed, 'a page must see why')
  })

  test('of another origin gets no headers to read with, and may change nothing', async (t) => {
    const client = new HttpClient(t, service())
    for (const origin of strangers.filter((text) => text !== '')) {
      const asked = await preflight(origin)
      assert.equal(asked?.status, 403, origin)
      const read = await client.send('GET', '/v1/calls', { origin, ...bearer(tokens.supervisor[0]) })
      for (const headers of [asked?.headers ?? new Map(), new Map(Object.entries(read.headers))])
        for (const name of headers.keys())
          assert(!String(name).startsWith('access-control-'), `${origin}: ${name}`)
      assert.equal(read.headers['vary'], 'Origin')
      const sent = await client.post('/v1/call/stream/foreign', packet(0), {
        origin,
        ...bearer(tokens.ingest[0]),
      })
      assertProblem(sent, 403)
    }
    const known = await client.send('GET', '/v1/call/foreign', bearer(tokens.supervisor[0]))
    assert.equal(known.status, 404)
  })

  test('and a program, which has no origin, may do all that its token allows', async (t) => {
    const client = new HttpClient(t, service())
    const sent = await client.post('/v1/call/stream/program', packet(0), bearer(tokens.ingest[0]))
    assert.equal(sent.status, 202)
    assert.equal(sent.headers['access-control-allow-origin'], undefined)
  })
})

describe('without a list', () => {
  const service = suiteService({ settings: { ALLOWED_HOSTS: 'voicestream' } })

  test('no answer has a CORS header, and OPTIONS is a method like any other', async (t) => {
    const client = new HttpClient(t, service())
    const { headers } = await client.send('GET', '/v1/calls', { origin: listed })
    for (const name of Object.keys(headers)) assert(!name.startsWith('access-control-'), name)
    assert.equal(headers['vary'], undefined)
    const { status, headers: refused } = await client.send('OPTIONS', '/v1/calls', {})
    assert.equal(status, 405)
    assert.equal(refused['allow'], 'GET, HEAD')
  })

  // A page of evil.example whose name is made to mean 127.0.0.1 would otherwise read every call.
  test('and without credentials a name that is not ours is refused, an address is not', async () => {
    const { port } = service()
    const ask = async (host: string, path = '/v1/calls') =>
      (await exchangeRaw(service(), `GET ${path} HTTP/1.1\r\n${host}\r\n\r\n`)).answers[0]?.status
    for (const host of [
      '127.0.0.1',
      `127.0.0.1:${port}`,
      'localhost',
      `LOCALHOST:${port}`,
      '[::1]:80',
      '10.1.2.3',
      'voicestream:1',
    ])
      assert.equal(await ask(`Host: ${host}`), 200, host)
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'xlocalhost',
      '[::1',
      'localhost:x',
    ])
      assert.equal(await ask(`Host: ${host}`), 403, host)
    assert.equal(await ask('Host: localhost\r\nHost: evil.example'), 403, 'two of them')
    assert.equal(await ask('Host: evil.example', '/health/live'), 403)
    const upgrade = `Host: evil.example:${port}\r\nOrigin: http://evil.example:${port}\r\n${handshakeLines.join('\r\n')}`
    assert.equal(await ask(upgrade, '/ws/supervisor'), 403)
    assert.equal(await ask(upgrade.replaceAll('evil.example', 'localhost'), '/ws/supervisor'), 101)
    assert.equal(await ask(upgrade.replace(`evil.example:${port}`, 'localhost'), '/ws/supervisor'), 403)
  })
})
