/** G.711 against the tables of the recommendation. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeG711, encodeG711, toLinear } from '../../src/audio/g711.js'

const codes = Array.from({ length: 256 }, (_, code) => code)
const levels = Array.from({ length: 65_536 }, (_, index) => index - 32_768)

describe('mu-law', () => {
  test('has the levels of table 2a, which are of 14 bits', () => {
    // Decoder outputs y at the ends of the segments, positive, code as sent.
    for (const [code, level] of [
      [0b1000_0000, 8031],
      [0b1000_1111, 4191],
      [0b1001_1111, 2079],
      [0b1010_1111, 1023],
      [0b1011_1111, 495],
      [0b1100_1111, 231],
      [0b1101_1111, 99],
      [0b1110_1111, 33],
      [0b1111_1110, 2],
      [0b1111_1111, 0],
    ] as const) {
      assert.equal(decodeG711('mulaw', code), level * 4, code.toString(2))
      assert.equal(decodeG711('mulaw', code & 0x7f), level === 0 ? 0 : -level * 4, 'negative')
    }
  })
})

describe('A-law', () => {
  test('has the levels of table 1a, which are of 13 bits and lie in the middle of their intervals', () => {
    // As in the table, before the even bits are inverted.
    for (const [bits, level] of [
      [0b1111_1111, 4032],
      [0b1111_0000, 2112],
      [0b1110_0000, 1056],
      [0b1101_0000, 528],
      [0b1100_0000, 264],
      [0b1011_0000, 132],
      [0b1010_0000, 66],
      [0b1000_0000, 1],
    ] as const) {
      assert.equal(decodeG711('alaw', bits ^ 0x55), level * 8, bits.toString(2))
      assert.equal(decodeG711('alaw', bits ^ 0x55 ^ 0x80), -level * 8, 'negative')
    }
  })
})

for (const law of ['mulaw', 'alaw'] as const) {
  test(`every code of ${law} is encoded again as itself, or as the other zero`, () => {
    for (const code of codes) {
      const again = encodeG711(law, decodeG711(law, code))
      const isNegativeZero = law === 'mulaw' && code === 0x7f
      assert.equal(again, isNegativeZero ? 0xff : code)
    }
  })

  test(`every level is encoded in ${law} to one of the two around it, and a higher one never lower`, () => {
    const sorted = codes.map((code) => decodeG711(law, code)).sort((a, b) => a - b)
    let before = Number.NEGATIVE_INFINITY
    for (const level of levels) {
      const decoded = decodeG711(law, encodeG711(law, level))
      assert(around(sorted, level).includes(decoded), `${level} → ${decoded}`)
      assert(decoded >= before)
      before = decoded
    }
  })

  test(`samples of ${law} become linear ones of 16 bits, little-endian`, () => {
    const linear = toLinear(law, Buffer.from(codes))
    assert.equal(linear.length, 512)
    for (const code of codes) assert.equal(linear.readInt16LE(code * 2), decodeG711(law, code))
  })
}

/** The levels next to one; beyond the ends, the end. */
function around(sorted: readonly number[], level: number): number[] {
  const above = sorted.findIndex((known) => known >= level)
  return above === -1 ? sorted.slice(-1) : sorted.slice(Math.max(0, above - 1), above + 2)
}
