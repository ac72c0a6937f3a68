/**
 * Property tests. One seed serves a whole run and is printed with every property; `VSTEST_SEED=…` repeats that run.
 * A property that ran no case proves nothing, so the count is asserted.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import fc from 'fast-check'

const given = process.env['VSTEST_SEED']
assert(given === undefined || /^-?\d{1,10}$/.test(given), 'VSTEST_SEED is an integer')

export const seed = given === undefined ? Date.now() % 2 ** 31 : Number(given) | 0

export async function holds<Case>(
  t: TestContext,
  cases: fc.Arbitrary<Case>,
  runs: number,
  check: (value: Case) => void | Promise<void>,
): Promise<void> {
  t.diagnostic(`VSTEST_SEED=${seed}`)
  let ran = 0
  const property = fc.asyncProperty(cases, async (value) => {
    ran++
    await check(value)
  })
  await fc.assert(property, { seed, numRuns: runs })
  assert(ran >= runs, `${ran} of ${runs} cases ran`)
}

/** For tests that need many numbers and no shrinking (mulberry32). */
export function randomNumbers(salt: number): () => number {
  let state = (seed ^ salt) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const moved = result[i] as T
    result[i] = result[j] as T
    result[j] = moved
  }
  return result
}
