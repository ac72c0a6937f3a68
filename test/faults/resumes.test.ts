/** A smoke of `npm run torture -- --only events/resumes`: positions that are not taken for what they are. */
import { test } from 'node:test'
import { runResumes } from '../torture/resumes.js'
import { smoke } from '../torture/smoke.js'

test(
  'supervisors that are cut off, and whose service is killed, are told everything once and in order',
  smoke((stage, seed) => runResumes(stage, { seed, reconnects: 12, kills: 3, packetsPerSecond: 300 })),
)
