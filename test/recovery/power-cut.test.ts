/** A smoke of `npm run torture -- --only power`: acknowledged before its sync, names that were never made durable. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runCutLogs } from '../torture/cut-logs.js'
import { compilerUnavailable } from '../torture/native/compile.js'
import { runPowerControl, runPowerCuts } from '../torture/power-runs.js'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed, type Verdict } from '../torture/verdict.js'

const seed = seedFromEnvironment()
const skip = compilerUnavailable() ?? false

function assertPassed(verdict: Verdict): void {
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
}

describe('a power cut under load', { skip }, () => {
  for (const keeps of ['nothing', 'some sectors'] as const)
    test(`that keeps ${keeps} of what was not synced loses nothing that was acknowledged`, async (t) => {
      t.diagnostic(`seed ${seed}`)
      const verdict = await runPowerCuts(Stage.of(t), { seed, cuts: 4, keeps })
      t.diagnostic(JSON.stringify(verdict.counts))
      assertPassed(verdict)
    })

  test('loses packets where commits are not synced, so the tests above would notice', async (t) => {
    t.diagnostic(`seed ${seed}`)
    assertPassed(await runPowerControl(Stage.of(t), { seed, cuts: 3, keeps: 'nothing' }))
  })
})

test('of a log that was cut off anywhere the first packets are left, or the start is refused', async (t) => {
  t.diagnostic(`seed ${seed}`)
  assertPassed(await runCutLogs(Stage.of(t), { seed, cuts: 4 }))
})
