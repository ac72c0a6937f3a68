/** Guards against a queue that waits for ever behind somebody else's lock, and against a service that does not return. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runForeignLock } from '../torture/foreign-lock.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

const seed = seedFromEnvironment()

test('while another process holds the database, requests are refused in time, and none acknowledged is lost', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runForeignLock(Stage.of(t), { seed, holdMs: 2500 })
  t.diagnostic(JSON.stringify(verdict.counts))
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
})
