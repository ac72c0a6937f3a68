/** A smoke of `npm run torture -- --only kills`: acknowledged before its commit, folded wrongly, recovered wrongly. */
import { test } from 'node:test'
import { killVariants, runKills } from '../torture/kill-runs.js'
import { runLifecycleKills } from '../torture/lifecycle-runs.js'
import { smoke } from '../torture/smoke.js'

const kills = Number(process.env['VSTEST_KILLS'] ?? 2)

/** One each: the torture run kills more, and interleaved calls are in all of them. */
const { interleaved: _, ...variants } = killVariants

for (const [variant, plan] of Object.entries(variants))
  test(
    `kill -9 under load loses and doubles nothing that was acknowledged: ${variant}`,
    smoke((stage, seed) => runKills(stage, { ...plan, seed, kills })),
  )

test(
  'calls that were killed anywhere in their lives end once, and their packets are all there',
  smoke((stage, seed) => runLifecycleKills(stage, { seed, kills })),
)
