/**
 * A disk that fills up and is made larger. Guards against a process that ends, that acknowledges what it could not
 * store, that does not come back by itself, or that cannot be stopped.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seedFromEnvironment } from '../torture/random.js'
import {
  mountUnavailable,
  runFullDisk,
  runReadsOnFullDisk,
  runStopOnFullDisk,
} from '../torture/small-disk.js'
import { Stage } from '../torture/stage.js'
import { hasPassed, type Verdict } from '../torture/verdict.js'

const seed = seedFromEnvironment()
const skip = mountUnavailable() ?? false

function assertPassed(verdict: Verdict): void {
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
}

describe('a full disk', { skip }, () => {
  test('packets are refused while the disk is full, taken again once it is not, and none is lost', async (t) => {
    assertPassed(await runFullDisk(Stage.of(t), { seed, mebibytes: 8, grownMebibytes: 64 }))
  })

  test('calls and their packets can be read while the disk is full', async (t) => {
    assertPassed(await runReadsOnFullDisk(Stage.of(t), { seed, mebibytes: 8, grownMebibytes: 64 }))
  })

  test('a service whose disk is full ends within 10 s of SIGTERM, and loses nothing', async (t) => {
    assertPassed(await runStopOnFullDisk(Stage.of(t), { seed, mebibytes: 8, grownMebibytes: 64 }))
  })
})
