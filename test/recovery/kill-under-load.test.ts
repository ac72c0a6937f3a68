/** A smoke of `npm run torture -- --only kills`: acknowledged before its commit, folded wrongly, recovered wrongly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killVariants, runKills } from '../torture/kill-runs.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

const seed = seedFromEnvironment()
const kills = Number(process.env['VSTEST_KILLS'] ?? 3)

for (const [variant, plan] of Object.entries(killVariants))
  test(`kill -9 under load loses and doubles nothing that was acknowledged: ${variant}`, async (t) => {
    t.diagnostic(`seed ${seed}`)
    const verdict = await runKills(Stage.of(t), { ...plan, seed, kills })
    t.diagnostic(JSON.stringify(verdict.counts))
    assert.deepEqual(verdict.findings, [], `seed ${seed}`)
    assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
  })
