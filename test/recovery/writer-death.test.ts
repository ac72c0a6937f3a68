/** Guards against a process that goes on without its writer, where every request would wait for ever. */
import { test } from 'node:test'
import { smoke } from '../torture/smoke.js'
import { runWriterDeaths } from '../torture/writer-death.js'

test(
  'when the writer thread dies nothing more is acknowledged, and the process ends',
  smoke((stage, seed) => runWriterDeaths(stage, { seed, deaths: ['exit', 'throw'] })),
)
