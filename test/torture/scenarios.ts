/** Every scenario of `npm run torture`, by name. Each sets up its own stage and promises to assert its own faults. */
import { runBadDatabases } from './bad-databases.js'
import { type Jump, jumps, runClockJumps } from './clock-jumps.js'
import { runClusterSeeds } from './cluster-seeds.js'
import { runCutLogs } from './cut-logs.js'
import { runDamagedBytes } from './damaged-bytes.js'
import { runFailingCheckpoint, runFailingSyncs, runFailingWrites } from './disk-faults.js'
import { runEventKills } from './event-kills.js'
import { runForeignLock } from './foreign-lock.js'
import { runHeldSnapshot } from './held-snapshot.js'
import { runIdleCrowd } from './idle-crowd.js'
import { runOverInFlightCap } from './in-flight-cap.js'
import { killVariants, runKills } from './kill-runs.js'
import { runLifecycleKills } from './lifecycle-runs.js'
import { runCheckpointKills, runPassivation } from './long-runs.js'
import { mediaScenarios } from './media-scenarios.js'
import { compilerUnavailable } from './native/compile.js'
import { runPowerControl, runPowerCuts } from './power-runs.js'
import { runBadCertificate } from './provider-certificate.js'
import { runProviderFaults } from './provider-faults.js'
import { runLongCall } from './provider-memory.js'
import { runRaces } from './races.js'
import { runResumes } from './resumes.js'
import { runSequences } from './sequences.js'
import { runSlowSupervisors } from './slow-supervisors.js'
import { runSlowSyncs } from './slow-syncs.js'
import { mountUnavailable, runFullDisk, runReadsOnFullDisk, runStopOnFullDisk } from './small-disk.js'
import type { Stage } from './stage.js'
import { runStalledSupervisors } from './stalled-supervisors.js'
import { runSecondSignals, runStops } from './stops.js'
import { straceUnavailable } from './strace.js'
import type { Unavailable, Verdict } from './verdict.js'
import { runWriterDeaths } from './writer-death.js'

export interface Size {
  readonly seed: number
  /** Kills of a run, shared out among its variants. */
  readonly kills: number
}

export interface Scenario {
  /** `--only` takes its beginning. */
  readonly name: string
  readonly promise: string
  run(stage: Stage, size: Size): Promise<Verdict>
  unavailable(): Unavailable
}

const always = () => null
/** Kills on one database before the next one is begun. */
const killsPerDatabase = 20

/** A long run is cut into databases, so that reading back stays quick and a new database is killed too. */
async function killsOnManyDatabases(
  stage: Stage,
  variant: keyof typeof killVariants,
  { seed, kills }: Size,
): Promise<Verdict> {
  const variants = Object.keys(killVariants).length
  const verdicts: Verdict[] = []
  for (let left = Math.ceil(kills / variants); left > 0; left -= killsPerDatabase) {
    const plan = {
      ...killVariants[variant],
      seed: seed + verdicts.length,
      kills: Math.min(left, killsPerDatabase),
    }
    verdicts.push(await runKills(stage, plan))
  }
  return {
    counts: sum(verdicts.map(({ counts }) => counts)),
    faults: verdicts.reduce((faults, verdict) => faults + verdict.faults, 0),
    findings: verdicts.flatMap(({ findings }) => findings),
  }
}

function sum(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const ofOne of counts)
    for (const [name, count] of Object.entries(ofOne)) sums[name] = (sums[name] ?? 0) + count
  return sums
}

const killScenarios = (Object.keys(killVariants) as (keyof typeof killVariants)[]).map(
  (variant): Scenario => ({
    name: `kills/${variant.replaceAll(' ', '-')}`,
    promise: 'P1: kill -9 loses and doubles nothing that was acknowledged',
    run: (stage, size) => killsOnManyDatabases(stage, variant, size),
    unavailable: always,
  }),
)

