/**
 * The simulated platforms, into the dialects of the service. The two were written from the platforms' documents and share no code, so each
 * checks the other: what the sender counts as lost the dialect must count as missing, and every byte must arrive under its track.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parseWav } from '../../../src/audio/wav-file.js'
import type { DialectKind, MediaEvent } from '../../../src/media/dialect.js'
import { AudioSocket } from '../../../src/media/dialects/audiosocket.js'
import { dialectKind } from '../../../src/media/dialects.js'
import { seededRandom } from '../../../src/random.js'
import { arrivedOf, type Sender, type SentStream } from '../../../src/simulate/dialects/sender.js'
import { senders } from '../../../src/simulate/dialects/senders.js'
import { packetsOf, voicesOf } from '../../../src/simulate/dialects/voices.js'
import { partiesOf } from '../../../src/simulate/parties.js'
import {
  accountsOf,
  dialectRequest,
  feed,
  repliesOf,
  soundOf,
  startOf,
  typesOf,
} from '../../support/media-events.js'
import { seed } from '../../support/property.js'

const wav = parseWav(readFileSync('examples/support-call.wav'))
const [first, second] = voicesOf(wav)
const seconds = 8 * wav.sampleRate
const voices = [first.subarray(0, seconds), second.subarray(0, seconds)] as const
const parties = partiesOf(5)
const callId = '44444444-4444-4444-8444-444444444444'

function streamOf(lossPercent: number, change: Partial<SentStream> = {}): SentStream {
  const random = seededRandom(seed)
  const lost = new Set<string>()
  for (let index = 0; index < 500; index++)
    // One at least, whatever the seed: the shortest stream has 40 packets.
    for (const track of [0, 1])
      if (random() * 100 < lossPercent || (lossPercent > 0 && index === 5)) lost.add(`${track}:${index}`)
  return {
    callId,
    parties,
    streamId: '22222222-2222-4222-8222-222222222222',
    voices,
    sampleRate: wav.sampleRate,
    beginsAtMs: 0,
    startMs: 1_760_000_000_000,
    // The first ones arrive: where numbers begin not every platform tells.
    isLost: (track, index) => index > 0 && lost.has(`${track}:${index}`),
    breaksAtMs: null,
    ...change,
  }
}

const audioSocket: DialectKind = {
  name: 'audiosocket',
  subprotocols: [],
  messageBytesMax: Number.POSITIVE_INFINITY,
  create: () => new AudioSocket({ codec: 'slin', hasLegDigit: false }),
}

interface Sent {
  readonly received: number
  readonly lost: readonly number[]
  readonly sound: Buffer
}

/** What of each track arrives when every message does. */
function accountOf(sender: Sender, stream: SentStream): readonly Sent[] {
  return arrivedOf(sender, stream).map((packets) => {
    const received = packets.filter((packet) => packet !== undefined)
    const lost = Array.from(packets, (packet, index) => (packet === undefined ? index : -1))
    return {
      received: received.length,
      lost: lost.filter((index) => index >= 0),
      sound: Buffer.concat(received),
    }
  })
}

/** Sends all of it into the dialect of its path, and closes. */
function play(sender: Sender, stream: SentStream): MediaEvent[] {
  const headers: Record<string, string> =
    sender.subprotocol === null ? {} : { 'sec-websocket-protocol': sender.subprotocol }
  const kind = sender.path === null ? audioSocket : dialectKind(sender.path.split('/').at(-1) ?? '')
  assert(kind !== undefined, sender.name)
  if (sender.subprotocol !== null) assert(kind.subprotocols.includes(sender.subprotocol))
  const dialect = kind.create(dialectRequest({ query: sender.queryOf(stream), headers }))
  const heard = { serverSeq: 0 }
  const events: MediaEvent[] = []
  for (const { message, waitsFor } of sender.messagesOf(stream, heard)) {
    assert(message.length <= kind.messageBytesMax)
    const told = feed(dialect, message)
    const replies = repliesOf(told) as { type?: string; command?: string; seq?: number }[]
    assert.deepEqual(
      replies.map(({ type, command }) => type ?? command),
      waitsFor === null ? [] : [waitsFor],
    )
    for (const { seq = 0 } of replies) heard.serverSeq = seq
    events.push(...told)
  }
  return [...events, ...dialect.closed(stream.breaksAtMs === null)]
}

