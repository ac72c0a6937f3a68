import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import {
  type ClientSocket,
  SupervisorClient,
  type SupervisorClientOptions,
  type SupervisorStatus,
} from '../../src/client/supervisor-client.js'

class FakeSocket implements ClientSocket {
  readonly url: URL
  onmessage: ClientSocket['onmessage'] = null
  onclose: ClientSocket['onclose'] = null
  onerror: ClientSocket['onerror'] = null
  isClosed = false

  constructor(url: string) {
    this.url = new URL(url)
  }

  close(): void {
    this.isClosed = true
  }

  tell(event: string, position: string, members: object = {}): void {
    this.onmessage?.({
      data: JSON.stringify({ event, position, at: '2026-01-01T00:00:00.000Z', ...members }),
    })
  }

  end(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason })
  }

  get asked(): Record<string, string> {
    return Object.fromEntries(this.url.searchParams)
  }
}

function clientOf(t: TestContext, options: Partial<SupervisorClientOptions> = {}) {
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const sockets: FakeSocket[] = []
  const told: string[] = []
  const statuses: SupervisorStatus['kind'][] = []
  const waits: number[] = []
  const client = new SupervisorClient({
    url: 'https://calls.example.org/base/',
    firstWaitMs: 100,
    longestWaitMs: 1000,
    // The whole of each wait, so that it can be seen.
    random: () => 0.999999,
    WebSocket: class extends FakeSocket {
      constructor(url: string) {
        super(url)
        sockets.push(this)
      }
    },
    onEvent: ({ position }) => told.push(`event ${position}`),
    onReset: ({ reason }) => told.push(`reset ${reason}`),
    onSnapshot: ({ is_last }) => told.push(`snapshot ${is_last}`),
    onFloor: ({ position }) => told.push(`floor ${position}`),
    onStatus: ({ kind }) => statuses.push(kind),
    ...options,
  })
  /** Until there is another connection. */
  const reconnected = () => {
    const count = sockets.length
    let waited = 0
    for (; sockets.length === count && waited < 60_000; waited += 10) t.mock.timers.tick(10)
    waits.push(waited)
    return sockets.at(-1) as FakeSocket
  }
  return { client, sockets, told, statuses, waits, reconnected, first: sockets[0] as FakeSocket }
}

