/** A smoke of `npm run torture -- --only events`: events before their commit, and sockets that miss some unnoticed. */
import { test } from 'node:test'
import { runEventKills } from '../torture/event-kills.js'
import { runSlowSupervisors } from '../torture/slow-supervisors.js'
import { smoke } from '../torture/smoke.js'

test(
  'what supervisors were told before kill -9 is stored after it',
  smoke((stage, seed) => runEventKills(stage, { seed, kills: 3 })),
)

test(
  'a supervisor that does not read for a second has every event, or a closed socket',
  smoke((stage) => runSlowSupervisors(stage, { pausesMs: [1000] })),
)
