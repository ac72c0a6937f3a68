/** A smoke of `npm run torture -- --only sequences`: numbers that alias, holes that cost, a tail that is not missed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seedFromEnvironment } from '../torture/random.js'
import { runSequences } from '../torture/sequences.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

const seed = seedFromEnvironment()

test('no order of numbers makes an answer wrong, or large, or costs memory', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runSequences(Stage.of(t), { seed, packets: 1500, hugeCalls: 1000 })
  t.diagnostic(JSON.stringify(verdict))
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
})
