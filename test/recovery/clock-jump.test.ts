/** A smoke of `npm run torture -- --only clock`: deadlines on the wall clock, or on what a PBX believes it to be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runClockJumps } from '../torture/clock-jumps.js'
import { compilerUnavailable } from '../torture/native/compile.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

test('a wall clock set back by a day moves no deadline, and hangs no call at the next start', {
  skip: compilerUnavailable() ?? false,
}, async (t) => {
  const verdict = await runClockJumps(Stage.of(t), ['a day back'])
  t.diagnostic(JSON.stringify(verdict))
  assert.deepEqual(verdict.findings, [])
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)}`)
})
