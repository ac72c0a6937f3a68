/**
 * The files of `ops/proxy` in a real nginx and a real Caddy, in front of the service. Guards against a header that a
 * `location` does not inherit (clients forged their address, and the host name was lost), against a proxy that speaks
 * HTTP/1.0 to the service, and against addresses that are decoded on the way.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import {
  openRaw,
  openSocket,
  type ProxyName,
  prefix,
  proxyHost,
  proxyNames,
  sendThrough,
  skippedWithout,
  startProxy,
  suiteProxy,
} from '../support/proxies.js'
import { rawRequest } from '../support/raw-connection.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'

const origin = `https://${proxyHost}`
const json = { 'content-type': 'application/json' }
const ndjson = { 'content-type': 'application/x-ndjson', ...bearer(tokens.ingest[0]) }
const reader = bearer(tokens.supervisor[0])
const guesses = 50

/** A service that only writes down what reaches it. */
async function startRecorder(t: TestContext) {
  const requests: IncomingMessage[] = []
  const connections: Socket[] = []
  const server = createServer((req, res) => {
    requests.push(req)
    req.resume().on('end', () => res.end('{}'))
  })
  server.keepAliveTimeout = 60_000
  server.on('connection', (socket) => connections.push(socket))
  server.listen(0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, requests, connections }
}

/** Bulk lines of exactly so many bytes. */
function bulkBody(bytes: number): string {
  const line = (sequence: number, data: string) =>
    `${JSON.stringify({ call_id: 'bulk', sequence, data, timestamp: 1 })}\n`
  const whole = 'x'.repeat(30_000)
  let body = ''
  let sequence = 0
  for (; body.length + 2 * 30_100 < bytes; sequence++) body += line(sequence, whole)
  const rest = (bytes - body.length) >> 1
  body += line(sequence, 'x'.repeat(rest - line(sequence, '').length))
  sequence++
  return body + line(sequence, 'x'.repeat(bytes - body.length - line(sequence, '').length))
}

