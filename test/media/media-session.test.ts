/** One socket, by a clock in hand: when it is closed, what it is refused with, and how much a leg holds for a call that does not answer. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CallMessage } from '../../src/actors/call-messages.js'
import { limits } from '../../src/limits.js'
import { detectedKind } from '../../src/media/detected-dialect.js'
import { dialectKind } from '../../src/media/dialects.js'
import { MediaSession, type SessionPorts, type SessionRequest } from '../../src/media/media-session.js'
import { FakeClock } from '../support/fake-clock.js'
import { dialectRequest, type Message } from '../support/media-events.js'
import { twilioMedia, twilioStart, twilioStop, twilioStream } from '../support/media-sockets.js'

type Leg = Extract<CallMessage, { type: 'leg' }>
type Block = Extract<CallMessage, { type: 'block' }>
type Note = Extract<CallMessage, { type: 'note' }>

/** A session whose call is what the test says: nothing answers by itself. */
class Played {
  readonly clock: FakeClock
  readonly told: CallMessage[] = []
  readonly sent: (string | Uint8Array)[] = []
  readonly refusals: string[] = []
  readonly counts = { accepted: 0, duplicates: 0, rejected: 0, shed: 0 }
  readonly closes: { readonly code: number; readonly why: string }[] = []
  readonly session: MediaSession

  constructor(
    dialect: string,
    request: Partial<SessionRequest> = {},
    {
      clock = new FakeClock(),
      held = { bytes: 0 },
      admits = () => null,
    }: Partial<SessionPorts> & {
      clock?: FakeClock
    } = {},
  ) {
    this.clock = clock
    const kind = dialect === 'detect' ? detectedKind : dialectKind(dialect)
    assert(kind !== undefined)
    let ids = 0
    this.session = new MediaSession(
      {
        clock,
        held,
        admits,
        tell: (_, message) => this.told.push(message),
        send: (message) => this.sent.push(message),
        close: (code, why) => this.closes.push({ code, why }),
        refused: (why) => this.refusals.push(why),
        counted: (count, packets) => {
          this.counts[count] += packets
        },
        warn: () => {},
        settledAfter: () => {},
      },
      kind,
      {
        ...dialectRequest({ newId: () => `id-${ids++}` }),
        isAdmitted: true,
        onlyCall: null,
        ...request,
      },
    )
  }

  closed(): { readonly code: number; readonly why: string } | null {
    assert(this.closes.length < 2, 'it is closed once')
    return this.closes[0] ?? null
  }

  feed(...messages: readonly Message[]): void {
    for (const message of messages)
      if (message instanceof Uint8Array) this.session.message(message, true)
      else {
        const text = typeof message === 'string' ? message : JSON.stringify(message)
        this.session.message(Buffer.from(text), false)
      }
  }

  of<Type extends CallMessage['type']>(type: Type): Extract<CallMessage, { type: Type }>[] {
    return this.told.filter(
      (message): message is Extract<CallMessage, { type: Type }> => message.type === type,
    )
  }

  /** Its call gives the leg its place. */
  place(): void {
    const [leg] = this.of('leg') as Leg[]
    assert(leg !== undefined)
    const tracks = leg.request.voices.map((_, track) => ({ track, base: 0 }))
    leg.replyTo.answered({ kind: 'started', createdAt: 0, tracks })
  }
}

