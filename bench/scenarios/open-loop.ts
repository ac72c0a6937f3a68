/** Latency at a given load, counted from when each packet was due: 1,000 a second, and half of saturation. */
import { warmCalls } from '../load/bulk.js'
import { generatorFault, type OpenLoop, type OpenLoopFigures, startOpenLoop } from '../load/open-loop.js'
import { newCallSet, saturate } from '../load/saturate.js'
import { bucketQuantile, histogramBetween, readMetrics } from '../measure/metrics-text.js'
import { median } from '../measure/statistics.js'
import type { Check, Context, Report, Scenario } from '../scenario.js'
import type { MeasuredServer } from '../stage/server.js'
import { perSecond, withHeadline } from './headline.js'

const calls = 1024

export interface LoadStep {
  readonly figures: OpenLoopFigures
  readonly rate: number
  /** Of the same seconds. */
  readonly commitP99Ms: number
}

/** The median of three short runs of wrk. */
export async function measureSaturation(
  { stage, seconds }: Context,
  service: MeasuredServer,
): Promise<number> {
  const rates: number[] = []
  for (let run = 0; run < 3; run++) {
    const { wrk } = await saturate(stage, service, { seconds: Math.min(seconds, 5), set: newCallSet(calls) })
    rates.push(wrk.rate)
  }
  return median(rates)
}

export async function runStep(
  loop: OpenLoop,
  { url, port }: MeasuredServer,
  load: { readonly rate: number; readonly seconds: number; readonly connections: number },
): Promise<LoadStep> {
  const set = newCallSet(calls)
  await warmCalls(url, set)
  const before = await readMetrics(url)
  const figures = await loop.run({ ...load, port, set, target: 'packet' })
  const commits = histogramBetween(before, await readMetrics(url), 'voicestream_commit_seconds')
  return { figures, rate: load.rate, commitP99Ms: bucketQuantile(commits, 0.99) * 1000 }
}

export const mistakes = ({ refused, duplicate, other, broken, unanswered }: OpenLoopFigures): number =>
  refused + duplicate + other + broken + unanswered

function rowOf(name: string, { figures, rate, commitP99Ms }: LoadStep, seconds: number) {
  const { latencyMs, lateMs, accepted, unsent } = figures
  const { p50, p99, p999, max } = latencyMs
  return [
    name,
    rate,
    accepted / seconds,
    p50,
    p99,
    p999,
    max,
    commitP99Ms,
    lateMs.p99,
    lateMs.max,
    unsent,
    mistakes(figures),
  ]
}

function latencyCheck(
  name: string,
  found: number,
  boundMs: number,
  commitFactor: number,
  commitP99Ms: number,
): Check {
  const most = Math.max(boundMs, commitFactor * commitP99Ms)
  const slow = most > boundMs ? ` (${commitFactor} × the commit p99 of ${commitP99Ms.toFixed(1)} ms)` : ''
  return {
    name: `open loop: ${name}`,
    wanted: `≤ ${most.toFixed(1)} ms${slow}`,
    found: `${found.toFixed(2)} ms`,
    isMet: found <= most,
  }
}

function checksOf(steady: LoadStep, half: LoadStep): readonly Check[] {
  const { p99, p999 } = half.figures.latencyMs
  const quiet = steady.figures.latencyMs
  return [
    {
      name: 'open loop: 1,000/s with 64 connections',
      wanted: 'p99 ≤ 25 ms, p99.9 ≤ 50 ms',
      found: `${quiet.p99.toFixed(1)} ms, ${quiet.p999.toFixed(1)} ms`,
      isMet: quiet.p99 <= 25 && quiet.p999 <= 50,
    },
    latencyCheck('p99 at 1,000/s', quiet.p99, 5, 2, steady.commitP99Ms),
    latencyCheck('p99 at half of saturation', p99, 10, 3, half.commitP99Ms),
    latencyCheck('p99.9 at half of saturation', p999, 25, 3, half.commitP99Ms),
    {
      name: 'open loop: answers that were not an accepted packet',
      wanted: '0',
      found: String(mistakes(steady.figures) + mistakes(half.figures)),
      isMet: mistakes(steady.figures) + mistakes(half.figures) === 0,
    },
  ]
}

function reportOf(steady: LoadStep, half: LoadStep, saturated: number, seconds: number): Report {
  const ms = (name: string, digits = 2) => ({ name, unit: 'ms', digits })
  const sides = [
    { name: '1,000/s, 64 connections', step: steady },
    { name: 'half of saturation, 256 connections', step: half },
  ]
  const faults = sides.map(({ name, step }) => ({ name, fault: generatorFault(step.figures) }))
  return {
    tables: [
      {
        title: `open loop, ${seconds} s each; saturation is ${perSecond(saturated)}`,
        columns: [
          { name: '' },
          { name: 'offered', unit: 'packets/s' },
          { name: 'accepted', unit: 'packets/s' },
          ...['p50', 'p99', 'p99.9', 'max', 'commit p99', 'generator late p99', 'max'].map((name) =>
            ms(name),
          ),
          { name: 'unsent' },
          { name: 'not accepted' },
        ],
        rows: sides.map(({ name, step }) => rowOf(name, step, seconds)),
      },
    ],
    charts: [
      {
        title: 'Latency distribution, open loop, from when a packet was due',
        x: { label: 'share of the packets', scale: 'tail' },
        y: { label: 'latency, ms', scale: 'log' },
        series: sides.map(({ name, step }) => ({ name, points: step.figures.latencyMs.curve })),
      },
      {
        title: 'Slowest packet of each second',
        x: { label: 'time, s', scale: 'linear' },
        y: { label: 'latency, ms', scale: 'log' },
        series: sides.map(({ name, step }) => ({
          name,
          points: step.figures.bySecond.map(({ maxMs }, second) => [second, maxMs] as const),
        })),
      },
    ],
    checks: checksOf(steady, half),
    notes: [
      'latency counts from the moment that a packet was due, so it includes the generator’s own lateness',
      ...faults.flatMap(({ name, fault }) => (fault === null ? [] : [`${name}: not trustworthy, ${fault}`])),
    ],
  }
}

async function run(context: Context): Promise<Report> {
  const { stage, isQuick, tell } = context
  const seconds = isQuick ? 10 : 60
  return withHeadline(context, async ({ service }) => {
    const saturated = await measureSaturation(context, service)
    tell(`saturation is ${perSecond(saturated)}`)
    const loop = startOpenLoop(stage)
    const steady = await runStep(loop, service, { rate: 1000, seconds, connections: 64 })
    tell('1,000/s done')
    const half = await runStep(loop, service, { rate: saturated / 2, seconds, connections: 256 })
    loop.end()
    return reportOf(steady, half, saturated, seconds)
  })
}

export const openLoop: Scenario = {
  name: 'open-loop',
  title: 'Latency at a given load',
  summary: 'Latency at fixed arrival rates, without coordinated omission: 1,000/s and half of saturation.',
  needsWrk: true,
  run,
}
