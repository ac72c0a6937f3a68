/** The tap against an Asterisk that a test plays: which calls, which phones of them, and what happens when a piece of it goes. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { CallMessage } from '../../../src/actors/call-messages.js'
import { limits } from '../../../src/limits.js'
import { AriTap } from '../../../src/media/ari/ari-tap.js'
import { FakeClock, turns } from '../../support/fake-clock.js'

interface Request {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly variables: Readonly<Record<string, string>>
}

/** As far as the tap asks: it answers, and tells when a channel has come to the application. */
class Pbx {
  readonly clock = new FakeClock()
  readonly requests: Request[] = []
  readonly told: { readonly callId: string; readonly message: CallMessage }[] = []
  readonly warnings: string[] = []
  readonly ownBridges = new Map<string, string>()
  readonly bridges = new Map<string, readonly string[]>()
  readonly channels = new Map<string, object>()
  readonly media = new Set<string>()
  isMediaAway = false
  tap: AriTap

  constructor(options: { contexts?: readonly string[]; share?: number } = {}) {
    this.tap = this.connect(options)
  }

  connect(options: { contexts?: readonly string[]; share?: number } = {}): AriTap {
    this.tap = new AriTap({
      clock: this.clock,
      options: { mediaClient: 'voicestream', contexts: [], share: 100, ...options },
      tell: (callId, message) => {
        this.told.push({ callId, message })
        if ('replyTo' in message) message.replyTo.answered({} as never)
      },
      send: (text) => void queueMicrotask(() => this.#answer(JSON.parse(text))),
      close: (code, why) => assert.fail(`${code} ${why}`),
      warn: (why) => void this.warnings.push(why),
    })
    return this.tap
  }

  event(type: string, members: object): void {
    this.tap.message(JSON.stringify({ type, ...members }))
  }

  #answer(request: Record<string, unknown>): void {
    const query = Object.fromEntries(
      (request['query_strings'] as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
    )
    const path = String(request['uri'])
    const method = String(request['method'])
    const body = JSON.parse(String(request['message_body'] ?? '{}')) as { variables?: Record<string, string> }
    this.requests.push({ method, path, query, variables: body.variables ?? {} })
    const [status, answer] = this.#done(method, path, query)
    const message_body = JSON.stringify(answer)
    this.event('RESTResponse', { request_id: request['request_id'], status_code: status, message_body })
  }

  #done(method: string, path: string, query: Record<string, string>): [number, unknown] {
    const [, id = '', what] = path.split('/')
    if (path === 'channels') return [200, [...this.channels.values()]]
    if (path === 'bridges')
      return [
        200,
        [
          ...[...this.bridges].map(([bridge, channels]) => ({ id: bridge, channels })),
          ...[...this.ownBridges].map(([bridge, name]) => ({ id: bridge, name, channels: [] })),
        ],
      ]
    if (path.startsWith('bridges/') && method === 'POST' && what === undefined) {
      this.ownBridges.set(id, query['name'] ?? '')
      return [200, {}]
    }
    if (path === 'channels/externalMedia') {
      if (this.isMediaAway) return [500, { message: 'no media' }]
      const channelId = query['channelId'] ?? ''
      this.media.add(channelId)
      queueMicrotask(() => this.event('StasisStart', { channel: { id: channelId } }))
    }
    if (what === 'snoop')
      queueMicrotask(() => this.event('StasisStart', { channel: { id: path.split('/')[3] } }))
    if (method === 'DELETE') {
      this.media.delete(id)
      this.ownBridges.delete(id)
    }
    return [200, {}]
  }

  /** Phones in a bridge; the second one has been called. */
  enter(bridge: string, ids: readonly string[], context = 'phones'): void {
    this.bridges.set(bridge, ids)
    for (const [place, id] of ids.entries()) {
      const channel = this.channels.get(id) ?? {
        id,
        name: `PJSIP/${id}`,
        caller: { name: `Name ${id}`, number: id },
        connected: { number: place === 0 ? ids[1] : ids[0] },
        dialplan: { context, exten: '', app_name: place === 0 ? 'Dial' : 'AppDial' },
      }
      this.channels.set(id, channel)
      this.event('ChannelEnteredBridge', {
        bridge: { id: bridge, channels: ids.slice(0, place + 1) },
        channel,
      })
    }
  }

