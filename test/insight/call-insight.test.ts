/**
 * The alerts of a call's sound, on calls of known content: in each encoding, with packets lost and in another order, each is
 * raised when it is true, cleared when it is over, and nothing else is raised. Guards against alarms that nobody believes.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type AudioEncoding, audioEncodings } from '../../src/audio/audio-format.js'
import { decodeG711 } from '../../src/audio/g711.js'
import { parseWav } from '../../src/audio/wav-file.js'
import { CallInsight } from '../../src/insight/call-insight.js'
import { limits } from '../../src/limits.js'
import { alertIdPattern } from '../../src/protocol/alert.js'
import { clearRoad, kindsOf, play, type Road, usualTerms } from '../support/heard-calls.js'
import { holds } from '../support/property.js'
import {
  encoded,
  fixedRandom,
  joined,
  mixed,
  noise,
  type Sound,
  silence,
  speech,
  tones,
} from '../support/synthetic-speech.js'

const random = fixedRandom(17)
const line = (seconds: number) => noise(seconds, -65, random)
/** Speech of the seconds from … to, on a line of so many. */
function voice(
  seconds: number,
  ...spoken: readonly (readonly [from: number, to: number, dbfs?: number])[]
): Sound {
  const parts = spoken.map(([from, to, dbfs = -20]) => joined(silence(from), speech(to - from, dbfs, random)))
  return mixed(line(seconds), ...parts)
}
const bursts = (count: number, on: number, off: number, frequencies: readonly number[], dbfs: number) =>
  joined(...Array.from({ length: count }, () => joined(tones(on, frequencies, dbfs), silence(off))))

interface Truth {
  readonly kind: string
  /** Seconds of the call within which it is raised; half a second of it is for what is lost or late. */
  readonly raised: readonly [number, number]
  readonly cleared?: readonly [number, number]
  readonly isCertain?: boolean
}

interface Scene {
  readonly name: string
  readonly sounds: readonly Sound[]
  readonly truth: readonly Truth[]
}

const spoken = voice(20, [0, 20])
const echo = mixed(
  line(20),
  joined(silence(0.15), spoken)
    .subarray(0, spoken.length)
    .map((sample) => sample * 0.3),
)

