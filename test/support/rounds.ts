/**
 * For tests of delays. A fault of ours is there in every round; a machine that had something else to do in one is not
 * there in the next. So the best round counts, and the bound need not be loose.
 */
import type { TestContext } from 'node:test'

const roundsMax = 3

/** Runs rounds until one has nothing to complain of; gives what the last one complains of, or null. */
export async function bestRound(
  t: TestContext,
  round: (index: number) => Promise<string | null>,
): Promise<string | null> {
  let complaint: string | null = null
  for (let index = 0; index < roundsMax; index++) {
    complaint = await round(index)
    if (complaint === null) return null
    t.diagnostic(`round ${index + 1}: ${complaint}`)
  }
  return complaint
}
