/** A smoke of `npm run torture -- --only sequences`: numbers that alias, holes that cost, a tail that is not missed. */
import { test } from 'node:test'
import { runSequences } from '../torture/sequences.js'
import { smoke } from '../torture/smoke.js'

test(
  'no order of numbers makes an answer wrong, or large, or costs memory',
  smoke((stage, seed) => runSequences(stage, { seed, packets: 1500, hugeCalls: 1000 })),
)
