/** Guards against a process that goes on without its writer, where every request would wait for ever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seedFromEnvironment } from '../torture/random.js'
import { Stage } from '../torture/stage.js'
import { hasPassed } from '../torture/verdict.js'
import { runWriterDeaths } from '../torture/writer-death.js'

const seed = seedFromEnvironment()

test('when the writer thread dies nothing more is acknowledged, and the process ends', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const verdict = await runWriterDeaths(Stage.of(t), { seed, deaths: ['exit', 'throw'] })
  t.diagnostic(JSON.stringify(verdict.counts))
  assert.deepEqual(verdict.findings, [], `seed ${seed}`)
  assert(hasPassed(verdict), `something did not happen: ${JSON.stringify(verdict)} (seed ${seed})`)
})
