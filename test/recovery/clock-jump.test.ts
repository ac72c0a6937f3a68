/** A smoke of `npm run torture -- --only clock`: deadlines on the wall clock, or on what a PBX believes it to be. */
import { test } from 'node:test'
import { runClockJumps } from '../torture/clock-jumps.js'
import { compilerUnavailable } from '../torture/native/compile.js'
import { smoke } from '../torture/smoke.js'

test(
  'a wall clock set back by a day moves no deadline, and hangs no call at the next start',
  { skip: compilerUnavailable() ?? false },
  smoke((stage) => runClockJumps(stage, ['a day back'])),
)
