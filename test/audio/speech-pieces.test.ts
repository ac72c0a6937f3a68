/** How a call's audio is cut for a speech recogniser. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { AudioFormat } from '../../src/audio/audio-format.js'
import type { AudioPiece } from '../../src/audio/packet-audio.js'
import { coverageOf, type SpeechPiece, speechPieces } from '../../src/audio/speech-pieces.js'

const format: AudioFormat = { encoding: 'pcm_s16le', sampleRate: 8000, channels: 1 }
const length = { targetMs: 1000, slackMs: 300 }

function received(levels: readonly number[], sequence = 0): AudioPiece {
  const samples = Buffer.alloc(levels.length * 2)
  levels.forEach((level, frame) => {
    samples.writeInt16LE(level, frame * 2)
  })
  return { kind: 'received', sequence, frames: levels.length, samples }
}

const missing = (frames: number): AudioPiece => ({ kind: 'missing', first: 0, last: 0, frames })
const loud = (frames: number): number[] =>
  Array.from({ length: frames }, (_, at) => (at % 2 === 0 ? 8000 : -8000))
const quiet = (frames: number): number[] => Array.from({ length: frames }, () => 0)

async function cut(pieces: readonly AudioPiece[], of = format, channel = 0): Promise<SpeechPiece[]> {
  const found: SpeechPiece[] = []
  for await (const piece of speechPieces([pieces], of, channel, length))
    found.push({ ...piece, samples: Buffer.from(piece.samples) })
  return found
}

describe('the pieces of a call', () => {
  test('are cut in the middle of the quietest 200 ms near the target', async () => {
    const audio = [...loud(7000), ...quiet(1600), ...loud(9000)]
    const [first] = await cut([received(audio)])
    // From 5,600 to 10,400 it may end; 7,000 to 8,600 is silence.
    assert.ok(first !== undefined && first.frames > 7000 && first.frames < 8600, `${first?.frames}`)
  })

  test('hold every frame once, in order, however the audio comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ isReceived: fc.boolean(), frames: fc.integer({ min: 1, max: 12_000 }) }), {
          maxLength: 12,
        }),
        async (parts) => {
          let level = 0
          const expected: number[] = []
          const lost: boolean[] = []
          const pieces = parts.map(({ isReceived, frames }, sequence): AudioPiece => {
            const levels = Array.from({ length: frames }, (_, at) =>
              isReceived ? (level + 77 * at) % 30_000 : 0,
            )
            level += frames
            // A stretch that is longer than a piece is left out.
            const isLeftOut = !isReceived && frames > 10_400
            for (const one of levels) {
              expected.push(one)
              lost.push(isLeftOut || !isReceived)
            }
            return isReceived ? received(levels, sequence) : missing(frames)
          })
          let end = 0
          for (const piece of await cut(pieces)) {
            assert.ok(piece.frames > 0 && piece.frames <= 10_400)
            assert.ok(piece.firstFrame >= end, 'in order')
            for (let frame = end; frame < piece.firstFrame; frame++)
              assert.ok(lost[frame], 'only silence is left out')
            for (let frame = 0; frame < piece.frames; frame++)
              assert.equal(piece.samples.readInt16LE(frame * 2), expected[piece.firstFrame + frame])
            const named = new Set<number>()
            for (const { first, last } of piece.missing)
              for (let frame = first; frame <= last; frame++) named.add(frame)
            for (let frame = piece.firstFrame; frame < piece.firstFrame + piece.frames; frame++)
              assert.equal(named.has(frame), lost[frame])
            end = piece.firstFrame + piece.frames
          }
          for (let frame = end; frame < expected.length; frame++) assert.ok(lost[frame])
        },
      ),
      { numRuns: 60 },
    )
  })

  test('say that they are silent when nothing is louder than the noise of a line', async () => {
    const noise = Array.from({ length: 4000 }, (_, at) => (at % 2 === 0 ? 60 : -60))
    assert.deepEqual(
      (await cut([received(noise)])).map(({ isSilent }) => isSilent),
      [true],
    )
    assert.deepEqual(
      (await cut([received([...noise, ...loud(160)])])).map(({ isSilent }) => isSilent),
      [false],
    )
    assert.deepEqual(
      (await cut([missing(4000)])).map(({ isSilent }) => isSilent),
      [true],
    )
  })

  test('take nothing for packets that lie years apart', async () => {
    const years = 2 ** 31 * 160
    const pieces = await cut([received(loud(160)), missing(years), received(loud(160), 2 ** 31 - 1)])
    assert.deepEqual(
      pieces.map(({ firstFrame, frames }) => [firstFrame, frames]),
      [
        [0, 160],
        [160 + years, 160],
      ],
    )
  })

  test('are of one channel', async () => {
    const stereo: AudioPiece = { ...received([1, -1, 2, -2, 3, -3]), frames: 3 }
    const of = { ...format, channels: 2 }
    for (const [channel, sign] of [
      [0, 1],
      [1, -1],
    ] as const) {
      const [piece] = await cut([stereo], of, channel)
      assert.deepEqual(
        [0, 1, 2].map((frame) => piece?.samples.readInt16LE(frame * 2)),
        [sign, 2 * sign, 3 * sign],
      )
    }
  })
})

test('coverage is the share of frames that arrived', () => {
  const lost = [
    { first: 10, last: 19 },
    { first: 40, last: 49 },
  ]
  assert.equal(coverageOf(lost, 0, 99), 0.8)
  assert.equal(coverageOf(lost, 15, 24), 0.5)
  assert.equal(coverageOf(lost, 20, 39), 1)
  assert.equal(coverageOf(lost, 10, 19), 0)
})