describe('the typed client', () => {
  test('asks for what it was told to, over a secure socket where the page is', (t) => {
    const { first } = clientOf(t, {
      start: 'now',
      calls: ['a', 'b'],
      states: ['FAILED'],
      events: ['ai_failed'],
    })
    assert.equal(first.url.origin + first.url.pathname, 'wss://calls.example.org/base/ws/supervisor')
    assert.deepEqual(first.asked, { since: '', call: 'a,b', state: 'FAILED', event: 'ai_failed' })
    assert.deepEqual(clientOf(t, { view: 'floor', calls: ['a'] }).first.asked, { view: 'floor' })
    assert.deepEqual(clientOf(t).first.asked, { since: 'snapshot' })
    assert.deepEqual(clientOf(t, { start: { position: 'e.7' } }).first.asked, { since: 'e.7' })
  })

  test('resumes behind the last message of whatever kind', (t) => {
    const { client, first, told, reconnected } = clientOf(t, { start: 'now' })
    first.tell('hello', 'e.1')
    first.tell('live', 'e.1')
    first.tell('state_changed', 'e.2')
    first.tell('heartbeat', 'e.9')
    assert.equal(client.position, 'e.9')
    first.end()
    assert.deepEqual(reconnected().asked, { since: 'e.9' })
    assert.deepEqual(told, ['event e.2'])
  })

  // Guards against half a picture that looks whole: what the rest of the snapshot had is told by no event.
  test('asks for another snapshot when it was cut off within one', (t) => {
    const { client, first, told, reconnected } = clientOf(t, { start: { position: 'old.1' } })
    first.tell('reset', 'e.5', { reason: 'other_epoch' })
    first.tell('snapshot', 'e.5', { calls: [], is_last: false })
    first.tell('state_changed', 'e.6')
    assert.equal(client.position, null)
    first.end()
    const second = reconnected()
    assert.deepEqual(second.asked, { since: 'snapshot' })
    second.tell('reset', 'e.7', { reason: 'requested' })
    second.tell('snapshot', 'e.7', { calls: [], is_last: true })
    second.end()
    assert.deepEqual(reconnected().asked, { since: 'e.7' })
    assert.deepEqual(told, [
      'reset other_epoch',
      'snapshot false',
      'event e.6',
      'reset requested',
      'snapshot true',
    ])
  })

  test('says when it is live, catching up, stale since when, and closed', (t) => {
    const { client, first, statuses, reconnected } = clientOf(t, { start: 'now' })
    first.tell('hello', 'e.1')
    first.tell('live', 'e.1')
    t.mock.timers.tick(5)
    first.end(1001, 'the service is shutting down')
    assert.deepEqual(client.status, { kind: 'stale', since: 5, reason: 'the service is shutting down' })
    reconnected().end()
    const third = reconnected()
    third.tell('hello', 'e.1')
    third.tell('live', 'e.1')
    client.dispose()
    assert.deepEqual(statuses, ['catching-up', 'live', 'stale', 'catching-up', 'live', 'closed'])
  })

  test('waits longer each time, up to a bound, and shortly again once it was live', (t) => {
    const { first, sockets, waits, reconnected } = clientOf(t, { start: 'now' })
    first.end()
    for (let i = 0; i < 5; i++) reconnected().end()
    assert.deepEqual(waits, [100, 200, 400, 800, 1000])
    const last = reconnected()
    last.tell('hello', 'e.1')
    last.tell('live', 'e.1')
    last.end()
    reconnected()
    assert.equal(waits.at(-1), 100)
    assert.equal(sockets.length, 8)
  })

  test('takes its time when it is not let in', (t) => {
    const { first, waits, reconnected } = clientOf(t, { start: 'now' })
    first.end(4401)
    reconnected()
    assert.deepEqual(waits, [1000])
  })

  // Guards against a connection that died without a word, and a page that looks live for ever.
  test('gives up a connection that has gone silent, and hears nothing of it any more', (t) => {
    const { client, first, told, sockets } = clientOf(t, { start: 'now', silenceMsMax: 12_000 })
    first.tell('hello', 'e.1')
    first.tell('live', 'e.1')
    t.mock.timers.tick(11_999)
    assert.equal(client.status.kind, 'live')
    t.mock.timers.tick(1)
    assert.equal(client.status.kind, 'stale')
    assert.equal(first.isClosed, true)
    first.tell('state_changed', 'e.2')
    first.end()
    t.mock.timers.tick(1000)
    assert.deepEqual(told, [])
    assert.equal(sockets.length, 2)
    assert.deepEqual(sockets[1]?.asked, { since: 'e.1' })
  })

  test('gets a ticket for each connection, and tries again when there is none', async (t) => {
    const tickets = [() => 'one', () => Promise.reject(new Error('401')), () => 'two']
    const { sockets, client } = clientOf(t, {
      start: 'now',
      getTicket: async () => (tickets.shift() ?? (() => 'more'))(),
    })
    const settle = () => new Promise((resolve) => setImmediate(resolve))
    await settle()
    assert.equal(sockets[0]?.asked['ticket'], 'one')
    sockets[0]?.end()
    t.mock.timers.tick(100)
    await settle()
    assert.equal(sockets.length, 1)
    t.mock.timers.tick(200)
    await settle()
    assert.equal(sockets[1]?.asked['ticket'], 'two')
    client.dispose()
  })

  test('leaves nothing behind when it is disposed of, whatever it was about to do', async (t) => {
    const waiting = clientOf(t, { start: 'now' })
    waiting.first.end()
    waiting.client.dispose()
    t.mock.timers.tick(60_000)
    assert.equal(waiting.sockets.length, 1)
    let give: (ticket: string) => void = () => {}
    const asking = clientOf(t, { getTicket: () => new Promise((resolve) => (give = resolve)) })
    asking.client.dispose()
    give('late')
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(asking.sockets.length, 0)
  })

  test('throws where there is no WebSocket and none was passed', () => {
    const given = (globalThis as { WebSocket?: unknown }).WebSocket
    if (given === undefined)
      assert.throws(() => new SupervisorClient({ url: 'http://localhost' }), /this platform has no WebSocket/)
  })
})
