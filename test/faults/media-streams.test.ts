/** Smokes of `media/*`: kills, cuts, a stuck disk and idle sockets under media streams, each with readers beside them. */
import { test } from 'node:test'
import { runIdleStreams } from '../torture/idle-streams.js'
import { runNativeFaults } from '../torture/native-faults.js'
import { smoke } from '../torture/smoke.js'
import { straceUnavailable } from '../torture/strace.js'
import { runStreamKills } from '../torture/stream-kills.js'
import { runStuckStreams } from '../torture/stuck-streams.js'

test(
  'kill -9 under native streams loses nothing that the gateway handed over, and doubles nothing',
  smoke((stage, seed) => runNativeFaults(stage, { seed, streams: 40, fault: 'kill', faults: 3 })),
)

test(
  'cut networks under native streams lose nothing and double nothing',
  smoke((stage, seed) => runNativeFaults(stage, { seed, streams: 40, fault: 'cut', faults: 4 })),
)

test(
  'kill -9 under platform sockets loses what was not committed, and every loss is a counted gap',
  smoke((stage, seed) => runStreamKills(stage, { seed, sockets: 20, kills: 2 })),
)

test(
  'a disk that is stuck for seconds sheds what is told, and the calls go on',
  { skip: straceUnavailable() ?? false },
  smoke((stage) => runStuckStreams(stage, { sockets: 8, stuckMs: 2500 })),
)

test(
  'idle media sockets stay, and packets beside them are stored',
  smoke((stage) =>
    runIdleStreams(stage, { sockets: 300, packetsPerSecond: 50, holdMs: 500, judgesTimes: false }),
  ),
)