  hangUp(id: string, cause = 16): void {
    const channel = this.channels.get(id) ?? { id }
    this.channels.delete(id)
    this.media.delete(id)
    this.event('ChannelDestroyed', { channel, cause, cause_txt: 'Normal Clearing' })
  }

  ofType<Type extends CallMessage['type']>(type: Type, callId?: string) {
    return this.told.flatMap((each) =>
      each.message.type === type && (callId === undefined || each.callId === callId)
        ? [each.message as Extract<CallMessage, { type: Type }>]
        : [],
    )
  }

  /** Audio that was asked for: whose, and for which call. */
  get listened(): readonly string[] {
    return this.requests
      .filter(({ path }) => path === 'channels/externalMedia')
      .map(({ variables }) => `${variables['CALL_ID']} ${variables['LEG']} ${variables['CHANNEL_NAME']}`)
  }

  notes(callId: string): readonly string[] {
    return this.ofType('note', callId).map(({ note }) => `${note.kind} ${note.text}`)
  }
}

const settle = () => turns(20)

describe('which calls are tapped', () => {
  test('of a share of the calls each is tapped with both its phones or not at all, and the next service agrees', async () => {
    // Guards against half a conversation, and against a restart that begins to listen to a call that nobody wanted heard.
    const ids = Array.from({ length: 400 }, () => randomUUID())
    const tappedBy = async (share: number) => {
      const pbx = new Pbx({ share })
      for (const id of ids) pbx.enter(id, [`${id}-a`, `${id}-b`])
      await settle()
      const counts = new Map<string, number>()
      for (const line of pbx.listened) counts.set(line.slice(0, 36), (counts.get(line.slice(0, 36)) ?? 0) + 1)
      assert(
        [...counts.values()].every((count) => count === 2),
        'both phones',
      )
      assert.equal(pbx.ofType('describe').length, counts.size)
      return new Set(counts.keys())
    }
    assert.equal((await tappedBy(0)).size, 0)
    assert.equal((await tappedBy(100)).size, ids.length)
    const [some, again] = [await tappedBy(30), await tappedBy(30)]
    assert.deepEqual(some, again)
    assert(some.size > 70 && some.size < 170, `${some.size} of 400 are about 30 %`)
    const more = await tappedBy(60)
    for (const id of some) assert(more.has(id), 'a larger share has all of a smaller one')
  })

  test('only calls of the contexts that were named are tapped', async () => {
    const pbx = new Pbx({ contexts: ['sales', 'support'] })
    pbx.enter('b-sales', ['s1', 's2'], 'sales')
    pbx.enter('b-other', ['o1', 'o2'], 'phones')
    await settle()
    assert.deepEqual(pbx.listened, ['b-sales caller PJSIP/s1', 'b-sales callee PJSIP/s2'])
  })
})

