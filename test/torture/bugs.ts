/**
 * Bugs that this service must never have, each with the scenario that finds it and what that must say: a scenario that
 * fails for another reason, or that breaks off, has not found the bug. The edits are small and on lines that say what
 * they do; after a change of the source they may have to be fitted again.
 */
import { runDamagedBytes } from './damaged-bytes.js'
import { runFailingWrites } from './disk-faults.js'
import { runEventKills } from './event-kills.js'
import { runIdleCrowd } from './idle-crowd.js'
import { killVariants, runKills } from './kill-runs.js'
import { runLifecycleKills } from './lifecycle-runs.js'
import { mediaBugs } from './media-bugs.js'
import { compilerUnavailable } from './native/compile.js'
import type { Edit } from './patched-build.js'
import { runPowerCuts } from './power-runs.js'
import { runProviderFaults } from './provider-faults.js'
import { runResumes } from './resumes.js'
import { runSlowSupervisors } from './slow-supervisors.js'
import { runSlowSyncs } from './slow-syncs.js'
import type { Stage } from './stage.js'
import { runStalledSupervisors } from './stalled-supervisors.js'
import { straceUnavailable } from './strace.js'
import type { Unavailable, Verdict } from './verdict.js'

export interface Bug {
  readonly name: string
  readonly edits: readonly Edit[]
  /** The scenario that finds it, by its name in `--list`. */
  readonly scenario: string
  readonly finding: RegExp
  run(stage: Stage, seed: number): Promise<Verdict>
  unavailable(): Unavailable
}

const always = () => null
const toldAsCommitted = "tell({ type: 'committed', id: message.id, commitMs: 0, tailBytes: 0, walPages: 0 });"
const runSlowSyncsShortly = (stage: Stage, seed: number) =>
  runSlowSyncs(stage, { seed, delayMs: 300, loadMs: 3000, delayed: 'all', floodPackets: 0 })
const runResumesShortly = (stage: Stage, seed: number) =>
  runResumes(stage, { seed, reconnects: 9, kills: 2, packetsPerSecond: 300 })