const scenes: readonly Scene[] = [
  {
    name: 'a conversation raises nothing',
    sounds: [voice(50, [0, 9], [20, 29], [40, 50]), voice(50, [10, 19.5, -26], [30, 39, -24])],
    truth: [],
  },
  {
    name: 'dead air is raised after 15 s in which nobody speaks',
    sounds: [voice(35, [0, 5], [30, 35]), voice(35, [5, 10])],
    truth: [{ kind: 'dead_air', raised: [24.3, 25.9], cleared: [30, 30.7] }],
  },
  {
    name: 'a voice that stops while the other one speaks is a suspicion after 20 s',
    sounds: [voice(38, [4, 33]), voice(38, [0, 4], [34, 38])],
    truth: [{ kind: 'one_way:1', raised: [23.3, 24.9], cleared: [34, 34.7], isCertain: false }],
  },
  {
    name: 'a voice that is digital silence from its first packet is certain within seconds',
    sounds: [voice(12, [0, 12]), silence(12)],
    truth: [{ kind: 'one_way:1', raised: [5, 7.6], isCertain: true }],
  },
  {
    name: 'a voice that falls silent to the last bit may be muted, and is certain after 20 s',
    sounds: [voice(30, [5, 30]), voice(5, [0, 5])].map((sound) =>
      joined(sound, silence(30)).subarray(0, 240_000),
    ),
    truth: [{ kind: 'one_way:1', raised: [24.5, 25.9], isCertain: true }],
  },
  {
    name: 'two who speak at once for 3 s talk over each other',
    sounds: [voice(20, [0, 12]), voice(20, [5, 12])],
    truth: [{ kind: 'overtalk', raised: [7.9, 9], cleared: [12, 13.8] }],
  },
  {
    name: 'speech that is cut off at the limit clips',
    sounds: [voice(24, [0, 5], [5, 9, 3], [9, 24])],
    truth: [{ kind: 'clipping:0', raised: [5, 8], cleared: [14, 19] }],
  },
  {
    name: 'speech that stays quiet for 10 s is too quiet',
    sounds: [voice(50, [0, 5], [5, 28, -43], [28, 50])],
    truth: [{ kind: 'low_level:0', raised: [13, 28], cleared: [28, 35] }],
  },
  {
    name: 'speech that stays loud for 10 s is too loud',
    sounds: [
      joined(
        speech(24, 0, random).map((sample) => Math.tanh(8 * sample) * 0.9),
        voice(20, [0, 20]),
      ),
    ],
    truth: [{ kind: 'high_level:0', raised: [10, 24], cleared: [24, 34] }],
  },
  {
    name: 'noise of −35 dBFS behind speech is noise',
    sounds: [mixed(voice(55, [0, 55]), joined(silence(10), noise(25, -35, random)))],
    truth: [{ kind: 'noise:0', raised: [20, 30], cleared: [40, 48] }],
  },
  {
    name: 'speech that is hardly louder than its noise is hard to hear',
    sounds: [mixed(noise(30, -43, random), speech(30, -37, random))],
    truth: [{ kind: 'noise:0', raised: [10, 20] }],
  },
  {
    name: 'a busy tone is a tone, whatever its pauses',
    sounds: [mixed(voice(20, [0, 6], [14, 20]), joined(silence(6), bursts(8, 0.5, 0.5, [480, 620], -23)))],
    truth: [{ kind: 'tone:0', raised: [8, 11.5], cleared: [14, 17] }],
  },
  {
    name: 'a ringback is a tone',
    sounds: [mixed(line(13), joined(silence(1), bursts(3, 1, 3, [425], -20)))],
    truth: [{ kind: 'tone:0', raised: [5, 12.5] }],
  },
  {
    name: 'a fax that calls or answers is a tone',
    sounds: [joined(line(3), mixed(line(4), tones(3.3, [2100], -13)), voice(12, [0, 12]))],
    truth: [{ kind: 'tone:0', raised: [4.9, 6.5], cleared: [7.3, 10.5] }],
  },
  {
    name: 'two voices that are one and the same sound are named',
    sounds: [spoken, spoken],
    truth: [
      { kind: 'overtalk', raised: [2.9, 4.5] },
      { kind: 'same_channels', raised: [4.9, 6.5] },
    ],
  },
  {
    name: 'a voice that is the echo of the other one is named',
    sounds: [spoken, echo],
    truth: [
      { kind: 'overtalk', raised: [2.9, 4.7] },
      { kind: 'same_channels', raised: [4.9, 7] },
    ],
  },
]

const losses = [0, 0.02, 0.15]
const roads = audioEncodings.flatMap((encoding) => losses.map((loss) => ({ encoding, loss, late: 0.1 })))

function check(scene: Scene, road: Omit<Road, 'random'>): void {
  const told = play(scene.sounds, { ...road, random: fixedRandom(3) })
  const where = `${road.encoding} with ${road.loss} lost`
  assert.deepEqual(kindsOf(told).sort(), scene.truth.map(({ kind }) => kind).sort(), where)
  for (const { kind, raised, cleared, isCertain = true } of scene.truth) {
    const alert = told.alerts[kindsOf(told).indexOf(kind)]
    assert(alert !== undefined)
    const within = (ms: number | null, [from, to]: readonly [number, number], what: string) =>
      assert(ms !== null && ms >= from * 1000 && ms <= to * 1000, `${where}: ${kind} was ${what} at ${ms} ms`)
    within(alert.raisedMs, raised, 'raised')
    if (cleared === undefined) assert.equal(alert.clearedMs, null, `${where}: ${kind} is not over`)
    else within(alert.clearedMs, cleared, 'cleared')
    assert(alert.from_ms <= alert.raisedMs)
    assert.equal(alert.certain, isCertain, where)
    assert.match(alert.alert_id, new RegExp(alertIdPattern))
  }
}

