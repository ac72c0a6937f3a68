/** Blocks of gaps at their edges: full blocks that split, blocks that empty, gaps closed from either side. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SequenceGaps } from '../../src/actors/sequence-gaps.js'
import { randomNumbers, seed, shuffled } from '../support/property.js'

const blockGaps = 512
const gapCounts = [1, 4, 5, blockGaps - 1, blockGaps, blockGaps + 1, 2 * blockGaps - 1, 2 * blockGaps + 1]

/** `count` gaps of three numbers, five apart: 2–4, 7–9, … */
function gapsOf(count: number): { gaps: SequenceGaps; missing: Set<number> } {
  const gaps = new SequenceGaps()
  const missing = new Set<number>()
  for (let i = 0; i < count; i++) {
    const first = 2 + i * 5
    gaps.append(first, first + 2)
    for (const sequence of [first, first + 1, first + 2]) missing.add(sequence)
  }
  return { gaps, missing }
}

function rangesOf(missing: ReadonlySet<number>): { first: number; last: number }[] {
  const ranges: { first: number; last: number }[] = []
  for (const sequence of [...missing].sort((a, b) => a - b)) {
    const open = ranges.at(-1)
    if (open !== undefined && open.last === sequence - 1)
      ranges[ranges.length - 1] = { ...open, last: sequence }
    else ranges.push({ first: sequence, last: sequence })
  }
  return ranges
}

function check(gaps: SequenceGaps, missing: ReadonlySet<number>, near: number): void {
  const ranges = rangesOf(missing)
  assert.equal(gaps.count, ranges.length)
  for (const from of [0, near - 1, near, near + 1, near + 5])
    assert.deepEqual(
      [...gaps.from(from)],
      ranges.filter(({ last }) => last >= from),
      `from ${from}`,
    )
  for (let sequence = near - 6; sequence <= near + 6; sequence++)
    assert.equal(gaps.has(sequence), missing.has(sequence), `has(${sequence})`)
}

const orders: Record<string, (numbers: number[], random: () => number) => number[]> = {
  'from below': (numbers) => numbers,
  'from above': (numbers) => [...numbers].reverse(),
  // Splits every gap first, which overfills every block.
  'from the middle of each gap': (numbers) => [
    ...numbers.filter((n) => n % 5 === 3),
    ...numbers.filter((n) => n % 5 !== 3),
  ],
  shuffled: (numbers, random) => shuffled(numbers, random),
}

describe('gaps are what a set of missing numbers is', () => {
  for (const count of gapCounts)
    for (const [name, order] of Object.entries(orders))
      test(`while ${count} of them close ${name}`, (t) => {
        // Guards against an off-by-one where a full block is split in two and where an empty one is taken out.
        t.diagnostic(`VSTEST_SEED=${seed}`)
        const { gaps, missing } = gapsOf(count)
        const all = order([...missing], randomNumbers(count))
        // A full check costs as much as the gaps that are left: about 60 of them a case, and every first and last.
        const every = Math.max(1, Math.floor(all.length / 60))
        let checks = 0
        for (const [step, sequence] of all.entries()) {
          assert.equal(gaps.remove(sequence), true)
          missing.delete(sequence)
          assert.equal(gaps.remove(sequence), false, 'a number is closed once')
          if (step % every === 0 || all.length - step < 8) {
            check(gaps, missing, sequence)
            checks++
          }
        }
        assert(checks > 2)
        assert.equal(gaps.count, 0)
        assert.equal(gaps.bytes, 0)
      })

  test('after a full block was split at any of its gaps', () => {
    // Guards against an off-by-one at the middle, where the split gap is the first of the new block.
    for (let index = 0; index < blockGaps; index++) {
      const { gaps, missing } = gapsOf(blockGaps)
      const middle = 2 + index * 5 + 1
      assert.equal(gaps.remove(middle), true)
      missing.delete(middle)
      check(gaps, missing, middle)
    }
  })

  test('when numbers outside every gap are asked for or closed', () => {
    const { gaps } = gapsOf(600)
    for (const sequence of [0, 1, 5, 6, 2 + 511 * 5 + 3, 2 + 512 * 5 - 1, 2 + 599 * 5 + 3, 2 ** 31 - 1]) {
      assert.equal(gaps.has(sequence), false)
      assert.equal(gaps.remove(sequence), false)
    }
    assert.equal(gaps.count, 600)
  })
})

describe('an appended gap', () => {
  test('is refused when it touches or precedes the last one', () => {
    const gaps = new SequenceGaps()
    gaps.append(5, 9)
    for (const first of [10, 9, 3]) assert.throws(() => gaps.append(first, 12), /do not touch/)
    assert.throws(() => gaps.append(13, 12))
    gaps.append(11, 12)
    assert.equal(gaps.count, 2)
  })

  test('goes to a block of its own once 512 gaps fill the last one', () => {
    const { gaps } = gapsOf(blockGaps)
    const full = gaps.bytes
    gaps.append(1_000_000, 1_000_001)
    assert.equal(full, blockGaps * 8)
    assert(gaps.bytes > full)
    assert.equal(gaps.has(1_000_000), true)
    assert.equal(gaps.has(2 + (blockGaps - 1) * 5), true)
  })
})
