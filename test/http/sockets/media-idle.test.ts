/**
 * Sockets without end, with the idle bound of media streams shortened to what uWebSockets.js takes at least. Guards against a peer that died
 * without a word (no FIN: a cable, a NAT) and holds its call open for ever, and against our own pings, on which some PBXs hang up.
 */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import type { CallMessage } from '../../../src/actors/call-messages.js'
import { systemClock } from '../../../src/clock.js'
import type { ExchangeOwner } from '../../../src/http/exchange.js'
import type { MediaHandshake } from '../../../src/http/gate/media-handshake.js'
import { MediaSockets } from '../../../src/http/sockets/media-sockets.js'
import { Untaken } from '../../../src/http/untaken.js'
import { createApp, listenExclusively, localPort } from '../../../src/http/uws.js'
import { openMedia, twilioStart } from '../../support/media-sockets.js'

const idleSeconds = 8

test('a socket on which nothing comes is ended, its leg is lost, and one that speaks now and then stays, without a ping', async (t) => {
  const app = createApp()
  const told: CallMessage[] = []
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const grant = { isAdmitted: true, credential: null, onlyCall: null, segment: null, address: '127.0.0.1' }
  const handshake = {
    isDraining: false,
    accept: () => grant,
    release: () => release(),
  } as unknown as MediaHandshake
  const owner: ExchangeOwner = { untaken: new Untaken(), refused: () => {}, ended: () => {} }
  const sockets = new MediaSockets(app, {
    clock: systemClock,
    held: { bytes: 0 },
    owner,
    handshake,
    idleSeconds,
    epoch: 'e',
    account: async () => null,
    tell: (_, message) => {
      told.push(message)
      if (message.type === 'leg')
        message.replyTo.answered({ kind: 'started', createdAt: 0, tracks: [{ track: 0, base: 0 }] })
      if (message.type === 'leg-end') message.replyTo.answered(true)
    },
    counted: () => {},
    settledAfter: () => {},
    warn: () => {},
    refused: () => {},
  })
  const listening = await listenExclusively(app, '127.0.0.1', 0)
  assert(listening !== false)
  t.after(() => app.close())
  const port = localPort(listening)

  const dead = await openMedia({ port }, '/v1/media/twilio')
  dead.send(twilioStart(['inbound']))
  // It takes in nothing more, and answers nothing: as if its machine had lost its network.
  const { _socket: connection } = dead as unknown as { _socket: Socket }
  connection.pause()
  const held = await openMedia({ port }, '/v1/media/vonage?call_id=hold')
  let pings = 0
  held.on('ping', () => pings++)
  held.send('{"event":"websocket:connected","content-type":"audio/l16;rate=8000"}')
  const speaking = setInterval(() => held.send('{"event":"websocket:media:update","active":false}'), 2000)
  t.after(() => clearInterval(speaking))
  assert.equal(sockets.count, 2)

  await released
  assert.equal(sockets.count, 1, 'the dead one is gone')
  const ends = told.filter((message) => message.type === 'leg-end')
  assert.deepEqual(
    ends.map(({ why }) => why),
    ['lost'],
  )
  assert.equal(held.readyState, WebSocket.OPEN)
  assert.equal(pings, 0)
})
