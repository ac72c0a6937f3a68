import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FeedClient } from '../support/feed-client.js'
import { supervisorHandshake } from '../support/handshake.js'
import { HttpClient } from '../support/http-client.js'
import { pictureOf } from '../support/picture.js'
import { RawConnection } from '../support/raw-connection.js'
import { eventually, packet, startService, temporaryFolder } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { assertContiguous } from '../support/supervisor-client.js'

describe('a supervisor that comes back', () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 300 } })

  // Guards against a gap or a repeat where what was missed meets what is live: packets come all the time.
  test('is told exactly what it missed, once and in order, however often it is cut off', async (t) => {
    const http = new HttpClient(t, service(), 8)
    const client = new FeedClient(t, service(), { start: 'now' })
    await client.live()
    const load = { isDone: false, sent: 0 }
    const loads = Array.from({ length: 4 }, async (_, lane) => {
      for (let sequence = 0; !load.isDone; sequence++, load.sent++)
        await http.packet(`cut-${lane}`, packet(sequence))
    })
    for (let cut = 0; cut < 15; cut++) {
      const seen = client.events.length
      await client.until(() => client.isLive && client.events.length > seen + 20)
      client.cut()
      await client.until(() => !client.isLive)
    }
    load.isDone = true
    await Promise.all(loads)
    await client.until(() => client.events.length >= load.sent)
    assert.equal(client.events.length, load.sent)
    assert.deepEqual(client.resets, [])
    assertContiguous(client.events)
    for (let lane = 0; lane < 4; lane++) {
      const own = client.events.filter(({ call_id }) => call_id === `cut-${lane}`)
      assert.deepEqual(
        own.map((event) => 'total_received' in event && event.total_received),
        own.map((_, i) => i + 1),
      )
    }
  })

  test('is told at once that it cannot go on, and why, and gets the picture', async (t) => {
    const http = new HttpClient(t, service())
    await http.packet('reset', packet(0))
    const first = new FeedClient(t, service(), { start: 'now' })
    await first.live()
    const [epoch] = (first.client.position ?? '').split('.')
    for (const [position, reason] of [
      ['rubbish', 'malformed'],
      ['AAAAAAAA.5', 'other_epoch'],
      [`${epoch}.zzzzzz`, 'future'],
      ['snapshot', 'requested'],
    ] as const) {
      const askedAt = performance.now()
      const client = new FeedClient(t, service(), { start: { position } })
      await client.live()
      const [head] = client.messages
      assert(head?.message.event === 'reset', 'it is the first message')
      assert.equal(head.message.reason, reason)
      assert(head.at - askedAt < 1000, `it came after ${head.at - askedAt} ms`)
      assert(client.snapshots.at(-1)?.is_last)
      assert(pictureOf(client.messages.map(({ message }) => message)).has('reset'))
      client.client.dispose()
    }
  })

  // Rows that are put between events in any other place than their own would be undone by older events, or undo newer ones.
  test('has the picture that the service has, although calls change while it is drawn', async (t) => {
    const http = new HttpClient(t, service(), 16)
    const calls = Array.from({ length: 40 }, (_, i) => `drawn-${i}`)
    await Promise.all(calls.map((call) => http.packet(call, packet(0))))
    const load = { isDone: false }
    const loads = calls.map(async (call, lane) => {
      let sequence = 1
      for (; !load.isDone; sequence += 1 + ((sequence + lane) % 3)) await http.packet(call, packet(sequence))
      if (lane % 2 === 0) await http.complete(call, sequence)
    })
    const clients: FeedClient[] = []
    for (let i = 0; i < 6; i++) {
      const client = new FeedClient(t, service(), i % 2 === 0 ? {} : { view: 'floor' })
      clients.push(client)
      await client.live()
    }
    load.isDone = true
    await Promise.all(loads)
    await eventually(
      () => Promise.all(calls.filter((_, i) => i % 2 === 0).map((call) => http.call(call))),
      (views) => views.every(({ body }) => body['state'] === 'ARCHIVED'),
    )
    const expected = new Map(
      await Promise.all(
        calls.map(async (call) => {
          const { state, total_received, missing_count } = (await http.call(call)).body
          return [call, { state, total_received, missing_count }] as const
        }),
      ),
    )
    for (const [i, client] of clients.entries()) {
      // That a completion's total made the tail missing is told by rows alone.
      const comparable = (seen: unknown, lane: number) =>
        lane % 2 === 0 && i % 2 === 0 ? { ...(seen as object), missing_count: null } : seen
      const shown = () => {
        const all = pictureOf(client.messages.map(({ message }) => message))
        return calls.map((call, lane) => comparable(all.get(call), lane))
      }
      const wanted = calls.map((call, lane) => comparable(expected.get(call), lane))
      await client.until(() => JSON.stringify(shown()) === JSON.stringify(wanted)).catch(() => {})
      assert.deepEqual(shown(), wanted)
    }
  })

  test('under a filter is told of nothing else, and resumes under it', async (t) => {
    const http = new HttpClient(t, service())
    const client = new FeedClient(t, service(), { start: 'now', calls: ['yes'], events: ['packet_received'] })
    const changes = new FeedClient(t, service(), {
      start: 'now',
      states: ['COMPLETED'],
      events: ['state_changed'],
    })
    await Promise.all([client.live(), changes.live()])
    for (let i = 0; i < 30; i++) await http.packet(i % 3 === 0 ? 'yes' : 'no', packet(i))
    await http.packet('yes', packet(0))
    await client.until(() => client.events.length === 10)
    client.cut()
    await client.until(() => !client.isLive)
    for (let i = 30; i < 60; i++) await http.packet(i % 3 === 0 ? 'yes' : 'no', packet(i))
    await http.complete('yes', 60)
    await client.until(() => client.events.length === 20)
    assert.deepEqual(
      client.events.map((event) => event.event === 'packet_received' && event.sequence),
      Array.from({ length: 20 }, (_, i) => 3 * i),
    )
    await changes.until(() => changes.events.some(({ call_id }) => call_id === 'yes'))
    await changes.until(() => changes.events.filter(({ call_id }) => call_id === 'yes').length === 2)
    for (const event of changes.events)
      assert(event.event === 'state_changed' && [event.from_state, event.to_state].includes('COMPLETED'))
  })

  test('hears something within seconds although nothing happens, and where it stands', async (t) => {
    const client = new FeedClient(t, service(), { start: 'now', calls: ['nobody'] })
    await client.live()
    const before = client.client.position
    await new HttpClient(t, service()).packet('somebody', packet(0))
    await client.until(() => client.messages.some(({ message }) => message.event === 'heartbeat'))
    assert.notEqual(client.client.position, before, 'it may resume behind what its filter left out')
  })

  test('is refused before the upgrade when it asks for what is not understood', async () => {
    const refused: Record<string, string> = {
      'evnt=packet_received': 'evnt',
      'event=packet_lost': 'event',
      'state=DONE': 'state',
      'state=': 'state',
      'call=a,,b': 'call',
      'call=.': 'call',
      [`call=${Array.from({ length: 101 }, (_, i) => i)}`]: 'call',
      'view=ceiling': 'view',
      'view=floor&since=': 'since',
      'view=floor&call=a': 'call',
      'since=a&since=b': 'since',
    }
    for (const [query, name] of Object.entries(refused)) {
      const connection = await RawConnection.open(service())
      connection.write(supervisorHandshake(`?${query}`))
      const [answer] = await connection.answered(1)
      await connection.end()
      assert.equal(answer?.status, 400, query)
      const problem = JSON.parse(answer.body)
      assert.equal(problem.errors[0].path, `/query/${name}`, query)
    }
  })
})

test('a supervisor is told that a restart began another epoch, and gets the calls of the one before', async (t) => {
  const dataDir = temporaryFolder(t)
  const before = await startService(t, { dataDir })
  const http = new HttpClient(t, before)
  await http.packet('open', packet(1))
  await http.packet('ended', packet(0))
  await http.complete('ended', 1)
  await eventually(
    () => http.call('ended'),
    ({ body }) => body['state'] === 'ARCHIVED',
  )
  const client = new FeedClient(t, before, { start: 'now' })
  await client.live()
  const position = client.client.position ?? ''
  client.client.dispose()
  before.kill('SIGKILL')
  await before.exited

  const after = await startService(t, { dataDir })
  const again = new FeedClient(t, after, { start: { position } })
  await again.live()
  assert.equal(again.resets[0]?.reason, 'other_epoch')
  const picture = pictureOf(again.messages.map(({ message }) => message))
  assert.deepEqual(picture.get('open'), { state: 'IN_PROGRESS', total_received: 1, missing_count: 1 })
  assert.equal(picture.get('ended')?.state, 'ARCHIVED')
  assert.equal(again.messages[0]?.message.event, 'reset')
})
