/** Single packets at saturation next to a bare handler: how near the ceiling, and where each microsecond goes. */
import {
  commitsBetween,
  newCallSet,
  type Saturation,
  saturate,
  saturatingConnections,
} from '../load/saturate.js'
import { runWrk, type WrkFigures } from '../load/wrk.js'
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

async function saturateBare(stage: Stage, bare: MeasuredServer, seconds: number): Promise<BareRound> {
  const before = processUse(bare.pid)
  const wrk = await runWrk(stage, {
    port: bare.port,
    connections: saturatingConnections,
    seconds,
    set: newCallSet(calls),
  })
  return { wrk, use: useBetween(before, processUse(bare.pid)) }
}

const of = <Round>(rounds: readonly Round[], value: (round: Round) => number) => median(rounds.map(value))

function rateTable(service: readonly Saturation[], bare: readonly BareRound[]): TableData {
  const row = (name: string, rounds: readonly { readonly wrk: WrkFigures }[]) =>
    [
      name,
      of(rounds, ({ wrk }) => wrk.rate),
      ...(['p50', 'p99', 'p999', 'max'] as const).map((key) => of(rounds, ({ wrk }) => wrk[key])),
    ] as const
  return {
    title: `wrk, ${saturatingConnections} connections, ${calls} calls`,
    columns: [
      { name: '' },
      { name: 'rate', unit: 'packets/s' },
      ...['p50', 'p99', 'p99.9', 'max'].map((name) => ({ name, unit: 'ms', digits: 2 })),
    ],
    rows: [row('VoiceStream, fsync before 202', service), row('bare uWebSockets.js handler', bare)],
  }
}

function costTable(service: readonly Saturation[], bare: readonly BareRound[]): TableData {
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
        of(service, ({ use, stored }) => use.diskBytes / stored),
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

function checks(service: readonly Saturation[], bare: readonly BareRound[]): readonly Check[] {
  const ratio = median(service.map(({ wrk }, round) => wrk.rate / (bare[round]?.wrk.rate ?? Number.NaN)))
  const bytes = of(service, ({ use, stored }) => use.diskBytes / stored)
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

async function run(context: Context): Promise<Report> {
  const { stage, rounds, seconds, tell } = context
  const service: Saturation[] = []
  const bare: BareRound[] = []
  await withHeadline(context, async ({ service: server, supervisor }) => {
    const bareServer = await startBare(stage)
    try {
      for (let round = 1; round <= rounds; round++) {
        for (const side of inTurn(round, ['service', 'bare'] as const)) {
          if (side === 'bare') bare.push(await saturateBare(stage, bareServer, seconds))
          else service.push(await saturate(stage, server, { seconds, set: newCallSet(calls) }))
        }
        tell(
          `round ${round} of ${rounds}: ${perSecond(service.at(-1)?.wrk.rate ?? 0)}, bare ${perSecond(bare.at(-1)?.wrk.rate ?? 0)}`,
        )
      }
      await assertSeen(
        supervisor,
        service.reduce((sum, { stored }) => sum + stored, 0),
      )
    } finally {
      await bareServer.stop()
    }
  })
  return {
    tables: [rateTable(service, bare), costTable(service, bare), commitTable(service)],
    charts: charts(service, bare),
    checks: checks(service, bare),
    notes: [
      'every answer was a 202 accepted: the service counted as many new packets as wrk answers, and no duplicate',
      'one supervisor was attached and saw every packet; its process and wrk share the cores',
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