const each = [...senders].flatMap(([name, ofCall]) =>
  ofCall.map((sender, place) => ({
    name: ofCall.length === 1 ? name : `${name}, socket ${place + 1}`,
    sender,
  })),
)

describe('each simulated platform', () => {
  for (const { name, sender } of each) {
    test(`${name} arrives whole`, () => {
      const stream = streamOf(0)
      const events = play(sender, stream)
      const { call, tracks } = startOf(events)
      assert.equal(call, callId)
      assert.deepEqual(
        tracks.map((track) => [track.name, track.media.encoding, track.media.channels]),
        sender.tracks
          .slice(0, tracks.length)
          .map(({ name, encoding, channels }) => [name, encoding, channels]),
      )
      accountOf(sender, stream).forEach(({ sound, received }, track) => {
        assert(received > 30)
        assert(soundOf(events, track).equals(sound), `the sound of track ${track}`)
      })
      assert(!typesOf(events).includes('warning'))
      assert.equal(typesOf(events).at(-1), 'stop')
    })

    test(`${name} names who speaks, as far as it can`, () => {
      const { caller, callee, agent, queue } = startOf(play(sender, streamOf(0))).details
      const told = Object.fromEntries(
        Object.entries({ caller, callee, agent, queue }).filter(([, text]) => text !== undefined),
      )
      const numbers = { caller: parties.caller, callee: parties.callee }
      const expected =
        name === 'audiosocket'
          ? {}
          : name === 'audiohook'
            ? numbers
            : { ...numbers, agent: parties.agent, queue: parties.queue }
      assert.deepEqual(told, expected)
    })

    test(`${name} loses 7 %: the account is the same`, () => {
      const stream = streamOf(7)
      const sent = accountOf(sender, stream)
      const whole = accountOf(sender, streamOf(0))
      assert(
        sent.some(({ received }, track) => received < (whole[track]?.received ?? 0)),
        'something was lost',
      )
      const events = play(sender, stream)
      if (sender.name === 'audiohook') {
        const skipped = events.reduce((sum, event) => sum + (event.type === 'skipped' ? event.packets : 0), 0)
        const late = [...sender.messagesOf(stream, { serverSeq: 0 })].filter(
          ({ audio }) => audio !== null,
        ).length
        assert.equal(
          late + skipped,
          packetsOf({ voices, sampleRate: 8000, encoding: 'mulaw', packetMs: 200 }).length,
        )
        return
      }
      const [leg = []] = accountsOf(events)
      leg.forEach(({ received, missing }, track) => {
        const own = sent[track]
        assert.equal(received, own?.received)
        // A number behind the last of a track only a stop can tell, and without numbers nobody can.
        const last = Math.max(0, ...(own?.lost ?? []))
        if (sender.numbering === 'numbered')
          assert.deepEqual(
            missing.filter((index) => index <= last),
            own?.lost,
          )
        assert(soundOf(events, track).equals(own?.sound ?? Buffer.alloc(0)))
      })
    })

    test(`${name} breaks off: what came before is kept`, () => {
      const stream = streamOf(0, { breaksAtMs: 3000 })
      const events = play(sender, stream)
      const [sent] = accountOf(sender, stream)
      assert(sent !== undefined && sent.received > 10 && soundOf(events).equals(sent.sound))
      assert.deepEqual(events.at(-1), { type: 'stop', why: 'lost', totals: null })
    })
  }
})

describe('voices', () => {
  test('of a file with one channel differ, and have the same length', () => {
    assert.equal(first.length, second.length)
    assert.notDeepEqual(first.subarray(0, 8000), second.subarray(0, 8000))
  })

  test('are cut into packets that keep time at any rate', () => {
    const voice = new Int16Array(11_025)
    const packets = packetsOf({ voices: [voice], sampleRate: 11_025, encoding: 'pcm_s16le', packetMs: 20 })
    assert.equal(packets.length, 50)
    assert.equal(Buffer.concat(packets).length, 22_050)
  })
})
