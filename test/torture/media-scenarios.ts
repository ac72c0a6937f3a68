/** Scenarios of media streams, each with a stalled supervisor and a looping reader beside it. */
import { runIdleStreams } from './idle-streams.js'
import { runNativeFaults } from './native-faults.js'
import type { Scenario } from './scenarios.js'
import { straceUnavailable } from './strace.js'
import { runStreamKills } from './stream-kills.js'
import { runStuckStreams } from './stuck-streams.js'

const always = () => null

export const mediaScenarios: readonly Scenario[] = [
  {
    name: 'media/native-kills',
    promise: 'P23: kill -9 under 200 native streams loses and doubles nothing that a gateway handed over',
    run: (stage, { seed, kills }) =>
      runNativeFaults(stage, { seed, streams: 200, fault: 'kill', faults: Math.ceil(kills / 2) }),
    unavailable: always,
  },
  {
    name: 'media/native-cuts',
    promise: 'P23: likewise, when the network is cut',
    run: (stage, { seed, kills }) =>
      runNativeFaults(stage, { seed, streams: 200, fault: 'cut', faults: Math.ceil(kills / 4) }),
    unavailable: always,
  },
  {
    name: 'media/stream-kills',
    promise:
      'P24: kill -9 under platform sockets loses what was not committed, and every loss is a counted gap',
    run: (stage, { seed, kills }) =>
      runStreamKills(stage, { seed, sockets: 50, kills: Math.ceil(kills / 4) }),
    unavailable: always,
  },
  {
    name: 'media/stuck-disk',
    promise: 'P25: under a stuck disk media streams go on, memory is bounded, and what is shed is told',
    run: (stage) => runStuckStreams(stage, { sockets: 40, stuckMs: 5000 }),
    unavailable: straceUnavailable,
  },
  {
    name: 'media/idle-sockets',
    promise: 'P25: ten thousand idle media sockets stay, cost little, and leave ingest alone',
    run: (stage) =>
      runIdleStreams(stage, {
        sockets: 10_000,
        packetsPerSecond: 100,
        holdMs: 15_000,
        judgesTimes: true,
      }),
    unavailable: always,
  },
]
