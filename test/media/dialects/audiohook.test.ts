/**
 * A session of Genesys AudioHook, played as its client does. Guards against an answer that is missing or wrong, which ends the call at
 * the client, and against a time line that a pause, a loss or a false claim moves from where the audio belongs.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MediaEvent } from '../../../src/media/dialect.js'
import { AudioHook } from '../../../src/media/dialects/audiohook/audiohook.js'
import { secondsOf } from '../../../src/media/dialects/audiohook/position.js'
import { dialectRequest, feed, repliesOf, soundOf, startOf, typesOf } from '../../support/media-events.js'
import { holds } from '../../support/property.js'

const session = '22222222-2222-4222-8222-222222222222'
const organization = '11111111-1111-4111-8111-111111111111'
const conversation = '44444444-4444-4444-8444-444444444444'
const zero = '00000000-0000-0000-0000-000000000000'
const stereo = { type: 'audio', format: 'PCMU', channels: ['external', 'internal'], rate: 8000 }
const mono = { ...stereo, channels: ['external'] }

/** A client that numbers its messages, and knows of ours what it was told. */
class Client {
  readonly dialect: AudioHook
  #seq = 0
  serverSeq = 0

  constructor(headers: Readonly<Record<string, string>> = {}) {
    this.dialect = new AudioHook(dialectRequest({ headers }))
  }

  say(type: string, position: string, parameters: object = {}, change: object = {}): MediaEvent[] {
    const message = {
      version: '2',
      id: session,
      type,
      seq: ++this.#seq,
      serverseq: this.serverSeq,
      position,
      parameters,
    }
    const events = feed(this.dialect, { ...message, ...change })
    for (const reply of repliesOf(events)) this.serverSeq = (reply as { seq: number }).seq
    return events
  }

  open(change: object = {}): MediaEvent[] {
    const participant = { id: '55555555-5555-4555-8555-555555555555', ani: '+1', aniName: 'n', dnis: '+2' }
    const parameters = {
      organizationId: organization,
      conversationId: conversation,
      participant,
      media: [mono, stereo],
    }
    return this.say('open', 'PT0S', { ...parameters, ...change })
  }
}

const second = (fill: number) => Buffer.alloc(16_000, fill)
const replyTypes = (events: readonly MediaEvent[]) =>
  repliesOf(events).map((reply) => (reply as { type: string }).type)

describe('an AudioHook session', () => {
  test('is answered message by message, with the numbers of both sides', () => {
    const client = new Client({ 'audiohook-organization-id': organization, 'audiohook-session-id': session })
    const opened = client.open()
    assert.deepEqual(repliesOf(opened), [
      {
        version: '2',
        id: session,
        type: 'opened',
        seq: 1,
        clientseq: 1,
        parameters: { media: [stereo], startPaused: false },
      },
    ])
    assert.equal(opened[0]?.type, 'reply', 'the answer comes before anything else')
    const { call, leg, tracks, packetBytes, details, isProbe } = startOf(opened)
    assert.deepEqual([call, leg, isProbe, packetBytes], [conversation, session, false, 3200])
    const media = { encoding: 'mulaw', sample_rate: 8000, channels: 2 } as const
    assert.deepEqual(tracks, [{ name: 'external+internal', media }])
    assert.deepEqual(details, { caller: '+1', callee: '+2', metadata: { ani_name: 'n' } })
    assert.deepEqual(soundOf(feed(client.dialect, second(1))), second(1))
    assert.deepEqual(repliesOf(client.say('ping', 'PT1S', { rtt: 'PT0.1S' })), [
      { version: '2', id: session, type: 'pong', seq: 2, clientseq: 2, parameters: {} },
    ])
    assert.deepEqual(replyTypes(client.say('update', 'PT1S', { language: 'de-DE' })), ['updated'])
    const closed = client.say('close', 'PT1S', { reason: 'end' })
    assert.deepEqual(replyTypes(closed), ['closed'])
    assert.deepEqual(closed.at(-1), { type: 'stop', why: 'stopped', totals: [5] })
    assert.deepEqual(client.dialect.closed(true), [])
  })

  test('has its channels in the order of the chosen media, which goes back unchanged', () => {
    const inverted = { ...stereo, channels: ['internal', 'external'], extra: { a: 1 } }
    const opened = new Client().open({ media: [inverted] })
    const [reply] = repliesOf(opened) as { parameters: object }[]
    assert.deepEqual(reply?.parameters, { media: [inverted], startPaused: false })
    assert.equal(startOf(opened).tracks[0]?.name, 'internal+external')
  })

  test('of the set-up is a probe: answered to its end, never a call', () => {
    const client = new Client()
    const opened = client.open({
      conversationId: zero,
      participant: { id: zero, ani: '', aniName: '', dnis: '' },
    })
    const [reply] = repliesOf(opened) as { parameters: object }[]
    assert.deepEqual(reply?.parameters, { media: [], startPaused: false })
    assert.equal(startOf(opened).isProbe, true)
    assert.deepEqual(replyTypes(client.say('ping', 'PT0S')), ['pong'])
    assert.deepEqual(typesOf(client.say('close', 'PT0S', { reason: 'end' })), ['reply'])
  })

  test('with no media that is known is opened without', () => {
    const client = new Client()
    const opened = client.open({ media: [{ ...stereo, format: 'OPUS' }, 7, null] })
    assert.deepEqual(typesOf(opened), ['reply', 'warning'])
    assert.deepEqual(typesOf(feed(client.dialect, second(1))), ['warning'])
  })

  test('that belongs to another request is told so', () => {
    for (const headers of [{ 'audiohook-organization-id': zero }, { 'audiohook-session-id': zero }]) {
      const events = new Client(headers).open()
      const [reply] = repliesOf(events) as { type: string; parameters: { reason: string } }[]
      assert.deepEqual([reply?.type, reply?.parameters.reason], ['disconnect', 'unauthorized'])
      assert(!typesOf(events).includes('start'))
    }
  })
})