for (const name of proxyNames)
  describe(`${name} as shipped`, { skip: skippedWithout(name) }, () => {
    // No origin is allowed by name: the scheme that the proxy tells must make the page's own the right one.
    const settings = { ...credentialSettings, TRUSTED_PROXIES: '127.0.0.1' }
    const service = suiteService({ settings })
    const proxy = suiteProxy(name, () => ({ servicePort: service().port }))

    test('believes no client about its address', async () => {
      const guess = (from: string, forged: string) =>
        sendThrough(proxy(), {
          path: '/v1/calls',
          headers: { ...bearer('a-token-that-is-guessed'), 'x-forwarded-for': forged },
          from,
        })
      const statuses: number[] = []
      for (let number = 0; number < guesses; number++)
        statuses.push((await guess('127.0.0.2', `198.51.100.${number}`)).status)
      assert.deepEqual(statuses.slice(0, 10), Array(10).fill(401))
      assert.deepEqual(new Set(statuses.slice(11)), new Set([429]))
      assert.equal((await guess('127.0.0.3', '127.0.0.2')).status, 401, 'another client is another one')
      const lines = await eventually(
        async () => service().log.filter(({ msg }) => msg === 'refused'),
        (all) => all.length === guesses + 1,
      )
      assert.deepEqual(new Set(lines.map(({ address }) => address)), new Set(['127.0.0.2', '127.0.0.3']))
    })

    test('carries a supervisor’s socket, frames both ways', async (t) => {
      const asked = await sendThrough(proxy(), {
        method: 'POST',
        path: '/v1/supervisor/ticket',
        headers: { ...reader, origin },
      })
      assert.equal(asked.status, 200, asked.text)
      const { ticket } = JSON.parse(asked.text)
      const socket = openSocket(t, proxy(), `?ticket=${ticket}`, { origin })
      await once(socket, 'open')
      const told = new Promise<string>((resolve) =>
        socket.on('message', (text) => {
          const event = JSON.parse(String(text))
          if (event.event === 'packet_received' && event.call_id === 'watched') resolve(event.call_id)
        }),
      )
      const sent = await sendThrough(proxy(), {
        method: 'POST',
        path: '/v1/call/stream/watched',
        headers: { ...json, ...bearer(tokens.ingest[0]) },
        body: JSON.stringify(packet(0)),
      })
      assert.equal(sent.status, 202, sent.text)
      assert.equal(await told, 'watched')
      const answered = once(socket, 'pong')
      socket.ping('there')
      assert.equal(String((await answered)[0]), 'there')
    })

    test('lets its own page change something, and no other', async () => {
      const start = (from: string) =>
        sendThrough(proxy(), {
          method: 'POST',
          path: '/v1/call/start/from-a-page',
          headers: { ...json, ...bearer(tokens.ingest[0]), origin: from },
          body: '{}',
        })
      assert.equal((await start(origin)).status, 202)
      assert.equal((await start('https://evil.example')).status, 403)
      // Guards against a proxy that leaves the port out: a page on :8443 could change nothing.
      const onPort = await sendThrough(proxy(), {
        method: 'POST',
        path: '/v1/call/start/from-a-page',
        headers: {
          ...json,
          ...bearer(tokens.ingest[0]),
          origin: `${origin}:8443`,
          host: `${proxyHost}:8443`,
        },
        body: '{}',
      })
      assert.equal(onPort.status, 202, onPort.text)
      assert.equal((await start(`http://${proxyHost}`)).status, 403)
      const forged = {
        ...json,
        ...bearer(tokens.ingest[0]),
        origin: `http://${proxyHost}`,
        'x-forwarded-proto': 'http',
      }
      const path = '/v1/call/start/from-a-page'
      const { status } = await sendThrough(proxy(), { method: 'POST', path, headers: forged, body: '{}' })
      assert.equal(status, 403, 'what the client says of its scheme is not believed')
    })

    test('takes a bulk body of 4 MiB, with and without a length, and no larger one', async (t) => {
      const most = 4 * 2 ** 20
      const send = (body: string) =>
        sendThrough(proxy(), { method: 'POST', path: '/v1/packets', headers: ndjson, body })
      const whole = bulkBody(most)
      assert.equal(Buffer.byteLength(whole), most)
      const taken = await send(whole)
      assert.equal(taken.status, 202, taken.text)
      const { accepted } = JSON.parse(taken.text)
      assert.equal(accepted, whole.split('\n').length - 1)
      assert.equal((await send(`${whole}\n`)).status, 413)
      const raw = await openRaw(t, proxy())
      const lines = ['Transfer-Encoding: chunked', `Authorization: ${ndjson.authorization}`]
      const head = rawRequest({ path: '/v1/packets', lines })
        .replace(json['content-type'], ndjson['content-type'])
        .replace('Host: localhost', `Host: ${proxyHost}`)
      raw.write(`${head}${most.toString(16)}\r\n${whole}\r\n0\r\n\r\n`)
      const [answer] = await raw.answered(1, 20_000)
      assert.equal(answer?.status, 202)
      assert.match(raw.text, new RegExp(`"duplicate":${accepted}\\b`))
    })

    test('keeps the metrics to itself', async () => {
      for (const path of ['/metrics', '/metrics?x=1', '/%6detrics'])
        assert.equal((await sendThrough(proxy(), { path, headers: reader })).status, 404, path)
    })

    test('has an answer for every form of a request that the service cannot read', async (t) => {
      const forms = oddForms(name)
      for (const [form, { writes, statuses }] of Object.entries(forms)) {
        const raw = await openRaw(t, proxy())
        for (const bytes of writes) {
          raw.write(bytes)
          // So that it is read by itself.
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        const answers = (await raw.answered(statuses.length)).map(({ status }) => status)
        assert.deepEqual(answers, statuses, `${form}: ${raw.text}`)
      }
      assert(Object.keys(forms).length >= 8)
    })
  })

/** What a sender, or another proxy in front, may write, and what comes back. */
function oddForms(
  name: ProxyName,
): Record<string, { readonly writes: readonly string[]; readonly statuses: readonly number[] }> {
  const token = `Authorization: Bearer ${tokens.ingest[0]}`
  let sequence = 0
  const post = (lines: readonly string[] = [], path = '/v1/call/stream/forms') => {
    const body = JSON.stringify(packet(sequence++))
    return rawRequest({ path, lines: [...lines, token, `Content-Length: ${body.length}`], body }).replace(
      'Host: localhost',
      `Host: ${proxyHost}`,
    )
  }
  const chunked = (extension: string, trailers: string) => {
    const body = JSON.stringify(packet(sequence++))
    const chunks = `${body.length.toString(16)}${extension && `;${extension}`}\r\n${body}\r\n0\r\n${trailers}\r\n`
    return rawRequest({
      path: '/v1/call/stream/forms',
      lines: [token, 'Transfer-Encoding: chunked'],
      body: chunks,
    }).replace('Host: localhost', `Host: ${proxyHost}`)
  }
  const older = (request: string) => request.replace('HTTP/1.1', 'HTTP/1.0')
  const [line = ''] = post().split('\r\n')
  return {
    plain: { writes: [post(), post()], statuses: [202, 202] },
    'HTTP/1.0': { writes: [older(post())], statuses: [202] },
    'HTTP/1.0 that keeps its connection': {
      writes: [older(post(['Connection: keep-alive'])), older(post())],
      statuses: [202, 202],
    },
    'an absolute target': { writes: [post([], `${origin}/v1/call/stream/forms`)], statuses: [202] },
    'an empty line before a request': {
      writes: [`\r\n${post()}`],
      statuses: [name === 'nginx' ? 202 : 400],
    },
    'an empty line behind a body': { writes: [`${post()}\r\n`, post()], statuses: [202, 202] },
    'an empty line by itself': { writes: [post(), '\r\n', post()], statuses: [202, 202] },
    'a split in the request line': {
      writes: [line.slice(0, 20), post().slice(20)],
      statuses: [202],
    },
    'a folded line': { writes: [post(['X-Folded: a\r\n b'])], statuses: [name === 'nginx' ? 400 : 202] },
    'a chunk with an extension': { writes: [chunked('a;b=c', '')], statuses: [202] },
    'trailers behind the chunks': { writes: [chunked('', 'X-Trailer: 1\r\n')], statuses: [202] },
    // The service reads no header behind it. Here its token stands behind it, so an answer of 202 shows that it is gone.
    'a header without a name': { writes: [post([': x'])], statuses: [name === 'nginx' ? 400 : 202] },
  }
}

for (const name of proxyNames)
  describe(`${name} as shipped, before a service without tokens`, { skip: skippedWithout(name) }, () => {
    const service = suiteService({ settings: { TRUSTED_PROXIES: '127.0.0.1', ALLOWED_HOSTS: proxyHost } })
    const proxy = suiteProxy(name, () => ({ servicePort: service().port }))

    test('says which host was asked for', async (t) => {
      const known = await sendThrough(proxy(), { path: '/' })
      assert.equal(known.status, 200, known.text)
      assert.match(known.text, /VoiceStream/)
      const handshake = openSocket(t, proxy(), '')
      await once(handshake, 'open')
      const stranger = await sendThrough(proxy(), { path: '/', headers: { host: 'evil.example' } })
      assert.doesNotMatch(stranger.text, /"VoiceStream"/, 'a name that is not ours gets nothing')
    })
  })

for (const name of proxyNames)
  describe(`what ${name} says to the service`, { skip: skippedWithout(name) }, () => {
    const targets = [
      '/v1/call/a%2Fb%40c%25d',
      '/v1/call/%3F%23%3b%2e',
      '/v1/call/%22%5C%3C%5b%3A%3A1%5D%7B%60%40%2F%2Fx',
      "/v1/call/a:b@c!$&'()*+,=~",
      '/v1/call/x/packets?from=%20&q=a%2Bb+c',
    ]

    test('is HTTP/1.1 over one connection, each target as it was written', async (t) => {
      const recorder = await startRecorder(t)
      const proxy = await startProxy(t, name, { servicePort: recorder.port })
      for (const path of targets)
        await sendThrough(proxy, { path, headers: { 'x-forwarded-for': '192.0.2.1' }, from: '127.0.0.2' })
      assert.deepEqual(
        recorder.requests.map(({ url }) => url),
        targets,
      )
      for (const { httpVersion, headers } of recorder.requests) {
        assert.equal(httpVersion, '1.1')
        assert.equal(headers.host, proxyHost)
        assert.equal(headers['x-forwarded-for'], '127.0.0.2')
      }
      assert.equal(recorder.connections.length, 1)
    })

    test('is the same for a service that has a path of the host, whose metrics stay where they are', async (t) => {
      const recorder = await startRecorder(t)
      const proxy = await startProxy(t, name, { servicePort: recorder.port, isUnderPath: true })
      const send = (path: string) => sendThrough(proxy, { path, headers: { 'x-forwarded-for': '192.0.2.1' } })
      for (const path of targets) await send(`${prefix.slice(0, -1)}${path}`)
      // Caddy writes other characters in other ways: a segment must mean the same, and stay one.
      const meaning = (url = '') => url.split(/[/?]/).map(decodeURIComponent)
      assert.deepEqual(
        recorder.requests.map(({ url }) => meaning(url)),
        targets.map(meaning),
      )
      for (const { httpVersion, headers } of recorder.requests)
        assert.deepEqual(
          [httpVersion, headers.host, headers['x-forwarded-for']],
          ['1.1', proxyHost, '127.0.0.1'],
        )
      assert.equal((await send(`${prefix}metrics`)).status, 404)
      const bare = await send(prefix.slice(0, -1))
      assert([301, 302].includes(bare.status), `${bare.status}`)
      assert.match(bare.headers.location ?? '', /\/voicestream\/$/)
      await send('/v1/calls')
      assert.equal(recorder.requests.length, targets.length, 'other paths of the host are not the service’s')
    })

    test('ends with the connection before the service would close it', async (t) => {
      const recorder = await startRecorder(t)
      const proxy = await startProxy(t, name, { servicePort: recorder.port })
      await sendThrough(proxy, { path: '/' })
      const begun = performance.now()
      await once(recorder.connections[0] as Socket, 'close')
      const idleMs = performance.now() - begun
      assert(idleMs > 1000 && idleMs < 9000, `${idleMs} ms`)
    })
  })