describe('a transfer', () => {
  test('leaves the caller in its call, and who is met there comes in as another voice', async () => {
    // Guards against a call that loses its second half to another call, of which only one side is heard.
    const pbx = new Pbx()
    pbx.enter('b1', ['anna', 'desk'])
    await settle()
    const by = pbx.channels.get('desk')
    pbx.event('BridgeBlindTransfer', { channel: by, exten: '700', result: 'Success', bridge: { id: 'b1' } })
    pbx.hangUp('desk')
    pbx.enter('b2', ['anna', 'expert'])
    await settle()
    assert.deepEqual(pbx.listened, [
      'b1 caller PJSIP/anna',
      'b1 callee PJSIP/desk',
      'b1 callee-2 PJSIP/expert',
    ])
    assert.equal(pbx.ofType('describe').length, 1)
    assert.equal(pbx.ofType('complete').length, 0, 'it goes on')
    assert.deepEqual(pbx.notes('b1'), ['mark blind transfer to 700', 'hangup callee: 16 Normal Clearing'])
    // A service that comes now finds them in b2.
    pbx.tap.closed()
    pbx.requests.length = 0
    pbx.connect()
    pbx.event('ApplicationRegistered', {})
    await settle()
    assert.deepEqual(pbx.listened, ['b1 caller PJSIP/anna', 'b1 callee-2 PJSIP/expert'])
    assert.equal(pbx.ownBridges.size, 2, 'what the tap before it has left is taken away')
    pbx.hangUp('anna')
    pbx.hangUp('expert')
    assert.equal(pbx.ofType('complete', 'b1').length, 1)
    assert.equal(pbx.ofType('complete').length, 1)
  })

  test('after a consultation of its own brings both into the call that is older', async () => {
    const pbx = new Pbx()
    pbx.enter('b1', ['anna', 'desk'])
    pbx.enter('b2', ['desk-2', 'expert'])
    await settle()
    const by = pbx.channels.get('desk')
    pbx.event('BridgeAttendedTransfer', { transferer_first_leg: by, result: 'Success' })
    pbx.enter('b2', ['anna', 'expert'])
    pbx.hangUp('desk')
    pbx.hangUp('desk-2')
    await settle()
    assert.equal(pbx.listened.at(-1), 'b1 callee-2 PJSIP/expert')
    assert.equal(pbx.listened.length, 5)
    assert.deepEqual(
      pbx.told.flatMap(({ callId, message }) => (message.type === 'complete' ? [callId] : [])),
      ['b2'],
      'the consultation is over, and the call is not',
    )
    assert(pbx.notes('b1').includes('mark attended transfer'))
    assert.equal(pbx.media.size, 2, 'nobody else is listened to')
    pbx.hangUp('anna')
    pbx.hangUp('expert')
    assert.equal(pbx.ofType('complete', 'b1').length, 1)
  })
})

describe('a phone whose media are lost', () => {
  test('is listened to again for as long as it talks, with longer and longer pauses', async () => {
    // Guards against a proxy's restart that silences a call for good, and against a storm of tries.
    const pbx = new Pbx()
    pbx.enter('b1', ['anna', 'desk'])
    await settle()
    await pbx.clock.advance(limits.ariSteadyMs)
    pbx.isMediaAway = true
    for (const id of [...pbx.media]) pbx.hangUp(id)
    await pbx.clock.advance(0)
    assert.equal(pbx.listened.length, 4, 'at once')
    await pbx.clock.advance(10 * 60_000)
    const tries = (pbx.listened.length - 4) / 2
    assert(tries >= 20 && tries <= 40, `${tries} tries in ten minutes`)
    pbx.isMediaAway = false
    await pbx.clock.advance(limits.ariRetryMsMax)
    assert.equal(pbx.media.size, 2)
    assert.deepEqual(pbx.listened.slice(-2).sort(), ['b1 callee PJSIP/desk', 'b1 caller PJSIP/anna'])
    pbx.hangUp('anna')
    pbx.hangUp('desk')
    await settle()
    const { length } = pbx.requests
    await pbx.clock.advance(60 * 60_000)
    assert.equal(pbx.requests.length, length, 'nothing is asked for a call that is over')
    assert.equal(pbx.media.size, 0)
  })

  test('that hangs up while it is being listened to leaves nothing behind', async () => {
    const pbx = new Pbx()
    pbx.enter('b1', ['anna', 'desk'])
    pbx.hangUp('anna')
    pbx.hangUp('desk')
    await pbx.clock.advance(60_000)
    assert.deepEqual([pbx.media.size, pbx.tap.tappedCount, pbx.clock.timerCount], [0, 0, 0])
    assert.equal(pbx.ofType('complete').length, 1)
  })

  test('is left alone once the connection of its Asterisk is gone', async () => {
    const pbx = new Pbx()
    pbx.isMediaAway = true
    pbx.enter('b1', ['anna', 'desk'])
    await settle()
    pbx.tap.closed()
    const { length } = pbx.requests
    await pbx.clock.advance(60 * 60_000)
    assert.deepEqual([pbx.requests.length, pbx.clock.timerCount], [length, 0])
  })
})
