/** A smoke of `npm run torture -- --only events`: events before their commit, and sockets that miss some unnoticed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runEventKills } from '../torture/event-kills.js'
import { seedFromEnvironment } from '../torture/random.js'
import { runSlowSupervisors } from '../torture/slow-supervisors.js'
import { Stage } from '../torture/stage.js'
import { hasPassed, type Verdict } from '../torture/verdict.js'

const seed = seedFromEnvironment()

function assertPassed(verdict: Verdict): void {
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
}

test('what supervisors were told before kill -9 is stored after it', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runEventKills(Stage.of(t), { seed, kills: 3 })
  t.diagnostic(JSON.stringify(verdict.counts))
  assertPassed(verdict)
})

test('a supervisor that does not read for a second has every event, or a closed socket', async (t) => {
  const verdict = await runSlowSupervisors(Stage.of(t), { pausesMs: [1000] })
  t.diagnostic(JSON.stringify(verdict))
  assertPassed(verdict)
})
