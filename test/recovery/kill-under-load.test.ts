/** A smoke of `npm run torture -- --only kills`: acknowledged before its commit, folded wrongly, recovered wrongly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killVariants, runKills } from '../torture/kill-runs.js'
import { runLifecycleKills } from '../torture/lifecycle-runs.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed, type Verdict } from '../torture/verdict.js'

const seed = seedFromEnvironment()
const kills = Number(process.env['VSTEST_KILLS'] ?? 2)

function assertPassed(verdict: Verdict): void {
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
}

/** One each: the torture run kills more, and interleaved calls are in all of them. */
const { interleaved: _, ...variants } = killVariants

for (const [variant, plan] of Object.entries(variants))
  test(`kill -9 under load loses and doubles nothing that was acknowledged: ${variant}`, async (t) => {
    t.diagnostic(`seed ${seed}`)
    const verdict = await runKills(Stage.of(t), { ...plan, seed, kills })
    t.diagnostic(JSON.stringify(verdict.counts))
    assertPassed(verdict)
  })

test('calls that were killed anywhere in their lives end once, and their packets are all there', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runLifecycleKills(Stage.of(t), { seed, kills })
  t.diagnostic(JSON.stringify(verdict))
  assertPassed(verdict)
})
