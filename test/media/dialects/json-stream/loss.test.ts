/**
 * Whatever is lost on the way, the account of the dialect equals that of the sender: as many packets received, as many missing, and
 * each hole in the track that lost it wherever the platform's numbers tell. Guards against a loss that no number shows, one that
 * is counted twice, and a message that some extra member or space makes another one.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { JsonStream } from '../../../../src/media/dialects/json-stream/json-stream.js'
import {
  plivo,
  type StreamPlatform,
  telnyx,
  twilio,
} from '../../../../src/media/dialects/json-stream/platforms.js'
import { seededRandom } from '../../../../src/random.js'
import { accountsOf, audioOf, dialectRequest, feed } from '../../../support/media-events.js'
import { holds, shuffled } from '../../../support/property.js'

interface Trunk {
  readonly seed: number
  readonly tracks: 1 | 2
  readonly counts: 'stream' | 'track'
  readonly lossPercent: number
  readonly hasTimestamps: boolean
}

interface Sent {
  readonly track: number
  readonly isLost: boolean
  readonly message: Record<string, unknown>
}

const names = ['inbound', 'outbound']
const payload = Buffer.alloc(160, 5).toString('base64')
const packetsOfTrack = 150

/** A call of 3 s on the wire: its start, media of each track in turns, a DTMF digit now and then, its stop. */
function sendCall({ seed, tracks, counts, lossPercent, hasTimestamps }: Trunk): Sent[] {
  const random = seededRandom(seed)
  const sent: Sent[] = []
  let sequence = 1
  const chunks = [0, 0]
  let chunkOfStream = 0
  for (let tick = 0; tick < packetsOfTrack; tick++)
    for (let track = 0; track < tracks; track++) {
      if (random() < 0.03)
        sent.push({
          track: -1,
          isLost: false,
          message: { event: 'dtmf', sequenceNumber: `${++sequence}`, dtmf: {} },
        })
      chunkOfStream++
      chunks[track] = (chunks[track] as number) + 1
      const chunk = counts === 'stream' ? chunkOfStream : chunks[track]
      const media = {
        track: names[track],
        chunk: `${chunk}`,
        ...(hasTimestamps ? { timestamp: `${60 + tick * 20}` } : {}),
        payload,
      }
      const message = { event: 'media', sequenceNumber: `${++sequence}`, media }
      sent.push({ track, isLost: random() * 100 < lossPercent, message })
    }
  return [...sent, { track: -1, isLost: false, message: { event: 'stop', sequenceNumber: `${++sequence}` } }]
}

const start = (tracks: number) => ({
  event: 'start',
  sequenceNumber: '1',
  sequence_number: '1',
  start: { callSid: 'CA1', tracks: names.slice(0, tracks) },
})

function account(platform: StreamPlatform, trunk: Trunk, order = (sent: Sent[]) => sent) {
  const sent = sendCall(trunk)
  const arrived = order(sent.filter(({ isLost }) => !isLost)).map(({ message }) => message)
  const events = feed(new JsonStream(platform, dialectRequest()), start(trunk.tracks), ...arrived)
  const [leg = [], ...more] = accountsOf(events)
  assert.equal(more.length, 0, 'no packet begins another stream')
  const lost = names
    .slice(0, trunk.tracks)
    .map((_, track) => sent.filter((each) => each.track === track && each.isLost).length)
  return { leg, lost, sent, events }
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

const trunks = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  tracks: fc.constantFrom(1, 2) as fc.Arbitrary<1 | 2>,
  counts: fc.constantFrom('stream', 'track') as fc.Arbitrary<'stream' | 'track'>,
  lossPercent: fc.constantFrom(0, 1, 10, 40),
  hasTimestamps: fc.boolean(),
})

