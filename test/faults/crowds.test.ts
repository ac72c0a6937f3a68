/** Smokes of `events/stalled-supervisors` and `overload/idle-crowd`: what slow and idle clients may cost. */
import { test } from 'node:test'
import { runIdleCrowd } from '../torture/idle-crowd.js'
import { smoke } from '../torture/smoke.js'
import { runStalledSupervisors } from '../torture/stalled-supervisors.js'

test(
  'supervisors that never read are closed, and the others are told everything',
  smoke((stage) =>
    runStalledSupervisors(stage, {
      stalled: 6,
      healthy: 2,
      packetsPerSecond: 200,
      quietMs: 500,
      loadMs: 30_000,
      floods: true,
      judgesTimes: false,
    }),
  ),
)

test(
  'idle supervisors stay, and requests that come a byte a second go',
  smoke((stage) =>
    runIdleCrowd(stage, {
      idle: 400,
      query: 'since=&call=nobody',
      slowBodies: 60,
      slowHeaders: 60,
      packetsPerSecond: 50,
      judgesTimes: false,
    }),
  ),
)