describe('the sound of a call', () => {
  for (const scene of scenes)
    test(scene.name, () => {
      for (const road of roads) check(scene, road)
    })

  test('of the example raises nothing, in any encoding and with any loss', () => {
    const file = parseWav(readFileSync('examples/support-call.wav'))
    const call = Float64Array.from(file.frames, (code) => decodeG711('mulaw', code) / 32_768)
    for (const road of roads) {
      const { alerts, insight } = play([call], { ...road, random: fixedRandom(5) })
      assert.deepEqual(alerts, [], `${road.encoding} with ${road.loss} lost`)
      const { voices, quality } = insight.facts()
      assert((voices[0]?.speechMs ?? 0) > 20_000, 'speech was heard')
      assert(Math.abs(quality.loss - road.loss) < 0.03)
    }
  })

  const asWritten: readonly AudioEncoding[] = audioEncodings
  for (const is of asWritten)
    for (const said of asWritten.filter((encoding) => encoding !== is))
      test(`that is ${is} and said to be ${said} is of a wrong encoding, and nothing else`, () => {
        const told = play([spoken, spoken], { ...clearRoad(fixedRandom(1)), encoding: is }, said)
        assert.deepEqual(kindsOf(told).sort(), ['wrong_encoding:0', 'wrong_encoding:1'])
      })

  for (const said of ['mulaw', 'alaw'] as const)
    test(`that is encrypted and said to be ${said} is of a wrong encoding`, () => {
      const told: string[] = []
      const insight = new CallInsight(
        { raised: ({ kind }) => told.push(kind), cleared: () => {} },
        usualTerms,
      )
      insight.openTrack(0, { encoding: said, sampleRate: 8000, channels: 1 }, 0)
      const bytes = fixedRandom(9)
      for (let sequence = 0; sequence < 200; sequence++)
        insight.take({
          track: 0,
          sequence,
          samples: Uint8Array.from({ length: 160 }, () => Math.floor(bytes() * 256)),
          at: 1_700_000_000_000 + sequence * 20,
        })
      assert.deepEqual(told, ['wrong_encoding'])
    })

  test('is told alike whether its voices are tracks or channels of one track', () => {
    const sounds = [voice(35, [0, 5], [30, 35]), voice(35, [5, 10])] as const
    const apart = play(sounds, { ...clearRoad(fixedRandom(1)), encoding: 'pcm_s16le' })
    const [left, right] = sounds.map((sound) => encoded(sound, 'pcm_s16le')) as [Buffer, Buffer]
    const both = Buffer.alloc(left.length * 2)
    for (let i = 0; i < left.length; i += 2) {
      left.copy(both, i * 2, i, i + 2)
      right.copy(both, i * 2 + 2, i, i + 2)
    }
    const told: string[] = []
    const insight = new CallInsight(
      { raised: ({ alert_id }) => told.push(alert_id), cleared: () => {} },
      usualTerms,
    )
    insight.openTrack(0, { encoding: 'pcm_s16le', sampleRate: 8000, channels: 2 }, 0)
    for (let sequence = 0; (sequence + 1) * 640 <= both.length; sequence++)
      insight.take({
        track: 0,
        sequence,
        samples: both.subarray(sequence * 640, (sequence + 1) * 640),
        at: 1_700_000_000_000 + sequence * 20,
      })
    assert.deepEqual(
      told,
      apart.alerts.map(({ alert_id }) => alert_id),
    )
    const speechMs = ({ voices }: ReturnType<CallInsight['facts']>) => voices.map((facts) => facts.speechMs)
    assert.deepEqual(speechMs(insight.facts()), speechMs(apart.insight.facts()))
  })

  test('at 48 kHz and 16 kHz is heard as at 8 kHz', () => {
    const sound = voice(12, [0, 5])
    for (const factor of [2, 6]) {
      const wide = new Float64Array(sound.length * factor).map(
        (_, i) => sound[Math.floor(i / factor)] as number,
      )
      const insight = new CallInsight({ raised: () => {}, cleared: () => {} }, usualTerms)
      insight.openTrack(0, { encoding: 'pcm_s16le', sampleRate: 8000 * factor, channels: 1 }, 0)
      const bytes = encoded(wide, 'pcm_s16le')
      const packetBytes = 320 * factor
      for (let sequence = 0; (sequence + 1) * packetBytes <= bytes.length; sequence++)
        insight.take({
          track: 0,
          sequence,
          samples: bytes.subarray(sequence * packetBytes, (sequence + 1) * packetBytes),
          at: 1_700_000_000_000 + sequence * 20,
        })
      const narrow = play([sound], { ...clearRoad(fixedRandom(1)), encoding: 'pcm_s16le' }).insight.facts()
      assert.equal(insight.facts().voices[0]?.speechMs, narrow.voices[0]?.speechMs)
    }
  })

  test('is told once: an alert of a kind and voice comes again after 30 s at the soonest', () => {
    const both = [0, 1].map(() => voice(40, [0, 5], [8, 13], [16, 21], [24, 29], [33, 38]))
    const { alerts } = play(both, clearRoad(fixedRandom(2)))
    const overtalk = alerts.filter(({ kind }) => kind === 'overtalk')
    assert.deepEqual(
      overtalk.map(({ alert_id }) => alert_id),
      ['overtalk:call:1', 'overtalk:call:2'],
    )
    assert((overtalk[1]?.raisedMs ?? 0) - (overtalk[0]?.raisedMs ?? 0) >= limits.alertEveryMs)
  })

  test('that goes on after a restart clears what was open and counts on', () => {
    const told: string[] = []
    const insight = new CallInsight(
      {
        raised: ({ alert_id }) => told.push(alert_id),
        cleared: (alertId) => told.push(`${alertId} is over`),
      },
      usualTerms,
      [
        { alert_id: 'tone:0:1', kind: 'tone', channel: 0, isOpen: false },
        { alert_id: 'tone:0:2', kind: 'tone', channel: 0, isOpen: true },
      ],
    )
    insight.openTrack(0, { encoding: 'mulaw', sampleRate: 8000, channels: 1 }, 0)
    const sound = joined(voice(3, [0, 3]), tones(4, [425], -20))
    const bytes = encoded(sound, 'mulaw')
    for (let sequence = 0; (sequence + 1) * 160 <= bytes.length; sequence++)
      insight.take({
        track: 0,
        sequence: 9000 + sequence,
        samples: bytes.subarray(sequence * 160, (sequence + 1) * 160),
        at: 1_700_000_000_000 + sequence * 20,
      })
    assert.deepEqual(told, ['tone:0:2 is over', 'tone:0:3'])
  })

  test('holds whatever comes: wild numbers, lengths and times raise no error and no id twice', async (t) => {
    const packet = fc.record({
      track: fc.integer({ min: 0, max: 2 }),
      sequence: fc.oneof(
        { arbitrary: fc.integer({ min: 0, max: 300 }), weight: 20 },
        { arbitrary: fc.integer({ min: 0, max: limits.sequenceMax }), weight: 1 },
      ),
      length: fc.integer({ min: 0, max: 700 }),
      laterMs: fc.integer({ min: -5, max: 400 }),
      does: fc.oneof(
        { arbitrary: fc.constant('take' as const), weight: 30 },
        { arbitrary: fc.constantFrom('skip' as const, 'close' as const, 'open' as const), weight: 1 },
      ),
    })
    await holds(t, fc.array(packet, { maxLength: 400 }), 40, (packets) => {
      const ids = new Set<string>()
      const open = new Set<string>()
      const insight = new CallInsight(
        {
          raised: ({ alert_id, from_ms }) => {
            assert(!ids.has(alert_id), `${alert_id} twice`)
            assert(from_ms >= 0)
            ids.add(alert_id)
            open.add(alert_id)
          },
          cleared: (alertId) => assert(open.delete(alertId), `${alertId} was not open`),
        },
        { deadAirMs: 100, oneWayMs: 200, overtalkMs: 40 },
      )
      const media = { encoding: 'pcm_s16le', sampleRate: 8000, channels: 2 } as const
      for (const track of [0, 1, 2]) insight.openTrack(track, media, track * 2)
      let at = 1_700_000_000_000
      for (const { track, sequence, length, laterMs, does } of packets) {
        at += laterMs
        if (does === 'skip') insight.skip(track)
        else if (does === 'close') insight.closeTrack(track)
        else if (does === 'open') insight.openTrack(track, media, track * 2)
        else
          insight.take({
            track,
            sequence,
            samples: Uint8Array.from({ length }, (_, i) => (i * sequence) & 0xff),
            at,
          })
        assert(open.size <= limits.alertsOpenMax)
      }
      for (const { clipped, levelDbfs } of insight.facts().voices) {
        assert(clipped >= 0 && clipped <= 1)
        assert(Number.isFinite(levelDbfs))
      }
    })
  })
})
