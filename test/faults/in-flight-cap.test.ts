/** Guards against a service that takes every request until its memory is gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runOverInFlightCap } from '../torture/in-flight-cap.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'

test('requests over the cap are told when to come back, and all those under it are stored', async (t) => {
  const verdict = await runOverInFlightCap(Stage.of(t), { surplus: 100 })
  t.diagnostic(JSON.stringify(verdict))
  assert.deepEqual(verdict.findings, [])
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)}`)
})
