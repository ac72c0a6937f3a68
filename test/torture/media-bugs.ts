/** Bugs of media streams, as in `bugs.ts`. */
import type { Bug } from './bugs.js'
import { runIdleStreams } from './idle-streams.js'
import { runNativeFaults } from './native-faults.js'
import { straceUnavailable } from './strace.js'
import { runStreamKills } from './stream-kills.js'
import { runStuckStreams } from './stuck-streams.js'

const always = () => null

export const mediaBugs: readonly Bug[] = [
  {
    name: 'blocks of a gateway are acknowledged before they are on disk',
    edits: [
      {
        file: 'media/native/native-session.js',
        find: `held.waiting++;
        const timestamp`,
        replace: 'const timestamp',
      },
    ],
    scenario: 'media/native-kills',
    finding: /were acknowledged and are missing/,
    run: (stage, seed) => runNativeFaults(stage, { seed, streams: 100, fault: 'kill', faults: 6 }),
    unavailable: always,
  },
  {
    name: 'a leg begins right behind the one that was lost',
    edits: [{ file: 'actors/leg-decisions.js', find: 'Math.round(passed / packetMs)', replace: '0' }],
    scenario: 'media/stream-kills',
    finding: /are lost, and 0 are counted/,
    run: (stage, seed) => runStreamKills(stage, { seed, sockets: 20, kills: 5 }),
    unavailable: always,
  },
  {
    name: 'what a stream shed is not told',
    edits: [
      {
        file: 'media/media-leg.js',
        find: "this.#note({ kind: 'skipped', text: 'shed', packets: this.#shed });",
        replace: '',
      },
    ],
    scenario: 'media/stuck-disk',
    finding: /are missing, and 0 are told of/,
    run: (stage) => runStuckStreams(stage, { sockets: 8, stuckMs: 2500 }),
    unavailable: straceUnavailable,
  },
  {
    name: 'each media stream has a buffer of its own',
    edits: [
      {
        file: 'media/media-session.js',
        find: 'this.#ports = ports;',
        replace: 'this.#ports = ports; this.buffer = new Uint8Array(131_072).fill(1);',
      },
    ],
    scenario: 'media/idle-sockets',
    finding: /idle sockets take/,
    run: (stage) =>
      runIdleStreams(stage, { sockets: 2000, packetsPerSecond: 20, holdMs: 500, judgesTimes: false }),
    unavailable: always,
  },
]
