/** A smoke of `npm run torture -- --only duplicates`: two firsts, a 202 for what a kill takes back, content replaced. */
import { test } from 'node:test'
import { runRaces } from '../torture/races.js'
import { smoke } from '../torture/smoke.js'

test(
  'of copies that start together one is the first, also across a kill, and none replaces it',
  smoke((stage, seed) => runRaces(stage, { seed, races: 400, kills: 3 })),
)
