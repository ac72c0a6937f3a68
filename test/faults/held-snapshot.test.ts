/** A smoke of `npm run torture -- --only disk/held`: too short for the log to reach a bound; the harness is what runs. */
import { test } from 'node:test'
import { runHeldSnapshot } from '../torture/held-snapshot.js'
import { smoke } from '../torture/smoke.js'

test(
  'a reader that holds its snapshot for three seconds delays and loses nothing',
  smoke((stage, seed) => runHeldSnapshot(stage, { seed, holdMs: 3000 })),
)
