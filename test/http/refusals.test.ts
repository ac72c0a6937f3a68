/** Whoever is refused finds its line in the log, and cannot fill the disk with more of them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { limits } from '../../src/limits.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { HttpClient } from '../support/http-client.js'
import { eventually, packet, startService } from '../support/service.js'

const settings = { ...credentialSettings, AUTH_FAILURES_PER_MIN: 0 }
const safeId = /^[A-Za-z0-9._-]{1,64}$/

describe('a refused request', () => {
  test('leaves one line with who, where and why, under an id that its answer carries', async (t) => {
    const service = await startService(t, { settings })
    const client = new HttpClient(t, service, 1)
    const ask = (headers: Readonly<Record<string, string>>) =>
      client.send('GET', '/v1/call/somebody', { ...bearer(tokens.ingest[1]), ...headers })
    const own = await ask({ 'x-request-id': 'pbx-7.trace_1' })
    assert.equal(own.headers['x-request-id'], 'pbx-7.trace_1')
    const made = await ask({})
    const unsafe = await ask({ 'x-request-id': '<script>' })
    const long = await ask({ 'x-request-id': 'x'.repeat(65) })
    const ids = [own, made, unsafe, long].map(({ headers }) => String(headers['x-request-id']))
    for (const id of ids) assert.match(id, safeId)
    assert.equal(new Set(ids).size, 4)
    const refused = await eventually(
      async () => service.log.filter((entry) => entry['msg'] === 'refused'),
      (lines) => lines.length === ids.length,
    )
    const { msg, time, level, ...line } = refused[0] ?? {}
    assert.deepEqual([msg, level, typeof time], ['refused', 40, 'string'])
    assert.deepEqual(line, {
      request_id: 'pbx-7.trace_1',
      route: '/v1/call/{call_id}',
      status: 403,
      code: 'forbidden',
      address: '127.0.0.1',
      credential: 'ingest-2',
    })
    assert.deepEqual(
      refused.map((entry) => entry['request_id']),
      ids,
    )
  })

  test('is no line where its content is wrong, nor where all is well', async (t) => {
    const service = await startService(t, { settings })
    const client = new HttpClient(t, service, 1)
    const sent = await client.post('/v1/call/stream/fine', packet(0), bearer(tokens.ingest[0]))
    assert.equal(sent.status, 202)
    assert.equal(sent.headers['x-request-id'], undefined)
    await client.post('/v1/call/stream/fine', '{', bearer(tokens.ingest[0]))
    await client.get('/nowhere')
    assert.deepEqual(
      service.log.filter((entry) => entry['msg'] === 'refused'),
      [],
    )
  })

  test('is only counted where too many come, and a later line says how many', async (t) => {
    const service = await startService(t, { settings })
    const client = new HttpClient(t, service)
    const startedAt = performance.now()
    const total = 5 * limits.logLinesBurst
    await Promise.all(Array.from({ length: total }, () => client.get('/v1/calls')))
    const lines = () => service.log.filter((entry) => entry['msg'] === 'refused')
    const seconds = (performance.now() - startedAt) / 1000
    const most = limits.logLinesBurst + limits.logLinesPerSecond * (seconds + 1)
    assert(lines().length <= most, `${lines().length} lines in ${seconds} s`)
    const unlogged = () =>
      service.log
        .filter((entry) => entry['kind'] === 'refused')
        .reduce((sum, entry) => sum + Number(entry['unlogged']), 0)
    await eventually(
      async () => lines().length + unlogged(),
      (count) => count === total,
    )
  })
})
