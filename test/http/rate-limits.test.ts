/** So many requests a second, and so many guesses a minute. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { limits } from '../../src/limits.js'
import { RateLimit } from '../../src/rate-limit.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { type Answer, HttpClient } from '../support/http-client.js'
import { assertProblem } from '../support/problems.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { SupervisorClient } from '../support/supervisor-client.js'

describe('a rate limit', () => {
  test('lets a burst through, then its rate, for each key by itself', () => {
    let now = 0
    const limit = new RateLimit<string>(10, 5, () => now)
    const takes = (key: string, tries: number) =>
      Array.from({ length: tries }, () => limit.take(key)).filter((isTaken) => isTaken).length
    assert.equal(takes('a', 20), 5)
    assert.equal(takes('b', 20), 5)
    now = 99
    assert.equal(takes('a', 1), 0)
    now = 100
    assert.equal(takes('a', 20), 1)
    let taken = 0
    for (; now < 10_100; now += 10) taken += takes('a', 3)
    assert(taken >= 99 && taken <= 101, `${taken} in 10 s`)
    now = 20_000
    assert.equal(takes('a', 20), 5, 'a quiet key has its burst again, and no more')
  })

  test('keeps so many keys, however many come', () => {
    const limit = new RateLimit<string>(1, 1, () => 0)
    for (let i = 0; i < 3 * limits.rateLimitKeysMax; i++) limit.take(`10.0.${i >> 8}.${i & 255}`)
    assert.equal(limit.keyCount, limits.rateLimitKeysMax)
  })
})

const ask = (client: HttpClient, times: number, path: string, token: string): Promise<Answer[]> =>
  Promise.all(Array.from({ length: times }, () => client.send('GET', path, bearer(token))))
const count = (answers: readonly Answer[], status: number) =>
  answers.filter((answer) => answer.status === status).length

describe('reads', () => {
  const service = suiteService({ settings: { ...credentialSettings, RATE_LIMIT_READS_PER_S: 20 } })

  test('beyond the rate of their credential are refused with Retry-After; packets and health are not', async (t) => {
    const client = new HttpClient(t, service())
    const answers = await ask(client, 100, '/v1/calls', tokens.supervisor[0])
    assert(count(answers, 429) >= 50, `${count(answers, 429)} refused`)
    assert(count(answers, 200) >= 20, `${count(answers, 200)} answered`)
    const refused = answers.find(({ status }) => status === 429)
    assert(refused !== undefined)
    assertProblem(refused, 429)
    assert.equal(refused.headers['retry-after'], '1')
    assert.equal(count(await ask(client, 5, '/v1/calls', tokens.supervisor[1]), 200), 5, 'another credential')
    const sent = await Promise.all(
      Array.from({ length: 200 }, (_, sequence) =>
        client.post('/v1/call/stream/many', packet(sequence), bearer(tokens.ingest[0])),
      ),
    )
    assert.equal(count(sent, 202), 200, 'a PBX is not limited unless told so')
    assert.equal(count(await ask(client, 100, '/health/live', tokens.supervisor[0]), 200), 100)
    const documents = await Promise.all(Array.from({ length: 60 }, () => client.get('/')))
    assert(count(documents, 429) > 0, 'public routes are limited by address')
  })
})

describe('packets', () => {
  const service = suiteService({ settings: { ...credentialSettings, RATE_LIMIT_INGEST_PER_S: 20 } })

  test('are limited where that is configured, by credential', async (t) => {
    const client = new HttpClient(t, service())
    const send = (token: string) =>
      Promise.all(
        Array.from({ length: 50 }, (_, sequence) =>
          client.post('/v1/call/stream/many', packet(sequence), bearer(token)),
        ),
      )
    const first = await send(tokens.ingest[0])
    assert(count(first, 429) > 0 && count(first, 202) >= 20, `${count(first, 429)} refused`)
    assert(count(await send(tokens.ingest[1]), 202) >= 20, 'another credential')
  })
})

describe('unknown tokens', () => {
  const service = suiteService({ settings: credentialSettings })

  test('get 401 ten times a minute and then 429 on a connection that closes; known ones are not held up', async (t) => {
    const client = new HttpClient(t, service(), 1)
    const statuses: number[] = []
    let last: Answer | null = null
    for (let guess = 0; guess < 20; guess++) {
      last = await client.send('GET', '/v1/calls', bearer(`guess-${guess}-0000000000000`))
      statuses.push(last.status)
    }
    assert.deepEqual(statuses, [...Array(10).fill(401), ...Array(10).fill(429)])
    assert(last !== null)
    assert.equal(last.headers['retry-after'], '60')
    assert.equal(last.headers['connection'], 'close')
    assert.equal(count(await ask(client, 3, '/v1/calls', tokens.supervisor[0]), 200), 3)
    const sent = await client.post('/v1/call/stream/x', packet(0), bearer(tokens.ingest[0]))
    assert.equal(sent.status, 202, 'a PBX behind the same address goes on')
  })
})

describe('sockets', () => {
  const service = suiteService({
    settings: { ...credentialSettings, SOCKETS_PER_CREDENTIAL_MAX: 2, SOCKETS_PER_ADDRESS_MAX: 3 },
  })
  const chatty = suiteService({ settings: credentialSettings })
  const refusedWith = async (token: string) => {
    const socket = new WebSocket(`ws://127.0.0.1:${service().port}/ws/supervisor`, { headers: bearer(token) })
    const [, answer] = await once(socket, 'unexpected-response', { signal: AbortSignal.timeout(5000) })
    answer.destroy()
    return Number(answer.statusCode)
  }

  test('are bounded for a credential and for an address, and count only while they are open', async (t) => {
    const [one, other] = tokens.supervisor
    const first = await SupervisorClient.connect(t, service(), bearer(one))
    await SupervisorClient.connect(t, service(), bearer(one))
    assert.equal(await refusedWith(one), 429, 'a third one of the credential')
    await SupervisorClient.connect(t, service(), bearer(other))
    assert.equal(await refusedWith(other), 429, 'a fourth one of the address')
    const closed = once(first.socket, 'close')
    first.socket.close()
    await closed
    await SupervisorClient.connect(t, service(), bearer(one))
  })

  test('that send more than ten messages a second are closed with 1008', async (t) => {
    const { socket } = await SupervisorClient.connect(t, chatty(), bearer(tokens.admin[0]))
    const closed = once(socket, 'close', { signal: AbortSignal.timeout(5000) })
    for (let i = 0; i < 11; i++) socket.send('{}')
    const [code] = await closed
    assert.equal(code, 1008)
  })
})