export const bugs: readonly Bug[] = [
  {
    name: 'what is stored is not compared with its checksums',
    edits: [
      {
        file: 'store/sqlite/reading/stored-call-row.js',
        find: 'if (callChecksum(row) !== row.checksum)',
        replace: 'if (false)',
      },
      {
        file: 'store/sqlite/reading/stored-lifecycle.js',
        find: 'if (row.text === null || textChecksum(row.text) !== row.textChecksum)',
        replace: 'if (row.text === null)',
      },
    ],
    scenario: 'damage/bytes',
    finding: /is not true/,
    run: (stage, seed) => runDamagedBytes(stage, { seed, bytes: 60 }),
    unavailable: always,
  },
  {
    // Too early by a write to the page cache: a kill is slower than that, a slow fsync shows it.
    name: 'a batch is told to be committed just before it is',
    edits: [
      {
        file: 'store/sqlite/writing/writer-thread.js',
        find: 'tell(writer.commit(message));',
        replace: `${toldAsCommitted} writer.commit(message);`,
      },
    ],
    scenario: 'disk/slow-fsyncs-all',
    finding: /before their fsync/,
    run: runSlowSyncsShortly,
    unavailable: straceUnavailable,
  },
  {
    name: 'a batch is told to be committed, and is so 10 ms later',
    edits: [
      {
        file: 'store/sqlite/writing/writer-thread.js',
        find: 'tell(writer.commit(message));',
        replace: `${toldAsCommitted} setTimeout(() => writer.commit(message), 10);`,
      },
    ],
    scenario: 'kills/interleaved',
    finding: /: lost ×/,
    run: (stage, seed) => runKills(stage, { ...killVariants.interleaved, seed, kills: 6 }),
    unavailable: always,
  },
  {
    name: 'commits are not synced: synchronous is NORMAL',
    edits: [
      {
        file: 'store/sqlite/files/database.js',
        find: "assert.equal(db.pragma('synchronous', { simple: true }), 2, 'synchronous is FULL');",
        replace: "db.pragma('synchronous = NORMAL');",
      },
    ],
    scenario: 'power/cuts',
    finding: /: lost ×/,
    run: (stage, seed) => runPowerCuts(stage, { seed, cuts: 8, keeps: 'nothing' }),
    unavailable: compilerUnavailable,
  },
  {
    name: 'an event is published before its commit',
    edits: [
      {
        file: 'actors/call.js',
        find: 'this.#journal.appendPackets(state, [entry], settlementOf(replyTo, facts, this, facts));',
        replace: `this.committed(facts);
        this.#journal.appendPackets(state, [entry], settlementOf(replyTo, facts, this, { kind: 'passive' }));`,
      },
    ],
    scenario: 'events/kills',
    finding: /told of and are not stored/,
    run: (stage, seed) => runEventKills(stage, { seed, kills: 8 }),
    unavailable: always,
  },
  {
    name: 'what memory knows is kept after a failed commit, and trusted',
    edits: [
      { file: 'actors/call.js', find: 'this.#ports.drop(this.#callId);', replace: '' },
      {
        file: 'store/sqlite/sqlite-journal.js',
        find: "tellFailed(settlement, new VoiceStreamError('commit_failed', 'an earlier append failed'));",
        replace: 'tellCommitted(settlement);',
      },
    ],
    scenario: 'disk/failing-write',
    finding: /: lost ×|packets of call \S+ are stored and are not found/,
    run: (stage, seed) => runFailingWrites(stage, { seed, rounds: 3 }),
    unavailable: straceUnavailable,
  },
  {
    name: 'deadlines are not armed again at a start',
    edits: [
      {
        file: 'actors/deadlines.js',
        find: `start() {
        this.#wake();`,
        replace: `start() {
        this.#readThrough = { dueAt: this.#ports.clock.now() + limits.deadlineHorizonMs, key: Number.MAX_SAFE_INTEGER };
        this.#isBehind = false;
        this.#wake();`,
      },
    ],
    scenario: 'lifecycle',
    finding: /^not-ended ×/,
    run: (stage, seed) => runLifecycleKills(stage, { seed, kills: 2 }),
    unavailable: always,
  },
  {
    name: 'a resumed stream leaves out the first event that was missed',
    edits: [
      {
        file: 'feed/event-stream.js',
        find: "start.kind === 'after' ? start.offset :",
        replace: "start.kind === 'after' ? Math.min(start.offset + 1, feed.ring.head) :",
      },
    ],
    scenario: 'events/resumes',
    finding: /gaps/,
    run: runResumesShortly,
    unavailable: always,
  },
  {
    name: 'a resumed stream begins with the event that was handled last',
    edits: [
      {
        file: 'feed/event-stream.js',
        find: "start.kind === 'after' ? start.offset :",
        replace: "start.kind === 'after' ? Math.max(start.offset - 1, feed.ring.evictedThrough) :",
      },
    ],
    scenario: 'events/resumes',
    finding: /repeats/,
    run: runResumesShortly,
    unavailable: always,
  },
  {
    name: 'a position that is no longer held is resumed from the oldest that is',
    edits: [
      {
        file: 'feed/event-stream.js',
        find: "return { kind: 'reset', reason: 'evicted' };",
        replace: "return { kind: 'after', offset: feed.ring.evictedThrough };",
      },
    ],
    scenario: 'events/resumes',
    finding: /an evicted position was answered/,
    run: runResumesShortly,
    unavailable: always,
  },
  {
    name: 'a position of another run of the service is taken for one of this',
    edits: [
      {
        file: 'feed/feed-position.js',
        find: 'if (found[1] !== epoch)',
        replace: 'if (false)',
      },
    ],
    scenario: 'events/resumes',
    finding: /resets as future|resets for|gaps|repeats/,
    run: runResumesShortly,
    unavailable: always,
  },
  {
    name: 'a supervisor that never reads is never closed',
    edits: [
      {
        file: 'http/sockets/socket-writer.js',
        find: 'if (now - this.#laggingSince > limits.supervisorLagMsMax)',
        replace: 'if (false)',
      },
    ],
    scenario: 'events/stalled-supervisors',
    finding: /stalled sockets were closed/,
    run: (stage) =>
      runStalledSupervisors(stage, {
        stalled: 4,
        healthy: 1,
        packetsPerSecond: 1000,
        quietMs: 2000,
        loadMs: 20_000,
        floods: true,
        judgesTimes: false,
      }),
    unavailable: always,
  },
  {
    name: 'each supervisor has a buffer of its own',
    edits: [
      {
        file: 'http/sockets/socket-writer.js',
        find: 'this.#tooSlow = tooSlow;',
        replace: 'this.#tooSlow = tooSlow; this.buffer = new Uint8Array(131_072).fill(1);',
      },
    ],
    scenario: 'overload/idle-crowd',
    finding: /idle sockets take/,
    run: (stage) =>
      runIdleCrowd(stage, {
        idle: 2000,
        query: 'since=&call=nobody',
        slowBodies: 20,
        slowHeaders: 20,
        packetsPerSecond: 20,
        judgesTimes: false,
      }),
    unavailable: always,
  },
  {
    name: 'a socket that takes no more is written to all the same',
    edits: [
      {
        file: 'http/sockets/socket-writer.js',
        find: 'return inFlightBytesMax - this.#socket.getBufferedAmount();',
        replace: 'return Number.POSITIVE_INFINITY;',
      },
      {
        file: 'http/sockets/socket-writer.js',
        find: 'if (this.#socket.send(text) !== dropped)',
        replace: 'if (this.#socket.send(text) !== null)',
      },
    ],
    scenario: 'events/slow-supervisor',
    finding: /holes|the socket is open/,
    run: (stage) => runSlowSupervisors(stage, { pausesMs: [1000] }),
    unavailable: always,
  },
  {
    name: 'the deadline ends with the head of an answer',
    edits: [{ file: 'analysis/providers/openai/connection.js', find: '            signal,\n', replace: '' }],
    scenario: 'provider/faults',
    finding: /an answer was read for|sockets stay open/,
    run: (stage) => runProviderFaults(stage, { callsPerMode: 2, modes: ['headers-then-hang'] }),
    unavailable: always,
  },
  {
    name: 'an answer has no bound',
    edits: [
      {
        file: 'analysis/providers/openai/connection.js',
        find: 'if (bytes > responseBytesMax)',
        replace: 'if (bytes < 0)',
      },
    ],
    scenario: 'provider/faults',
    finding: /bytes were taken/,
    run: (stage) => runProviderFaults(stage, { callsPerMode: 2, modes: ['flood'] }),
    unavailable: always,
  },
  {
    name: 'a server may ask for any wait',
    edits: [
      {
        file: 'analysis/providers/openai/failure.js',
        find: 'Math.min(ms, limits.retryAfterMsMax)',
        replace: 'ms',
      },
    ],
    scenario: 'provider/faults',
    finding: /a call says .*99999999000 ms/,
    run: (stage) => runProviderFaults(stage, { callsPerMode: 2, modes: ['429-for-years'] }),
    unavailable: always,
  },
  ...mediaBugs,
]