export const scenarios: readonly Scenario[] = [
  ...killScenarios,
  {
    name: 'checkpoint/kills',
    promise: 'P1: likewise, while the log is moved into the database',
    run: (stage, { seed, kills }) => runCheckpointKills(stage, { seed, kills: Math.ceil(kills / 20) }),
    unavailable: always,
  },
  {
    name: 'duplicates/races',
    promise: 'P5: of copies that start together one is the first, and none replaces it',
    run: (stage, { seed }) => runRaces(stage, { seed, races: 10_000, kills: 40 }),
    unavailable: always,
  },
  {
    name: 'sequences/adversarial',
    promise: 'P17: no order of numbers makes an answer wrong, or large, or costs memory',
    run: (stage, { seed }) => runSequences(stage, { seed, packets: 10_000, hugeCalls: 1000 }),
    unavailable: always,
  },
  {
    name: 'passivation',
    promise: 'V5: calls that have left memory come back as they were',
    run: (stage, { seed }) => runPassivation(stage, { seed }),
    unavailable: always,
  },
  {
    name: 'lifecycle',
    promise: 'P7: every completed call ends once, whenever it is killed',
    run: (stage, { seed, kills }) => runLifecycleKills(stage, { seed, kills: Math.ceil(kills / 2) }),
    unavailable: always,
  },
  {
    name: 'power/cuts',
    promise: 'P2: a power cut that keeps only what was synced loses nothing that was acknowledged',
    run: (stage, { seed }) => runPowerCuts(stage, { seed, cuts: 100, keeps: 'nothing' }),
    unavailable: compilerUnavailable,
  },
  {
    name: 'power/torn',
    promise: 'P2: likewise, when it keeps any sectors of the rest',
    run: (stage, { seed }) => runPowerCuts(stage, { seed, cuts: 100, keeps: 'some sectors' }),
    unavailable: compilerUnavailable,
  },
  {
    name: 'power/control',
    promise: 'P2: without a sync at each commit the same cuts lose packets',
    run: (stage, { seed }) => runPowerControl(stage, { seed, cuts: 10, keeps: 'nothing' }),
    unavailable: compilerUnavailable,
  },
  {
    name: 'power/cut-logs',
    promise: 'P2: of a log that was cut off anywhere the beginning is left, or it is refused',
    run: (stage, { seed }) => runCutLogs(stage, { seed, cuts: 60 }),
    unavailable: always,
  },
  {
    name: 'events/kills',
    promise: 'V3: what supervisors were told before kill -9 is stored after it',
    run: (stage, { seed, kills }) => runEventKills(stage, { seed, kills: Math.ceil(kills / 10) }),
    unavailable: always,
  },
  {
    name: 'events/resumes',
    promise: 'P9: who reconnects is told what it missed once and in order, or that it cannot be',
    run: (stage, { seed }) => runResumes(stage, { seed, reconnects: 50, kills: 20, packetsPerSecond: 1000 }),
    unavailable: always,
  },
  {
    name: 'events/stalled-supervisors',
    promise: 'P10: supervisors that never read cost neither packets nor the others anything',
    run: (stage) =>
      runStalledSupervisors(stage, {
        stalled: 50,
        healthy: 10,
        packetsPerSecond: 1000,
        quietMs: 20_000,
        loadMs: 60_000,
        floods: false,
        judgesTimes: true,
      }),
    unavailable: always,
  },
  {
    name: 'overload/idle-crowd',
    promise: 'P16: ten thousand idle supervisors and thousands of slow requests leave ingest alone',
    run: (stage) =>
      runIdleCrowd(stage, {
        idle: 10_000,
        query: 'since=&call=nobody',
        slowBodies: 2000,
        slowHeaders: 2000,
        packetsPerSecond: 100,
        judgesTimes: true,
      }),
    unavailable: always,
  },
  {
    name: 'events/slow-supervisor',
    promise: 'P10: an open socket has no hole in what it was told',
    run: (stage) => runSlowSupervisors(stage, { pausesMs: [500, 1500, 3000, 1000, 4000] }),
    unavailable: always,
  },
  {
    name: 'disk/slow-fsync',
    promise: 'P4: no 202 comes before its fsync, and every request is answered in time',
    run: (stage, { seed }) =>
      runSlowSyncs(stage, {
        seed,
        delayMs: 300,
        loadMs: 15_000,
        delayed: 'one in twenty',
        floodPackets: 600,
      }),
    unavailable: straceUnavailable,
  },
  {
    name: 'disk/slow-fsyncs-all',
    promise: 'P4: likewise, when every fsync is slow',
    run: (stage, { seed }) =>
      runSlowSyncs(stage, { seed, delayMs: 300, loadMs: 10_000, delayed: 'all', floodPackets: 0 }),
    unavailable: straceUnavailable,
  },
  {
    name: 'disk/failing-fsync',
    promise: 'P12: after an fsync error nothing is acknowledged',
    run: (stage, { seed }) => runFailingSyncs(stage, { seed, rounds: 10 }),
    unavailable: straceUnavailable,
  },
  {
    name: 'disk/failing-write',
    promise: 'P6: a refused packet is stored once when it is sent again',
    run: (stage, { seed }) => runFailingWrites(stage, { seed, rounds: 6 }),
    unavailable: straceUnavailable,
  },
  {
    name: 'disk/failing-checkpoint',
    promise: 'P6: a checkpoint that fails costs nothing',
    run: (stage, { seed }) => runFailingCheckpoint(stage, { seed }),
    unavailable: straceUnavailable,
  },
  {
    name: 'disk/held-snapshot',
    promise: 'P22: a reader that holds its snapshot does not let the log grow without bound',
    run: (stage, { seed }) => runHeldSnapshot(stage, { seed, holdMs: 60_000 }),
    unavailable: always,
  },
  {
    name: 'disk/full',
    promise: 'P11: a full disk refuses, and recovers when it grows',
    run: (stage, { seed }) => runFullDisk(stage, { seed, mebibytes: 8, grownMebibytes: 64 }),
    unavailable: mountUnavailable,
  },
  {
    name: 'disk/full-in-checkpoint',
    promise: 'P11: likewise, when the log leaves no room for its checkpoint',
    run: (stage, { seed }) => runFullDisk(stage, { seed, mebibytes: 80, grownMebibytes: 400 }),
    unavailable: mountUnavailable,
  },
  {
    name: 'disk/full-reads',
    promise: 'P11: calls can be read while the disk is full',
    run: (stage, { seed }) => runReadsOnFullDisk(stage, { seed, mebibytes: 8, grownMebibytes: 64 }),
    unavailable: mountUnavailable,
  },
  {
    name: 'disk/full-stop',
    promise: 'P19: SIGTERM ends a service whose disk is full',
    run: (stage, { seed }) => runStopOnFullDisk(stage, { seed, mebibytes: 8, grownMebibytes: 64 }),
    unavailable: mountUnavailable,
  },
  {
    name: 'clock/jumps',
    promise: 'P20: no deadline comes early or late when the wall clock is set',
    run: (stage) => runClockJumps(stage, Object.keys(jumps) as Jump[]),
    unavailable: compilerUnavailable,
  },
  {
    name: 'start/bad-databases',
    promise: 'P13: damaged files are refused or noticed, and never served',
    run: (stage, { seed }) => runBadDatabases(stage, { seed, flips: 60 }),
    unavailable: always,
  },
  {
    name: 'damage/bytes',
    promise: 'P13: bytes that change anywhere in the database are refused, or noticed, and never served',
    run: (stage, { seed }) => runDamagedBytes(stage, { seed, bytes: 2000 }),
    unavailable: always,
  },
  {
    name: 'overload/in-flight',
    promise: 'P4: requests over the cap are refused, and those under it are stored',
    run: (stage) => runOverInFlightCap(stage, { surplus: 500 }),
    unavailable: always,
  },
  {
    name: 'lock/foreign',
    promise: 'P14: behind somebody else’s lock requests are refused in time',
    run: (stage, { seed }) => runForeignLock(stage, { seed, holdMs: 10_000 }),
    unavailable: always,
  },
  {
    name: 'stop/sigterm',
    promise: 'P19: SIGTERM answers what is in flight and loses nothing',
    run: (stage, { seed }) => runStops(stage, { seed, stops: 6 }),
    unavailable: always,
  },
  {
    name: 'stop/twice',
    promise: 'P19: a second SIGTERM while the store closes is a crash like any other',
    run: (stage) => runSecondSignals(stage, { momentsMs: [100, 400, 700, 1000, 1300, 1600, 1900, 2200] }),
    unavailable: straceUnavailable,
  },
  ...mediaScenarios,
  {
    name: 'provider/faults',
    promise: 'P15: however the AI server fails, each call ends in time and nothing is left open',
    run: (stage) => runProviderFaults(stage, { callsPerMode: 20 }),
    unavailable: always,
  },
  {
    name: 'provider/certificate',
    promise: 'P15: a server with a bad certificate is sent nothing',
    run: (stage) => runBadCertificate(stage, { calls: 20 }),
    unavailable: always,
  },
  {
    name: 'provider/long-call',
    promise: 'P15: a call of four hours is analysed in 100 MiB more memory',
    run: (stage) => runLongCall(stage, { hours: 4, growthMebibytesMax: 100 }),
    unavailable: always,
  },
  {
    name: 'writer/death',
    promise: 'P21: without its writer thread the process ends',
    run: (stage, { seed }) => runWriterDeaths(stage, { seed, deaths: ['exit', 'throw', 'exit', 'throw'] }),
    unavailable: always,
  },
  {
    name: 'cluster/seeds',
    promise: 'three nodes on one simulated log lose nothing and end up equal, over 10,000 seeds',
    run: (_stage, { seed }) => runClusterSeeds(seed),
    unavailable: always,
  },
]
