/** Single packets at saturation next to a bare handler: how near the ceiling, and where each microsecond goes. */
import {
  commitsBetween,
  newCallSet,
  type Saturation,
  saturate,
  saturatingConnections,
} from '../load/saturate.js'
import { runWrk, type WrkBuild, type WrkFigures } from '../load/wrk.js'
import { bucketQuantile, cumulative, meanOf, merged } from '../measure/metrics-text.js'
import { processUse, type UseBetween, useBetween } from '../measure/proc.js'
import { median, medianCurve } from '../measure/statistics.js'
import type { ChartData, Check, Context, Report, Scenario, TableData } from '../scenario.js'
import { type MeasuredServer, startBare } from '../stage/server.js'
import type { Stage } from '../stage/stage.js'
import { assertSeen, inTurn, perSecond, withHeadline } from './headline.js'

const calls = 1024

interface BareRound {
  readonly wrk: WrkFigures
  readonly use: UseBetween
}

async function saturateBare(
  stage: Stage,
  bare: MeasuredServer,
  seconds: number,
  build: WrkBuild,
): Promise<BareRound> {
  const before = processUse(bare.pid)
  const wrk = await runWrk(stage, {
    port: bare.port,
    connections: saturatingConnections,
    seconds,
    set: newCallSet(calls),
    build,
  })
  return { wrk, use: useBetween(before, processUse(bare.pid)) }
}

const builds = ['format', 'lean'] as const satisfies readonly WrkBuild[]
type ByBuild<Round> = Readonly<Record<WrkBuild, Round[]>>

interface Rounds {
  readonly service: ByBuild<Saturation>
  readonly bare: ByBuild<BareRound>
}

const of = <Round>(rounds: readonly Round[], value: (round: Round) => number) => median(rounds.map(value))

/** The median of the ratios within each round. */
const ratioOf = ({ service, bare }: Rounds, build: WrkBuild): number =>
  median(service[build].map(({ wrk }, round) => wrk.rate / (bare[build][round]?.wrk.rate ?? Number.NaN)))

function rateTable(rounds: Rounds): TableData {
  const row = (name: string, found: readonly { readonly wrk: WrkFigures }[], ratio: number) =>
    [
      name,
      of(found, ({ wrk }) => wrk.rate),
      ratio,
      ...(['p50', 'p99', 'p999', 'max'] as const).map((key) => of(found, ({ wrk }) => wrk[key])),
    ] as const
  return {
    title: `wrk, ${saturatingConnections} connections, ${calls.toLocaleString('en')} calls`,
    columns: [
      { name: '' },
      { name: 'rate', unit: 'packets/s' },
      { name: 'to bare', digits: 2 },
      ...['p50', 'p99', 'p99.9', 'max'].map((name) => ({ name, unit: 'ms', digits: 2 })),
    ],
    rows: builds.flatMap((build) => [
      row(`VoiceStream, fsync before 202 (${build})`, rounds.service[build], ratioOf(rounds, build)),
      row(`bare uWebSockets.js handler (${build})`, rounds.bare[build], 1),
    ]),
  }
}

/** Over all rounds, because a checkpoint writes for many seconds before it. */
function bytesPerPacket({ service }: Rounds): number {
  const all = builds.flatMap((build) => service[build])
  const sum = (value: (round: Saturation) => number) => all.reduce((total, round) => total + value(round), 0)
  return sum(({ use }) => use.diskBytes) / sum(({ stored }) => stored)
}

function costTable(rounds: Rounds): TableData {
  const service = rounds.service.format
  const bare = rounds.bare.format
  const micros = (key: 'mainMicros' | 'writerMicros' | 'otherMicros') =>
    of(service, ({ use, stored }) => use[key] / stored)
  return {
    title: 'CPU time and bytes a packet',
    columns: [
      { name: '' },
      ...['main thread', 'writer thread', 'other threads'].map((name) => ({ name, unit: 'µs', digits: 2 })),
      { name: 'written to disk', unit: 'bytes' },
    ],
    rows: [
      [
        'VoiceStream',
        micros('mainMicros'),
        micros('writerMicros'),
        micros('otherMicros'),
        bytesPerPacket(rounds),
      ],
      ['bare handler', of(bare, ({ use, wrk }) => use.mainMicros / wrk.requests), null, null, null],
    ],
  }
}

function commitTable(service: readonly Saturation[]): TableData {
  const commits = service.map(commitsBetween)
  const ms = (share: number) => of(commits, ({ seconds }) => bucketQuantile(seconds, share) * 1000)
  return {
    title: 'commits (quantiles are interpolated within the buckets of /metrics)',
    columns: [
      { name: '' },
      { name: 'packets, mean', digits: 0 },
      ...['time, mean', 'p50', 'p99', 'p99.9'].map((name) => ({ name, unit: 'ms', digits: 2 })),
    ],
    rows: [
      [
        'a commit',
        of(commits, ({ packets }) => meanOf(packets)),
        of(commits, ({ seconds }) => meanOf(seconds) * 1000),
        ms(0.5),
        ms(0.99),
        ms(0.999),
      ],
    ],
  }
}

