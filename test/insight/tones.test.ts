/**
 * Keys of a telephone at the limits of ITU-T Q.24: each is counted once, and no speech counts as a key. Which key it was is
 * told to nobody: they are card numbers.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { decodeG711 } from '../../src/audio/g711.js'
import { parseWav } from '../../src/audio/wav-file.js'
import { mosOf, qualityOf } from '../../src/insight/quality.js'
import { clearRoad, play } from '../support/heard-calls.js'
import {
  fixedRandom,
  joined,
  mixed,
  noise,
  type Sound,
  silence,
  speech,
  tones,
} from '../support/synthetic-speech.js'

const random = fixedRandom(5)
const rows = [697, 770, 852, 941]
const columns = [1209, 1336, 1477, 1633]

interface KeyTerms {
  readonly seconds: number
  readonly noiseDb: number
  readonly deviation: number
  /** How much louder the column is. */
  readonly twistDb: number
}

/** All keys at three levels. */
function allKeys({ seconds, noiseDb, deviation, twistDb }: KeyTerms): {
  readonly sound: Sound
  readonly keys: number
} {
  const parts: Sound[] = [silence(0.1)]
  let keys = 0
  for (const row of rows)
    for (const column of columns)
      for (const dbfs of [-8, -17, -27]) {
        const low = tones(seconds, [row * (1 + deviation)], dbfs - Math.max(0, twistDb) - 3)
        const high = tones(seconds, [column * (1 + deviation)], dbfs + Math.min(0, twistDb) - 3)
        parts.push(silence(0.05 + 0.02 * random()), mixed(low, high, noise(seconds, dbfs - noiseDb, random)))
        keys++
      }
  return { sound: joined(...parts, silence(0.2)), keys }
}

const heardKeys = (sound: Sound) => play([sound], clearRoad(random)).insight.facts().voices[0]?.keys ?? 0

describe('keys of a telephone', () => {
  test('are counted, at least 99 of 100: of 40 ms, 1.5 % off, 8 dB apart, 15 dB over the noise', () => {
    let [sent, heard] = [0, 0]
    for (const seconds of [0.04, 0.05, 0.1])
      for (const noiseDb of [15, 25])
        for (const deviation of [-0.015, 0, 0.015])
          for (const twistDb of [-4, 0, 4, 8]) {
            const { sound, keys } = allKeys({ seconds, noiseDb, deviation, twistDb })
            const found = heardKeys(sound)
            sent += keys
            heard += keys - Math.abs(found - keys)
          }
    assert(sent > 3000)
    assert(heard >= sent * 0.99, `${heard} of ${sent}`)
  })

  test('are not heard in speech', () => {
    const file = parseWav(readFileSync('examples/support-call.wav'))
    const call = Float64Array.from(file.frames, (code) => decodeG711('mulaw', code) / 32_768)
    assert.equal(heardKeys(call), 0)
    for (let voice = 0; voice < 5; voice++)
      assert.equal(heardKeys(mixed(noise(60, -60, random), speech(60, -20, random))), 0)
  })

  test('are told by their number alone', () => {
    const { sound } = allKeys({ seconds: 0.1, noiseDb: 25, deviation: 0, twistDb: 0 })
    const { alerts, insight } = play([sound], clearRoad(random))
    const known = JSON.stringify([alerts, insight.facts()])
    for (const word of ['697', '1209', '"key"', 'digit']) assert(!known.includes(word))
    assert.deepEqual(alerts, [])
  })
})

describe('the quality of a call', () => {
  test('is that of G.107: 4.4 without loss, and less in bursts than by chance', () => {
    // Worked by hand: 2 % by chance: Ie,eff = 95 · 2 / 27.1 = 7.011, R = 86.189, MOS = 4.235.
    assert(Math.abs(mosOf(0, 1) - 4.409) < 0.001)
    assert(Math.abs(mosOf(0.02, 1) - 4.235) < 0.002)
    assert(mosOf(0.05, 3) < mosOf(0.05, 1))
    assert.equal(mosOf(1, 1) >= 1, true)
  })

  test('counts what did not come, and how it is bunched', () => {
    const quality = qualityOf([
      { received: 90, missing: 10, bursts: 2, late: 0 },
      { received: 100, missing: 0, bursts: 0, late: 0 },
    ])
    assert.equal(quality.loss, 0.05)
    assert.equal(quality.burstRatio, 4.75)
    assert.deepEqual(qualityOf([]).loss, 0)
  })
})
