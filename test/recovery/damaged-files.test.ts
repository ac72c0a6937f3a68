/** A smoke of `npm run torture -- --only start`: damage that is served, or that SQLite's recovery drops in silence. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runBadDatabases } from '../torture/bad-databases.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

const seed = seedFromEnvironment()

test('damaged files are refused or noticed when they are read, and never served', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runBadDatabases(Stage.of(t), { seed, flips: 10 })
  t.diagnostic(JSON.stringify(verdict))
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
})
