/** A smoke of `npm run torture -- --only power`: acknowledged before its sync, names that were never made durable. */
import { describe, test } from 'node:test'
import { runCutLogs } from '../torture/cut-logs.js'
import { compilerUnavailable } from '../torture/native/compile.js'
import { runPowerControl, runPowerCuts } from '../torture/power-runs.js'
import { smoke } from '../torture/smoke.js'

const skip = compilerUnavailable() ?? false

describe('a power cut under load', { skip }, () => {
  for (const keeps of ['nothing', 'some sectors'] as const)
    test(
      `that keeps ${keeps} of what was not synced loses nothing that was acknowledged`,
      smoke((stage, seed) => runPowerCuts(stage, { seed, cuts: 4, keeps })),
    )

  test(
    'loses packets where commits are not synced, so the tests above would notice',
    smoke((stage, seed) => runPowerControl(stage, { seed, cuts: 3, keeps: 'nothing' })),
  )
})

test(
  'of a log that was cut off anywhere the first packets are left, or the start is refused',
  smoke((stage, seed) => runCutLogs(stage, { seed, cuts: 4 })),
)
