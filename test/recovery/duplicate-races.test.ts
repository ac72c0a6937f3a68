/** A smoke of `npm run torture -- --only duplicates`: two firsts, a 202 for what a kill takes back, content replaced. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runRaces } from '../torture/races.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

const seed = seedFromEnvironment()

test('of copies that start together one is the first, also across a kill, and none replaces it', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runRaces(Stage.of(t), { seed, races: 400, kills: 3 })
  t.diagnostic(JSON.stringify(verdict))
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
})
