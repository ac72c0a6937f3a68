/**
 * A short run of the cluster's simulation (`npm run torture -- --only cluster` is the long one). Guards against a packet that
 * was acknowledged and is lost, or taken twice, or copies and tables of owners that differ, whatever breaks when.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seed } from '../support/property.js'
import { clusterBugs } from './bugs.js'
import { patchedSimulation } from './patched-simulation.js'
import { simulate } from './simulation.js'

const seeds = 100
/** The same ones each time, so that a change is judged by what it changes; the long run takes others. */
const first = process.env['VSTEST_SEED'] === undefined ? 1 : seed
/** Each bug is found by one of so many. */
const seedsPerBug = 150

test('three nodes on one log lose nothing, take nothing twice and end up equal, whatever breaks', (t) => {
  t.diagnostic(`seeds ${first} … ${first + seeds - 1}: VSTEST_SEED=${first}`)
  const faults = new Set<string>()
  let moves = 0
  let fences = 0
  for (let each = first; each < first + seeds; each++) {
    const { findings, faults: happened, counts } = simulate(each)
    assert.deepEqual(findings, [], `seed ${each}`)
    assert.equal(counts.packets, 120, `seed ${each}`)
    for (const kind of Object.keys(happened)) faults.add(kind)
    moves += counts.moves
    fences += counts.fences
  }
  assert(faults.size >= 12, `only ${[...faults].join(', ')} happened`)
  assert(moves > seeds && fences > 0, `${moves} moves of partitions, ${fences} fences`)
})

test('a seed makes the same run again, and another seed another one', () => {
  assert.deepEqual(simulate(first), simulate(first))
  assert.notEqual(simulate(first).digest, simulate(first + 1).digest)
})

for (const { name, edits, finding, from = 1 } of clusterBugs)
  test(`the simulation finds that ${name}`, async (t) => {
    const { simulate: simulatePatched, done } = await patchedSimulation(edits)
    t.after(done)
    for (let tried = from; tried < from + seedsPerBug; tried++)
      if (simulatePatched(tried).findings.some((each) => finding.test(each))) {
        t.diagnostic(`seed ${tried}`)
        return
      }
    assert.fail(`${seedsPerBug} seeds did not find it`)
  })