describe('an account under loss', () => {
  test('of Twilio gives a loss of one track to it, also where a shorter last packet of the other one shows it', () => {
    // Guards against a clock that is read in the length of the packet that came, not in that of those before it.
    const messages: object[] = []
    let chunk = 0
    for (let tick = 0; tick < 10; tick++)
      for (const track of names) {
        chunk++
        if (track === 'outbound' && tick === 8) continue
        const bytes = tick === 9 ? 80 : 160
        const media = {
          track,
          chunk: `${chunk}`,
          timestamp: `${60 + tick * 20}`,
          payload: Buffer.alloc(bytes, 5).toString('base64'),
        }
        messages.push({ event: 'media', sequenceNumber: `${chunk + 1}`, media })
      }
    const [leg = []] = accountsOf(feed(new JsonStream(twilio, dialectRequest()), start(2), ...messages))
    assert.deepEqual(
      leg.map(({ received, missing }) => [received, missing]),
      [
        [10, []],
        [9, [8]],
      ],
    )
  })

  test('of Twilio counts each lost packet once, whichever way the chunks count', async (t) => {
    let losses = 0
    await holds(t, trunks, 300, (trunk) => {
      const { leg, lost } = account(twilio, trunk)
      losses += sum(lost)
      assert.deepEqual(
        leg.map(({ duplicates }) => duplicates),
        lost.map(() => 0),
      )
      assert.equal(sum(leg.map(({ received }) => received)), packetsOfTrack * trunk.tracks - sum(lost))
      assert.equal(sum(leg.map(({ missing }) => missing.length)), sum(lost))
    })
    assert(losses > 1000, `${losses} packets were lost`)
  })

  test('of Twilio gives a loss to the track that had it, where clock or number tells', async (t) => {
    const told = trunks.filter(
      ({ counts, hasTimestamps, tracks }) => tracks === 1 || counts === 'track' || hasTimestamps,
    )
    await holds(t, told, 300, (trunk) => {
      // At the edges nothing before or after tells whose a lost packet was.
      const whole = { ...trunk, lossPercent: Math.min(trunk.lossPercent, 10) }
      const { leg, lost, sent } = account(twilio, whole)
      const isEdge = (track: number) => {
        const own = sent.filter((each) => each.track === track)
        return own.slice(0, 3).some(({ isLost }) => isLost) || own.slice(-3).some(({ isLost }) => isLost)
      }
      if (names.slice(0, whole.tracks).some((_, track) => isEdge(track))) return
      assert.deepEqual(
        leg.map(({ missing }) => missing.length),
        lost,
      )
    })
  })

  test('of platforms that number each track is exact, to the packet', async (t) => {
    const apart = trunks.map((trunk) => ({ ...trunk, counts: 'track' }) as const)
    await holds(t, apart, 200, (trunk) => {
      const { leg, sent } = account(plivo, trunk)
      // Which number is the first is not told by the platform: a loss before the first packet of all may be none.
      const [first] = sent.filter(({ track, isLost }) => track >= 0 && !isLost)
      if (first !== sent.find(({ track }) => track >= 0)) return
      leg.forEach(({ missing }, track) => {
        const own = sent.filter((each) => each.track === track)
        const lost = own.flatMap(({ isLost }, index) => (isLost ? [index] : []))
        const last = own.length - [...own].reverse().findIndex(({ isLost }) => !isLost)
        assert.deepEqual(
          missing.filter((index) => index < last),
          lost.filter((index) => index < last),
        )
      })
    })
  })

  test('of Telnyx is the same in any order within 200 ms', async (t) => {
    const apart = trunks.map((trunk) => ({ ...trunk, counts: 'track' }) as const)
    await holds(t, apart, 200, (trunk) => {
      const random = seededRandom(trunk.seed + 1)
      const near = (sent: Sent[]) => {
        const mixed: Sent[] = []
        for (let i = 0; i < sent.length; i += 10) mixed.push(...shuffled(sent.slice(i, i + 10), random))
        const stop = mixed.filter(({ message }) => message['event'] === 'stop')
        return [...mixed.filter(({ message }) => message['event'] !== 'stop'), ...stop]
      }
      const renamed = (sent: Sent[]) =>
        near(sent).map((each) => ({
          ...each,
          message: { ...each.message, sequence_number: each.message['sequenceNumber'] },
        }))
      const { leg, lost } = account(telnyx, trunk, renamed)
      assert.equal(sum(leg.map(({ missing }) => missing.length)), sum(lost))
      assert.deepEqual(
        leg.map(({ duplicates }) => duplicates),
        leg.map(() => 0),
      )
    })
  })
})

test('extra members, spaces, escapes and order of members change nothing', async (t) => {
  const members = fc.dictionary(
    fc
      .string({ unit: 'grapheme', maxLength: 8 })
      .filter((name) => !['event', 'media', 'sequenceNumber', 'streamSid'].includes(name)),
    fc.jsonValue({ maxDepth: 2 }),
    { maxKeys: 4 },
  )
  const cases = fc.record({
    extra: members,
    inner: members,
    seed: fc.integer(),
    indent: fc.constantFrom(0, 1),
    isEscaped: fc.boolean(),
  })
  await holds(t, cases, 300, ({ extra, inner, seed, indent, isEscaped }) => {
    const own = { event: 'media', sequenceNumber: '5', streamSid: 'MZ1' }
    const { track: _, chunk: __, timestamp: ___, payload: ____, ...strange } = inner
    const media = mixed({ ...strange, track: 'inbound', chunk: '2', timestamp: '80', payload }, seed)
    const text = JSON.stringify(mixed({ ...extra, ...own, media }, seed), null, indent)
    const dialect = new JsonStream(twilio, dialectRequest())
    const first = {
      ...own,
      sequenceNumber: '2',
      media: { track: 'inbound', chunk: '1', timestamp: '60', payload },
    }
    const events = feed(
      dialect,
      {
        event: 'start',
        sequenceNumber: '1',
        start: { streamSid: 'MZ1', callSid: 'CA1', tracks: ['inbound'] },
      },
      first,
      isEscaped ? text.replaceAll('/', '\\/') : text,
    )
    const [, audio] = audioOf(events)
    assert.deepEqual(
      { ...audio, data: audio?.data.toString() },
      {
        type: 'audio',
        track: 0,
        index: 1,
        atMs: 80,
        data: payload,
        isBase64: true,
      },
    )
  })
})

function mixed(object: object, seed: number): object {
  return Object.fromEntries(shuffled(Object.entries(object), seededRandom(seed)))
}
