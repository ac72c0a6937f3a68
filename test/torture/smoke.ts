/**
 * A short run of a torture scenario as a test. Guards against a verdict of which only the findings are looked at: where
 * the fault did not happen, or nothing was counted, there are none either.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { seedFromEnvironment } from './random.js'
import { Stage } from './stage.js'
import { hasPassed, type Verdict } from './verdict.js'

/** One for all tests of a file: each file is a process of its own. */
const seed = seedFromEnvironment()

/** What a test does, and not the test: title, skip and group stay where the test is, as does its line in a report. */
export function smoke(run: (stage: Stage, seed: number) => Promise<Verdict>) {
  return async (t: TestContext): Promise<void> => {
    t.diagnostic(`seed ${seed}`)
    const verdict = await run(Stage.of(t), seed)
    t.diagnostic(JSON.stringify(verdict))
    assert.deepEqual(verdict.findings, [], `seed ${seed}`)
    assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
  }
}
