/**
 * A short run of the cluster's simulation (`npm run torture -- --only cluster` is the long one). Guards against a packet that
 * was acknowledged and is lost, or taken twice, or copies and tables of owners that differ, whatever breaks when.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seed as given } from '../support/property.js'
import { clusterBugs } from './bugs.js'
import { patchedSimulation } from './patched-simulation.js'
import { simulate } from './simulation.js'

const seeds = 100
/** Each bug is found by one of so many. */
const seedsPerBug = 150

test('three nodes on one log lose nothing, take nothing twice and end up equal, whatever breaks', (t) => {
  t.diagnostic(`seeds ${given} … ${given + seeds - 1}: VSTEST_SEED=${given}`)
  const faults = new Set<string>()
  let moves = 0
  let fences = 0
  for (let seed = given; seed < given + seeds; seed++) {
    const { findings, faults: happened, counts } = simulate(seed)
    assert.deepEqual(findings, [], `seed ${seed}`)
    assert.equal(counts.packets, 120, `seed ${seed}`)
    for (const kind of Object.keys(happened)) faults.add(kind)
    moves += counts.moves
    fences += counts.fences
  }
  assert(faults.size >= 12, `only ${[...faults].join(', ')} happened`)
  assert(moves > seeds && fences > 0, `${moves} moves of partitions, ${fences} fences`)
})

test('a seed makes the same run again, and another seed another one', () => {
  assert.deepEqual(simulate(given), simulate(given))
  assert.notEqual(simulate(given).digest, simulate(given + 1).digest)
})

for (const { name, edits, finding } of clusterBugs)
  test(`the simulation finds that ${name}`, async (t) => {
    const { simulate: simulatePatched, done } = await patchedSimulation(edits)
    t.after(done)
    for (let seed = 1; seed <= seedsPerBug; seed++)
      if (simulatePatched(seed).findings.some((each) => finding.test(each))) {
        t.diagnostic(`seed ${seed}`)
        return
      }
    assert.fail(`${seedsPerBug} seeds did not find it`)
  })