describe('positions', () => {
  test('of a resumed session skip whole packets', () => {
    const client = new Client()
    client.open()
    feed(client.dialect, second(1))
    assert.deepEqual(client.say('paused', 'PT1S'), [{ type: 'paused', track: null }])
    assert.deepEqual(client.say('paused', 'PT1S'), [], 'a pause may be told twice')
    assert.deepEqual(replyTypes(client.say('ping', 'PT1.7S')), ['pong'])
    assert.deepEqual(client.say('resumed', 'PT2S', { start: 'PT1S', discarded: 'PT1S' }), [
      { type: 'skipped', track: 0, packets: 5, why: 'discarded' },
      { type: 'resumed', track: null },
    ])
    feed(client.dialect, second(2))
    assert.deepEqual(typesOf(client.say('ping', 'PT3S')), ['reply'])
  })

  test('that stand still in a pause lose nothing', () => {
    const client = new Client()
    client.open()
    feed(client.dialect, second(1))
    client.say('paused', 'PT1S')
    const resumed = client.say('resumed', 'PT1S', { start: 'PT1S', discarded: 'PT0S' })
    assert.deepEqual(resumed, [{ type: 'resumed', track: null }])
  })

  test('fill a part of a packet with silence, so that what follows is where it belongs', () => {
    const client = new Client()
    client.open()
    feed(client.dialect, Buffer.alloc(2 * 700, 1))
    // 700 samples, then 4,000 discarded: 900 fill the first packet, one is skipped, 1,500 begin the third.
    const events = client.say('discarded', 'PT0.5875S', { start: 'PT0.0875S', discarded: 'PT0.5S' })
    assert.deepEqual(
      events.map((event) => (event.type === 'audio' ? event.data.length / 2 : event)),
      [900, { type: 'skipped', track: 0, packets: 1, why: 'discarded' }, 1500],
    )
    assert.deepEqual(soundOf(events), Buffer.alloc(2 * 2400, 0xff))
  })

  test('that do not fit the audio which came are a loss, counted once', () => {
    const client = new Client()
    client.open()
    feed(client.dialect, second(1))
    assert.deepEqual(client.say('ping', 'PT1.4S').slice(0, 1), [
      { type: 'skipped', track: 0, packets: 2, why: 'numbered' },
    ])
    assert.deepEqual(typesOf(client.say('ping', 'PT1.4S')), ['reply'])
    assert.deepEqual(typesOf(client.say('ping', 'PT0.4S')), ['reply'], 'the line never goes back')
  })

  test('of a false claim move nothing into the future or the past', () => {
    const client = new Client()
    client.open()
    feed(client.dialect, second(1))
    assert.deepEqual(client.say('discarded', 'PT1S', { start: 'PT6.3S', discarded: 'PT0.3S' }), [])
    assert.deepEqual(client.say('discarded', 'PT1S', { start: 'PT0S', discarded: 'PT0.3S' }), [])
    assert.deepEqual(typesOf(client.say('ping', 'PT999999999S')), ['warning', 'reply'])
    assert.deepEqual(typesOf(client.say('ping', 'nonsense')), ['reply'])
  })

  test('add up under any pauses, losses and lengths of messages, to the sample', async (t) => {
    const step = fc.record({
      sent: fc.integer({ min: 0, max: 5000 }),
      lost: fc.integer({ min: 0, max: 9000 }),
    })
    await holds(t, fc.array(step, { minLength: 1, maxLength: 20 }), 200, (steps) => {
      const client = new Client()
      client.open()
      let line = 0
      let skipped = 0
      let bytes = 0
      for (const { sent, lost } of steps) {
        const events = feed(client.dialect, Buffer.alloc(2 * sent, 1))
        line += sent + lost
        events.push(...client.say('ping', `PT${line / 8000}S`))
        bytes += soundOf(events).length
        for (const event of events) if (event.type === 'skipped') skipped += event.packets
      }
      assert.equal(bytes / 2 + skipped * 1600, line)
      const closed = client.say('close', `PT${line / 8000}S`)
      assert.deepEqual(closed.at(-1), { type: 'stop', why: 'stopped', totals: [Math.ceil(line / 1600)] })
    })
  })

  test('are read as ISO durations', () => {
    assert.deepEqual(
      ['PT0S', 'PT12.4S', 'PT1M', 'PT1H2M3.000000001S', 'PT', 'P1D', '5', 'PT-1S', 7].map(secondsOf),
      [0, 12.4, 60, 3723.000000001, null, null, null, null, null],
    )
  })
})

