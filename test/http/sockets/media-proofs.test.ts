/**
 * What platforms prove themselves with, on the real service. Guards against a signature that is checked nowhere, one that opens a stream
 * twice or late, a right one that is refused because a proxy wrote the address otherwise, and secrets in the log.
 */
import assert from 'node:assert/strict'
import { createHmac, hash, randomBytes, randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { bearer } from '../../support/credentials.js'
import {
  closeCode,
  openMedia,
  refusedMedia,
  twilioCall,
  twilioMedia,
  twilioStart,
  twilioStop,
  twilioStream,
  until,
} from '../../support/media-sockets.js'
import { eventually, logged, type Service, startService, temporaryFolder } from '../../support/service.js'

const authToken = 'auth-token-canary-0123456789abcdef'
const nextToken = 'auth-token-canary-fedcba9876543210'
const ingest = 'ingest-token-canary-00000001'
const reader = 'reader-token-canary-00000001'
const clientSecret = Buffer.from('client-secret-canary-000001').toString('base64')
const publicUrl = 'https://vs.example.test'

const lines = [
  `ingest ${ingest} pbx`,
  `supervisor ${reader} floor`,
  `twilio AC00000000000000000000000000000001 ${authToken} twilio-old`,
  `twilio AC00000000000000000000000000000001 ${nextToken} twilio-new`,
  `plivo MA1 ${authToken} plivo-1`,
  `audiohook vs-key-1 ${clientSecret} genesys`,
  `telnyx telnyx-token-canary-0001 telnyx-1`,
]

function tokensFile(t: TestContext, text: readonly string[]): string {
  const path = join(temporaryFolder(t), 'tokens')
  writeFileSync(path, `${text.join('\n')}\n`, { mode: 0o600 })
  return path
}

async function securedService(t: TestContext, settings: Readonly<Record<string, string | number>> = {}) {
  return startService(t, {
    settings: {
      TOKENS_FILE: tokensFile(t, lines),
      PUBLIC_URL: publicUrl,
      AUTH_FAILURES_PER_MIN: 0,
      ...settings,
    },
  })
}

const twilioSigned = (url: string, token = authToken) => ({
  headers: { 'x-twilio-signature': createHmac('sha1', token).update(url).digest('base64') },
})

function plivoSigned(url: string, token = authToken, nonce = 'nonce-1') {
  const signature = createHmac('sha256', token).update(`${url}.${nonce}`).digest('base64')
  return { headers: { 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': nonce } }
}

interface HookChange {
  readonly created?: number
  readonly nonce?: string
  readonly secret?: string
  readonly key?: string
  readonly authority?: string
  readonly path?: string
}

/** As the vendor's client signs: key, nonce and times in the parameters, six components. */
function audioHookSigned({
  created = Math.floor(Date.now() / 1000),
  nonce = randomBytes(18).toString('base64url'),
  secret = clientSecret,
  key = 'vs-key-1',
  authority = 'vs.example.test',
  path = '/v1/media/audiohook',
}: HookChange = {}) {
  const own = {
    'audiohook-organization-id': randomUUID(),
    'audiohook-session-id': randomUUID(),
    'audiohook-correlation-id': randomUUID(),
    'x-api-key': key,
  }
  const components: Readonly<Record<string, string>> = {
    '@request-target': path,
    '@authority': authority,
    ...own,
  }
  const names = Object.keys(components).map((name) => `"${name}"`)
  const input = `(${names.join(' ')});keyid="${key}";nonce="${nonce}";alg="hmac-sha256";created=${created};expires=${created + 10}`
  const text = [
    ...Object.entries(components).map(([name, value]) => `"${name}": ${value}`),
    `"@signature-params": ${input}`,
  ].join('\n')
  const signature = createHmac('sha256', Buffer.from(secret, 'base64')).update(text).digest('base64')
  return {
    session: own['audiohook-session-id'],
    headers: { ...own, 'signature-input': `sig1=${input}`, signature: `sig1=:${signature}:` },
  }
}

/** Made of an ingest token for one call, as docs/pbx.md says. */
function callToken(call: string, token = ingest): string {
  const mac = createHmac('sha256', hash('sha256', token, 'hex'))
    .update(call)
    .digest('base64url')
  return `${call}.${mac}`
}

function assertNoSecrets(service: Service) {
  const text = JSON.stringify([service.log, service.errors])
  assert(!text.includes('canary'), 'no secret is in the log')
  assert(!text.includes(clientSecret))
}

describe('with the platforms’ secrets, a stream', () => {
  test('of Twilio needs its signature of the public address, in any of the ways it is written', async (t) => {
    const service = await securedService(t)
    for (const [path, url] of [
      ['/v1/media/twilio', 'wss://vs.example.test/v1/media/twilio'],
      ['/v1/media/twilio', 'wss://vs.example.test:443/v1/media/twilio'],
      ['/v1/media/twilio', 'https://vs.example.test/v1/media/twilio'],
      ['/v1/media/twilio', 'wss://vs.example.test/v1/media/twilio/'],
      ['/v1/media/twilio/', 'wss://vs.example.test/v1/media/twilio'],
      [`/v1/media/twilio/${ingest}`, `wss://vs.example.test/v1/media/twilio/${ingest}`],
      ['/v1/media/twilio?a=1', 'wss://vs.example.test/v1/media/twilio?a=1'],
      ['/v1/media/twilio?a=1', 'wss://vs.example.test/v1/media/twilio'],
      ['/v1/media/twilio?b=2&a=1', 'wss://vs.example.test/v1/media/twilioa1b2'],
    ] as const)
      (await openMedia(service, path, twilioSigned(url))).terminate()
    const url = 'wss://vs.example.test/v1/media/twilio'
    ;(await openMedia(service, '/v1/media/twilio', twilioSigned(url, nextToken))).terminate()
    // A token opens nothing here: everybody who reads the TwiML has it.
    for (const [what, path, options, reason] of [
      ['nothing', '/v1/media/twilio', {}, /X-Twilio-Signature is missing/],
      ['an ingest token', '/v1/media/twilio', { headers: bearer(ingest) }, /is missing/],
      ['a token in the path', `/v1/media/twilio/${ingest}`, {}, /is missing/],
      ['another secret', '/v1/media/twilio', twilioSigned(url, 'wrong'), /does not fit/],
      ['another host', '/v1/media/twilio', twilioSigned('wss://other.test/v1/media/twilio'), /does not fit/],
      ['another path', '/v1/media/twilio/x', twilioSigned(url), /does not fit/],
      ['another query', '/v1/media/twilio?a=2', twilioSigned(`${url}?a=1`), /does not fit/],
      [
        'the host of the request',
        '/v1/media/twilio',
        twilioSigned(`wss://127.0.0.1:${service.port}/v1/media/twilio`),
        /does not fit/,
      ],
      [
        'a forwarded host',
        '/v1/media/twilio',
        {
          headers: {
            ...twilioSigned('wss://evil.test/v1/media/twilio').headers,
            'x-forwarded-host': 'evil.test',
            'x-forwarded-proto': 'https',
          },
        },
        /does not fit/,
      ],
    ] as const) {
      const refusal = await refusedMedia(service, path, options)
      assert.equal(refusal.status, 401, what)
      assert.match(refusal.detail, reason, what)
    }
    const refusals = await logged(service, ({ msg }) => msg === 'refused', 9)
    assert.equal(refusals.length, 9, 'each refusal has a line')
    for (const { route, code, reason } of refusals) {
      assert.deepEqual([route, code], ['/v1/media/{dialect}', 'unauthenticated'])
      assert.match(String(reason), /^the (?:header X-Twilio-Signature|signature)/)
    }
    assertNoSecrets(service)
  })

  test('of Plivo needs a signature, and one of several in the header will do', async (t) => {
    const service = await securedService(t)
    const url = 'https://vs.example.test/v1/media/plivo'
    ;(await openMedia(service, '/v1/media/plivo', plivoSigned(url))).terminate()
    ;(await openMedia(service, '/v1/media/plivo', plivoSigned(url.replace('https', 'wss')))).terminate()
    const { headers } = plivoSigned(url)
    const several = { ...headers, 'x-plivo-signature-v3': `AAAA,${headers['x-plivo-signature-v3']}` }
    ;(await openMedia(service, '/v1/media/plivo', { headers: several })).terminate()
    for (const options of [
      {},
      { headers: bearer(ingest) },
      plivoSigned(url, 'wrong'),
      plivoSigned(`${url}/x`),
      { headers: { ...headers, 'x-plivo-signature-v3-nonce': 'nonce-2' } },
    ])
      assert.equal((await refusedMedia(service, '/v1/media/plivo', options)).status, 401)
    assertNoSecrets(service)
  })

  test('of AudioHook needs a signature that is new: the same bytes open nothing twice', async (t) => {
    const service = await securedService(t)
    const signed = audioHookSigned()
    const socket = await openMedia(service, '/v1/media/audiohook', signed)
    const again = await refusedMedia(service, '/v1/media/audiohook', signed)
    assert.deepEqual([again.status, again.detail], [401, 'the request was seen before'])
    const now = Math.floor(Date.now() / 1000)
    for (const [change, reason] of [
      [{ created: now - 60 }, /too old/],
      [{ created: now + 60 }, /made in the future/],
      [{ secret: Buffer.from('another-client-secret-00').toString('base64') }, /does not fit/],
      [{ key: 'vs-key-2' }, /not known/],
      [{ key: ingest }, /not known/],
      [{ authority: 'other.test' }, /does not fit/],
      [{ path: '/v1/media/audiohook?x=1' }, /does not fit/],
      [{ nonce: 'short' }, /nonce/],
    ] as const) {
      const refusal = await refusedMedia(service, '/v1/media/audiohook', audioHookSigned(change))
      assert.equal(refusal.status, 401)
      assert.match(refusal.detail, reason)
    }
    for (const headers of [
      {},
      bearer(ingest),
      { 'x-api-key': 'vs-key-1' },
      { ...signed.headers, signature: '' },
    ] as const)
      assert.equal((await refusedMedia(service, '/v1/media/audiohook', { headers })).status, 401)
      // A clock that is a little ahead is the platform's.
    ;(await openMedia(service, '/v1/media/audiohook', audioHookSigned({ created: now + 2 }))).terminate()
    socket.terminate()
    assertNoSecrets(service)
  })

  test('of Telnyx brings its own token, which opens nothing else', async (t) => {
    const service = await securedService(t)
    const headers = { 'x-telnyx-streaming-auth-token': 'telnyx-token-canary-0001' }
    ;(await openMedia(service, '/v1/media/telnyx', { headers })).terminate()
    for (const options of [{}, { headers: { 'x-telnyx-streaming-auth-token': 'telnyx-token-canary-0002' } }])
      assert.equal((await refusedMedia(service, '/v1/media/telnyx', options)).status, 401)
    assert.equal((await refusedMedia(service, '/v1/media/vonage', { headers })).status, 401)
    const http = await fetch(`${service.url}/v1/call/stream/x`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer('telnyx-token-canary-0001') },
      body: '{}',
    })
    assert.equal(http.status, 401)
    assertNoSecrets(service)
  })

  test('of another dialect needs a token as before, also where only platforms have secrets', async (t) => {
    const service = await startService(t, {
      settings: { TOKENS_FILE: tokensFile(t, lines.slice(2)), PUBLIC_URL: publicUrl },
    })
    assert.equal((await refusedMedia(service, '/v1/media/vonage')).status, 401)
    assert.equal((await fetch(`${service.url}/v1/calls`)).status, 401, 'closed, not open')
  })

  test('that is refused too often has its address refused', async (t) => {
    const service = await securedService(t, { AUTH_FAILURES_PER_MIN: 3 })
    const statuses: number[] = []
    for (let i = 0; i < 5; i++)
      statuses.push((await refusedMedia(service, '/v1/media/twilio', twilioSigned('x'))).status)
    assert.deepEqual(statuses, [401, 401, 401, 429, 429])
    assert.equal((await refusedMedia(service, '/v1/media/twilio')).status, 401, 'no proof is no guess')
    const url = 'wss://vs.example.test/v1/media/twilio'
    ;(await openMedia(service, '/v1/media/twilio', twilioSigned(url))).terminate()
  })

  test('is closed when its secret is taken away, and so is one of a token', async (t) => {
    const path = tokensFile(t, lines)
    const service = await startService(t, { settings: { TOKENS_FILE: path, PUBLIC_URL: publicUrl } })
    const url = 'wss://vs.example.test/v1/media/twilio'
    const old = await openMedia(service, '/v1/media/twilio', twilioSigned(url))
    const kept = await openMedia(service, '/v1/media/twilio', twilioSigned(url, nextToken))
    const pathToken = await openMedia(service, `/v1/media/signalwire/${ingest}`)
    const ari = await openMedia(service, '/v1/ari', { headers: bearer(ingest), protocol: 'ari' })
    const native = await openMedia(service, '/v1/media/native', { headers: bearer(ingest) })
    const brought = await openMedia(service, '/v1/media/signalwire')
    brought.send(twilioStart(['inbound'], { token: ingest }))
    await until(service, twilioCall, ({ legs }) => legs?.length === 1, bearer(reader))
    const closed = Promise.all([old, pathToken, ari, native, brought].map(closeCode))
    writeFileSync(
      path,
      `${lines.filter((line) => !line.includes(authToken) && !line.startsWith('ingest')).join('\n')}\n`,
    )
    service.kill('SIGHUP')
    assert.deepEqual(await closed, Array(5).fill(4401))
    assert.equal(kept.readyState, kept.OPEN)
    // A line that needs an address, on a service without one, changes nothing.
    kept.terminate()
  })
})

describe('a token of one call', () => {
  test('lets in a stream of that call only, wherever it stands', async (t) => {
    const service = await startService(t, {
      settings: { TOKENS_FILE: tokensFile(t, lines.slice(0, 2)), AUTH_FAILURES_PER_MIN: 0 },
    })
    const other = 'CA00000000000000000000000000000002'
    const stream = async (token: string, place: 'path' | 'start', call: string) => {
      const path = place === 'path' ? `/v1/media/twilio/${token}` : '/v1/media/twilio'
      const socket = await openMedia(service, path)
      socket.send(twilioStart(['inbound'], place === 'start' ? { token } : {}, { call }))
      socket.send(twilioMedia('inbound', 2, 1))
      return socket
    }
    let received = 0
    for (const place of ['path', 'start'] as const) {
      const socket = await stream(callToken(twilioCall), place, twilioCall)
      received++
      await until(service, twilioCall, (seen) => seen.total_received === received, bearer(reader))
      socket.terminate()
      assert.equal(await closeCode(await stream(callToken(twilioCall), place, other)), 1008)
    }
    const found = await fetch(`${service.url}/v1/call/${other}`, { headers: bearer(reader) })
    assert.equal(found.status, 404, 'nothing of it is kept')
    // One that names no call is of the token's.
    const unnamed = await openMedia(service, `/v1/media/vonage/${callToken('call-7')}`)
    unnamed.send(JSON.stringify({ event: 'websocket:connected', 'content-type': 'audio/l16;rate=8000' }))
    await until(service, 'call-7', ({ legs }) => legs?.length === 1, bearer(reader))
    unnamed.terminate()
    const refusals = await logged(service, ({ msg }) => msg === 'refused', 2)
    assert.deepEqual(
      refusals.map(({ route, reason, address }) => [route, reason, address]),
      Array(2).fill(['/v1/media/{dialect}', 'the stream is of another call than its token', '127.0.0.1']),
    )
    const metrics = await (await fetch(`${service.url}/metrics`, { headers: bearer(reader) })).text()
    assert.match(metrics, /^voicestream_media_streams_refused_total 2$/m)
    assertNoSecrets(service)
  })

  test('of another token, of a reader’s token, or cut short is none; nor is it one over HTTP', async (t) => {
    const service = await startService(t, {
      settings: { TOKENS_FILE: tokensFile(t, lines.slice(0, 2)), AUTH_FAILURES_PER_MIN: 0 },
    })
    const right = callToken(twilioCall)
    for (const token of [
      callToken(twilioCall, 'another-ingest-token-0001'),
      callToken(twilioCall, reader),
      right.slice(0, -1),
      `x${right}`,
      right.replace('.', '..'),
      `.${right.split('.')[1]}`,
    ]) {
      const headers = bearer(token)
      assert.equal((await refusedMedia(service, '/v1/media/vonage', { headers })).status, 401, token)
      const socket = await openMedia(service, '/v1/media/twilio')
      socket.send(twilioStart(['inbound'], { token }))
      assert.equal(await closeCode(socket), 1008)
    }
    const answer = await fetch(`${service.url}/v1/call/stream/${twilioCall}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(right) },
      body: JSON.stringify({ sequence: 0, data: 'x', timestamp: 1 }),
    })
    assert.equal(answer.status, 401)
  })

  test('binds a signed stream, too', async (t) => {
    const service = await securedService(t)
    const path = `/v1/media/twilio/${callToken(twilioCall)}`
    const signed = twilioSigned(`wss://vs.example.test${path}`)
    const own = await openMedia(service, path, signed)
    own.send(twilioStart(['inbound']))
    await until(service, twilioCall, ({ legs }) => legs?.length === 1, bearer(reader))
    const other = await openMedia(service, path, signed)
    other.send(twilioStart(['inbound'], {}, { call: 'CA00000000000000000000000000000002' }))
    assert.equal(await closeCode(other), 1008)
    assert.equal(own.readyState, own.OPEN)
    own.terminate()
  })
})

describe('the status callback of Twilio', () => {
  const target = '/v1/media/twilio/status'
  const form = (event: string, change: Readonly<Record<string, string>> = {}) =>
    new URLSearchParams({
      AccountSid: 'AC00000000000000000000000000000001',
      CallSid: twilioCall,
      StreamSid: twilioStream,
      StreamName: 'a b&c',
      StreamEvent: event,
      Timestamp: '2026-01-01T00:00:00Z',
      ...change,
    })
  const post = (service: Service, body: URLSearchParams, headers: Readonly<Record<string, string>> = {}) =>
    fetch(service.url + target, { method: 'POST', body, headers })
  const signed = (body: URLSearchParams) => {
    const text = [...body].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => name + value)
    return twilioSigned(`https://vs.example.test${target}${text.join('')}`).headers
  }

  test('is taken with a signature of its form, and refused otherwise', async (t) => {
    const service = await securedService(t)
    const body = form('stream-started')
    assert.equal((await post(service, body, signed(body))).status, 204)
    for (const headers of [{}, bearer(ingest), signed(form('stream-stopped'))])
      assert.equal((await post(service, body, headers)).status, 401)
    const nothing = form('stream-stopped', { CallSid: '' })
    assert.equal((await post(service, nothing, signed(nothing))).status, 422)
    const page = { ...signed(body), origin: 'https://evil.test' }
    assert.equal((await post(service, body, page)).status, 403)
    assertNoSecrets(service)
  })

  test('needs an ingest token where Twilio has no line: as a bearer, or as the password in its address', async (t) => {
    const service = await startService(t, { settings: { TOKENS_FILE: tokensFile(t, lines.slice(0, 2)) } })
    const body = form('stream-stopped')
    const basic = { authorization: `Basic ${Buffer.from(`twilio:${ingest}`).toString('base64')}` }
    for (const headers of [bearer(ingest), basic])
      assert.equal((await post(service, body, headers)).status, 204)
    assert.equal((await post(service, body)).status, 401)
    assert.equal((await post(service, body, bearer(reader))).status, 403)
    assert.equal((await post(service, body, signed(body))).status, 401, 'nobody can check it')
    assertNoSecrets(service)
  })

  test('ends a stream whose socket never says stop, and what is on its way still comes', async (t) => {
    const service = await startService(t, { settings: { LEG_GRACE_MS: 600_000 } })
    const socket = await openMedia(service, '/v1/media/twilio')
    socket.send(twilioStart(['inbound']))
    socket.send(twilioMedia('inbound', 2, 1))
    await until(service, twilioCall, ({ total_received }) => total_received === 1)
    assert.equal((await post(service, form('stream-stopped'))).status, 204)
    for (let chunk = 2; chunk <= 20; chunk++) socket.send(twilioMedia('inbound', chunk + 1, chunk))
    assert.equal(await closeCode(socket), 1000)
    const seen = await until(service, twilioCall, ({ state }) => state !== 'IN_PROGRESS')
    assert.deepEqual([seen.total_received, seen.legs[0].ended_by, seen.reason], [20, 'stopped', 'completed'])
  })

  test('before the stop of the socket, and after it, changes nothing', async (t) => {
    const service = await startService(t, { settings: { LEG_GRACE_MS: 600_000 } })
    const socket = await openMedia(service, '/v1/media/twilio')
    socket.send(twilioStart(['inbound']))
    await until(service, twilioCall, ({ legs }) => legs?.length === 1)
    await post(service, form('stream-stopped'))
    for (let chunk = 1; chunk <= 5; chunk++) socket.send(twilioMedia('inbound', chunk + 1, chunk))
    socket.send(twilioStop(7))
    socket.close()
    await post(service, form('stream-stopped'))
    const seen = await until(service, twilioCall, ({ state }) => state !== 'IN_PROGRESS')
    assert.deepEqual([seen.total_received, seen.missing_count, seen.legs.length], [5, 0, 1])
    assert.equal((await post(service, form('stream-error'))).status, 204)
    assert.equal((await post(service, form('stream-stopped', { CallSid: 'CAnobody' }))).status, 204)
  })

  test('ends a stream that a process before this one had', async (t) => {
    const dataDir = temporaryFolder(t)
    const settings = { LEG_GRACE_MS: 600_000 }
    const first = await startService(t, { dataDir, settings })
    const socket = await openMedia(first, '/v1/media/twilio')
    socket.send(twilioStart(['inbound']))
    socket.send(twilioMedia('inbound', 2, 1))
    await until(first, twilioCall, ({ total_received }) => total_received === 1)
    first.kill('SIGKILL')
    await first.exited
    const second = await startService(t, { dataDir, settings })
    await eventually(
      async () => (await post(second, form('stream-stopped'))).status,
      (status) => status === 204,
    )
    const seen = await until(second, twilioCall, ({ state }) => state !== 'IN_PROGRESS')
    assert.deepEqual([seen.total_received, seen.legs[0].ended_by, seen.reason], [1, 'stopped', 'completed'])
  })
})
