import assert from 'node:assert/strict'
import { test } from 'node:test'
import { smoke } from './smoke.js'
import type { Verdict } from './verdict.js'

const passed: Verdict = { counts: { packets: 3 }, notes: { lost: 0 }, faults: 1, findings: [] }

test('a verdict with a fault, cases and no findings passes', async (t) => {
  await smoke(async () => passed)(t)
})

for (const [what, verdict] of Object.entries<Verdict>({
  'a finding': { ...passed, findings: ['c1/0 was lost'] },
  'no fault': { ...passed, faults: 0 },
  'one count of none': { ...passed, counts: { packets: 3, kills: 0 } },
}))
  test(`a verdict with ${what} fails its test`, async (t) => {
    await assert.rejects(smoke(async () => verdict)(t), assert.AssertionError)
  })