describe('what the rules forbid is answered with disconnect, and what came before is kept', () => {
  const faults: [string, (client: Client) => MediaEvent[]][] = [
    ['bad JSON', ({ dialect }) => feed(dialect, '{"version":')],
    ['more than 64 KiB', ({ dialect }) => feed(dialect, { text: 'x'.repeat(70_000) })],
    ['a missing number', (client) => client.say('ping', 'PT0S', {}, { seq: 9 })],
    ['a number twice', (client) => client.say('ping', 'PT0S', {}, { seq: 1 })],
    ['an answer to what was never said', (client) => client.say('ping', 'PT0S', {}, { serverseq: 99 })],
    ['another id', (client) => client.say('ping', 'PT0S', {}, { id: zero })],
    ['another version', (client) => client.say('ping', 'PT0S', {}, { version: '3' })],
    ['an unknown type', (client) => client.say('sing', 'PT0S')],
    ['a second open', (client) => client.open()],
  ]
  for (const [name, commit] of faults)
    test(name, () => {
      const client = new Client()
      client.open()
      feed(client.dialect, second(1))
      const events = commit(client)
      const [reply, ...more] = repliesOf(events) as { type: string; parameters: { reason: string } }[]
      assert.deepEqual([reply?.type, reply?.parameters.reason, more.length], ['disconnect', 'error', 0])
      const closed = client.say('close', 'PT1S', { reason: 'disconnect' })
      assert.deepEqual(replyTypes(closed), ['closed'])
      assert.equal(closed.at(-1)?.type, 'stop')
    })

  test('audio before the opening, and any first message but open', () => {
    assert.deepEqual(replyTypes(feed(new Client().dialect, second(1))), ['disconnect'])
    assert.deepEqual(replyTypes(new Client().say('ping', 'PT0S')), ['disconnect'])
  })

  test('audio in a pause is an error by the rules, and kept all the same', () => {
    const client = new Client()
    client.open()
    client.say('paused', 'PT0S')
    assert.deepEqual(typesOf(feed(client.dialect, second(1), second(2))), ['warning', 'audio', 'audio'])
  })
})

test('an error of the client is told, playback is nothing, a digit is counted', () => {
  const client = new Client()
  client.open()
  assert.deepEqual(typesOf(client.say('error', 'PT0S', { code: 429, message: 'm', retryAfter: 'PT1S' })), [
    'warning',
  ])
  assert.deepEqual(client.say('playback_started', 'PT0S'), [])
  assert.deepEqual(client.say('dtmf', 'PT0S', { digit: '5' }), [{ type: 'dtmf', durationMs: null }])
  assert.deepEqual(client.dialect.closed(false), [{ type: 'stop', why: 'lost', totals: null }])
})