function charts(service: readonly Saturation[], bare: readonly BareRound[]): readonly ChartData[] {
  const all = service.map(commitsBetween)
  const sizes = cumulative(merged(all.map(({ packets }) => packets)))
  const times = cumulative(merged(all.map(({ seconds }) => seconds)))
  const share = { label: 'commits up to that, %', scale: 'linear', from: 0 } as const
  const percent = (points: readonly (readonly [number, number])[], factor: number) =>
    points.map(([x, y]) => [x * factor, y * 100] as const)
  return [
    {
      title: 'Latency distribution at saturation (closed loop)',
      x: { label: 'share of the answers', scale: 'tail' },
      y: { label: 'latency, ms', scale: 'log' },
      series: [
        { name: 'VoiceStream', points: medianCurve(service.map(({ wrk }) => wrk.curve)) },
        { name: 'bare handler', points: medianCurve(bare.map(({ wrk }) => wrk.curve)) },
      ],
    },
    {
      title: 'Commit size at saturation',
      x: { label: 'packets in a commit', scale: 'log' },
      y: share,
      series: [{ name: 'commits', points: percent(sizes, 1) }],
    },
    {
      title: 'Commit time at saturation, fsync included',
      x: { label: 'time of a commit, ms', scale: 'log' },
      y: share,
      series: [{ name: 'commits', points: percent(times, 1000) }],
    },
  ]
}

function checks(rounds: Rounds): readonly Check[] {
  const ratio = ratioOf(rounds, 'format')
  const bytes = bytesPerPacket(rounds)
  return [
    ...[0.6, 0.8].map((wanted) => ({
      name: wanted === 0.6 ? 'saturation: rate to the bare handler' : 'saturation: the target of the same',
      wanted: `≥ ${wanted}`,
      found: ratio.toFixed(2),
      isMet: ratio >= wanted,
    })),
    {
      name: 'saturation: written to disk a packet',
      wanted: '≤ 1,024 bytes',
      found: `${bytes.toFixed(0)} bytes`,
      isMet: bytes <= 1024,
    },
  ]
}

async function measure(context: Context, rounds: Rounds): Promise<void> {
  const { stage, seconds, tell } = context
  await withHeadline(context, async ({ service: server, supervisor }) => {
    const bareServer = await startBare(stage)
    try {
      for (let round = 1; round <= context.rounds; round++) {
        for (const build of inTurn(round, builds))
          for (const side of inTurn(round, ['service', 'bare'] as const)) {
            if (side === 'bare')
              rounds.bare[build].push(await saturateBare(stage, bareServer, seconds, build))
            else
              rounds.service[build].push(
                await saturate(stage, server, { seconds, set: newCallSet(calls), build }),
              )
          }
        const { service, bare } = rounds
        const rates = builds.map(
          (build) =>
            `${build} ${perSecond(service[build].at(-1)?.wrk.rate ?? 0)} of ${perSecond(bare[build].at(-1)?.wrk.rate ?? 0)}`,
        )
        tell(`round ${round} of ${context.rounds}: ${rates.join(', ')}`)
      }
      const all = builds.flatMap((build) => rounds.service[build])
      await assertSeen(
        supervisor,
        all.reduce((sum, { stored }) => sum + stored, 0),
      )
    } finally {
      await bareServer.stop()
    }
  })
}

async function run(context: Context): Promise<Report> {
  const rounds: Rounds = { service: { format: [], lean: [] }, bare: { format: [], lean: [] } }
  await measure(context, rounds)
  const { service, bare } = rounds
  return {
    tables: [rateTable(rounds), costTable(rounds), commitTable(service.format)],
    charts: charts(service.format, bare.format),
    checks: checks(rounds),
    notes: [
      'every answer was a 202 accepted: the service counted as many new packets as wrk answers, and no duplicate',
      'one supervisor was attached and saw every packet; its process and wrk share the cores',
      'format: requests are built by wrk.format, as in every script; that bounds wrk, and so the bare handler, at about 50,000/s. lean: they are pieced together, and the bare handler meets its own limit. Costs, commits and checks are those of format',
    ],
  }
}

export const saturation: Scenario = {
  name: 'saturation',
  title: 'Single packets at saturation',
  summary: 'Rate, latency, CPU time and bytes a packet with 256 connections of wrk, next to a bare handler.',
  needsWrk: true,
  run,
}
