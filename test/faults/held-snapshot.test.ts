/** A smoke of `npm run torture -- --only disk/held`: too short for the log to reach a bound; the harness is what runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runHeldSnapshot } from '../torture/held-snapshot.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

const seed = seedFromEnvironment()

test('a reader that holds its snapshot for three seconds delays and loses nothing', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runHeldSnapshot(Stage.of(t), { seed, holdMs: 3000 })
  t.diagnostic(JSON.stringify(verdict))
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
})
