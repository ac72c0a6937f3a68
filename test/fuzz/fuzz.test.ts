/** The smoke part of `npm run fuzz`; `VSTEST_SEED=…` repeats a run of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seed } from '../support/property.js'
import { edited } from '../torture/patched-build.js'
import { fuzzBugs } from './bugs.js'
import { areas, parseReplay, replayText } from './input.js'
import { blockOf } from './inputs.js'
import { runFuzz } from './run.js'

test('two thousand hostile inputs crash nothing, get no 5xx and change no state (P18)', async (t) => {
  const plan = { seed, count: 2000, areas, firstBlock: 0, isShrinking: true }
  t.diagnostic(`VSTEST_SEED=${seed}`)
  const { inputs, accepted, findings, culprit } = await runFuzz(plan, (line) => t.diagnostic(line))
  assert.deepEqual(findings, [], culprit === null ? 'no input alone' : replayText(culprit.input))
  assert.equal(inputs, plan.count)
  assert(accepted > 100, `${accepted} packets were accepted: the inputs must reach the code`)
})

test('the inputs of a block follow from its seed, and an input from its text', () => {
  for (const area of areas) {
    const block = blockOf(7, 3, area, 50)
    assert.deepEqual(block.map(replayText), blockOf(7, 3, area, 50).map(replayText))
    assert.notDeepEqual(block.map(replayText), blockOf(8, 3, area, 50).map(replayText))
    for (const input of block) {
      if (input.writes.length > 0) assert.deepEqual(parseReplay(replayText(input)).writes, input.writes)
    }
  }
})

// After a change of the source: fit them again, or `npm run fuzz -- --bugs` shows nothing.
test('every seeded bug of the fuzz fits the build', () => {
  for (const { name, edit } of fuzzBugs) assert.doesNotThrow(() => edited([edit]), `the bug "${name}"`)
})
