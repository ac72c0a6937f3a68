/** Orders in which the numbers of a call can come that are hard on whoever keeps track of what is missing. */
import type { Random } from './random.js'

export interface Pattern {
  readonly name: string
  /** In the order in which they are sent; each once. */
  readonly sequences: readonly number[]
  /** What the completion says; more than the numbers make a missing tail, less make some of them surplus. */
  readonly totalPackets: number
}

export const sequenceMax = 2 ** 31 - 1

/** Numbers as they are written in JSON, and whether the contract has room for them. */
export const numberTexts: readonly { readonly text: string; readonly sequence: number | null }[] = [
  { text: '0', sequence: 0 },
  { text: '7', sequence: 7 },
  { text: String(sequenceMax), sequence: sequenceMax },
  ...[
    // Past the range, and what 32 bits, a sign or a double would make of it.
    String(2 ** 31),
    String(2 ** 32),
    String(2 ** 32 + 1),
    String(2 ** 32 + 7),
    String(2 ** 53 - 1),
    String(2 ** 53),
    '9007199254740993',
    '1e400',
    '-1',
    '-0',
    // Integers by their value, but not by their text.
    '1.0',
    '1e3',
    '0.9999999999999999999',
    '01',
    '+1',
    '"1"',
    'null',
    '[1]',
  ].map((text) => ({ text, sequence: null })),
]

export function patternsOf(size: number, random: Random): readonly Pattern[] {
  const up = Array.from({ length: size }, (_, i) => i)
  const end = sequenceMax + 1
  return [
    { name: 'reverse', sequences: up.toReversed(), totalPackets: size + 7 },
    { name: 'stride of 1,000', sequences: up.map((i) => i * 1000), totalPackets: size * 1000 },
    { name: 'shuffled', sequences: shuffled(up, random), totalPackets: size },
    { name: 'even, then odd', sequences: evenThenOdd(up), totalPackets: size + 1 },
    // Every second number is missing and stays so: as many gaps as there can be.
    { name: 'even only', sequences: shuffled(up, random).map((i) => 2 * i), totalPackets: 2 * size },
    { name: 'all over the range', sequences: spread(size, random), totalPackets: end },
    { name: 'top of the range', sequences: up.map((i) => sequenceMax - i), totalPackets: end },
    { name: 'from both ends', sequences: up.map((i) => (i % 2 ? sequenceMax - i : i)), totalPackets: size },
    { name: 'past its total', sequences: up.map((i) => 3 * i), totalPackets: size },
  ]
}

function evenThenOdd(up: readonly number[]): readonly number[] {
  return [...up.filter((i) => i % 2 === 0), ...up.filter((i) => i % 2 === 1)]
}

function spread(size: number, random: Random): readonly number[] {
  const chosen = new Set<number>()
  while (chosen.size < size) chosen.add(random.integer(0, sequenceMax))
  return [...chosen]
}

/** Fisher–Yates. */
function shuffled(items: readonly number[], random: Random): readonly number[] {
  const shuffling = [...items]
  for (let i = shuffling.length - 1; i > 0; i--) {
    const j = random.integer(0, i)
    const moved = shuffling[i] as number
    shuffling[i] = shuffling[j] as number
    shuffling[j] = moved
  }
  return shuffling
}