describe('a socket', () => {
  test('that never says what it is is closed after 10 s, also when it never stops sending', async () => {
    for (const dialect of ['twilio', 'sinch', 'audiohook', 'detect']) {
      const played = new Played(dialect)
      await played.clock.advance(limits.mediaStartMs - 1)
      assert.equal(played.closed(), null, dialect)
      if (dialect === 'twilio') played.feed('{"event":"connected"}', 'x', twilioMedia('inbound', 2, 1))
      await played.clock.advance(1)
      assert.deepEqual(played.closed(), { code: 1008, why: 'no start within 10 s' })
      assert.equal(played.clock.timerCount, 0)
    }
  })

  test('that has stopped is closed after 5 s, unless another stream begins', async () => {
    const played = new Played('twilio')
    played.feed(twilioStart(['inbound']), twilioStop(2))
    await played.clock.advance(limits.mediaCloseMs - 1)
    assert.equal(played.closed(), null)
    played.feed(twilioStart(['inbound'], {}, { stream: 'MZ2' }))
    await played.clock.advance(limits.mediaCloseMs * 2)
    assert.equal(played.closed(), null)
    played.feed(twilioStop(2, { stream: 'MZ2' }))
    await played.clock.advance(limits.mediaCloseMs)
    assert.equal(played.closed()?.code, 1000)
  })

  test('stays open without any audio: a hold may take ten minutes', async () => {
    const played = new Played('twilio')
    played.feed(twilioStart(['inbound']))
    played.place()
    await played.clock.advance(600_000)
    assert.equal(played.closed(), null)
    // The bound is on a connection on which nothing comes at all, and uWebSockets.js takes no longer one.
    assert(limits.mediaIdleSeconds > 600 && limits.mediaIdleSeconds <= 960)
  })

  test('whose platform says elsewhere that it has ended is closed 5 s later, and takes what comes until then', async () => {
    const played = new Played('twilio')
    assert.equal(played.session.endsSoon(twilioStream), false, 'nothing has begun')
    played.feed(twilioStart(['inbound']))
    played.place()
    assert.equal(played.session.endsSoon('MZ2'), false, 'another stream')
    assert.equal(played.session.endsSoon(twilioStream), true)
    played.feed(twilioMedia('inbound', 2, 1))
    assert.equal(played.of('block').length, 1)
    await played.clock.advance(limits.mediaCloseMs)
    assert.equal(played.closed()?.code, 1000)
    assert.equal(played.session.endsSoon(twilioStream), false, 'it is closed')
  })

  test('that brings no token, a wrong one, or one of another call is refused, and its call hears nothing', () => {
    const admits = (token: string) =>
      token === 'any' ? { onlyCall: null } : token === 'one' ? { onlyCall: 'CA-other' } : null
    for (const [token, why] of [
      [undefined, 'the stream brings no token that is known'],
      ['wrong', 'the stream brings no token that is known'],
      ['one', 'the stream is of another call than its token'],
      ['any', null],
    ] as const) {
      const played = new Played('twilio', { isAdmitted: false }, { admits })
      played.feed(
        twilioMedia('inbound', 2, 1),
        twilioStart(['inbound'], token === undefined ? {} : { token }),
      )
      played.feed(twilioMedia('inbound', 3, 2))
      assert.deepEqual(played.refusals, why === null ? [] : [why])
      assert.equal(played.closed()?.code, why === null ? undefined : 1008)
      assert.equal(played.told.length, why === null ? 1 : 0)
    }
  })

  test('of one call may not become another one’s with its next start', () => {
    const played = new Played('twilio', { onlyCall: 'CA1' })
    played.feed(twilioStart(['inbound'], {}, { call: 'CA1' }), twilioStop(2, { call: 'CA1' }))
    assert.equal(played.closed(), null)
    played.feed(twilioStart(['inbound'], {}, { call: 'CA2' }))
    assert.equal(played.closed()?.code, 1008)
    assert.equal(played.of('leg').length, 1)
    // Nor does a parameter of the platform's name another call.
    const named = new Played('twilio', { onlyCall: 'CA1' })
    named.feed(twilioStart(['inbound'], { 'voicestream.call_id': 'CA2' }, { call: 'CA1' }))
    assert.equal(named.closed()?.code, 1008)
  })

  test('of a platform that asks first is told that we are busy while we stop; the others are closed', () => {
    const sinch = new Played('sinch', { isBusy: () => true })
    sinch.session.goAway()
    assert.equal(sinch.closed(), null, 'it has not asked yet')
    sinch.feed({ command: 'connect', callId: 'c1', codec: 'PCM', sampleRate: 8000 })
    assert.deepEqual(sinch.sent, ['{"command":"busy"}'])
    assert.equal(sinch.closed()?.code, 1013)
    assert.equal(sinch.told.length, 0)
    const twilio = new Played('twilio')
    twilio.session.goAway()
    assert.equal(twilio.closed()?.code, 1001)
  })
})

describe('a leg whose call does not answer', () => {
  const packetBytes = 64_000 * 0.02 * 4
  const start = '{"call_id":"burst"}'
  const request = dialectRequest({ query: { rate: '64000', mix: 'stereo' } })

  test('holds two of the longest messages; what is beyond leaves its numbers out, and is told as shed', () => {
    // Guards against a bound that one message of its platform exceeds, and against a loss that no number shows.
    const played = new Played('freeswitch', request)
    const packets = 200
    const message = (value: number) => Buffer.alloc(packets * packetBytes, value)
    played.feed(start)
    for (const value of [1, 2, 3, 4, 5, 6]) played.feed(message(value))
    assert.equal(played.of('block').length, 0, 'nothing is told before the leg has its place')
    const kept = Math.floor((2 * 2 * 1024 * 1024) / (packets * packetBytes))
    assert(kept >= 2 && kept < 6, `${kept} messages are kept`)
    played.place()
    const lost = (6 - kept) * packets
    assert.equal(played.counts.shed, lost)
    assert.deepEqual(
      (played.of('note') as Note[]).map(({ note: { kind, text, packets: count } }) => [kind, text, count]),
      [['skipped', 'shed', lost]],
    )
    played.feed(message(7))
    const blocks = played.of('block') as Block[]
    const numbers = blocks.map(({ block }) => block.sequence)
    // The call has settled nothing yet, so of the last message only what still fits is taken.
    const range = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index)
    const fits = Math.floor((2 * 2 * 1024 * 1024) / packetBytes) - kept * packets
    assert.deepEqual(numbers, [...range(0, kept * packets), ...range(6 * packets, fits)])
    for (const { block, replyTo } of blocks)
      replyTo.answered({ accepted: block.count, duplicates: 0, count: block.count } as never)
    played.feed(message(8))
    const next = (played.of('block') as Block[]).slice(blocks.length)
    assert.equal(next[0]?.block.sequence, 7 * packets, 'the number says how much was lost before')
    assert.equal(next[0]?.block.data[0], 8)
  })

  test('holds no more than all legs may hold together', () => {
    // Guards against ten thousand legs that wait for a stuck disk with their own bound each.
    const held = { bytes: 0 }
    const legs = Array.from({ length: 40 }, () => new Played('freeswitch', request, { held }))
    for (const leg of legs) leg.feed(start)
    for (const leg of legs) for (let i = 0; i < 4; i++) leg.feed(Buffer.alloc(200 * packetBytes))
    assert(held.bytes <= limits.mediaUnsettledBytesMax, `${held.bytes} bytes`)
    const shed = legs.reduce((sum, { counts }) => sum + counts.shed, 0)
    assert(shed > 0, 'the bound was met')
    for (const leg of legs) leg.session.closed(false)
  })
})
