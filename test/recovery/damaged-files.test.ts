/** A smoke of `npm run torture -- --only start`: damage that is served, or that SQLite's recovery drops in silence. */
import { test } from 'node:test'
import { runBadDatabases } from '../torture/bad-databases.js'
import { smoke } from '../torture/smoke.js'

test(
  'damaged files are refused or noticed when they are read, and never served',
  smoke((stage, seed) => runBadDatabases(stage, { seed, flips: 10 })),
)
