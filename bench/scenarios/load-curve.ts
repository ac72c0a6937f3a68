/** Latency against load, from a tenth of saturation to beyond it, and what happens at twice of it. */
import { limits } from '../../src/limits.js'
import { generatorFault, type OpenLoop, startOpenLoop } from '../load/open-loop.js'
import { openFilesMax, residentMib } from '../measure/proc.js'
import { mostOf, pointsOf, type Sample, sampleEvery } from '../measure/sampler.js'
import type { ChartData, Check, Context, Report, Scenario, TableData } from '../scenario.js'
import type { MeasuredServer } from '../stage/server.js'
import { perSecond, withHeadline } from './headline.js'
import { type LoadStep, measureSaturation, mistakes, runStep } from './open-loop.js'

const stepConnections = 1024
const overloadFactor = 2
/** More than the service admits at a time; fewer would make a closed loop of the overload. */
const overloadConnections = limits.burstRequestsMax * 2
const acceptedP99MsMax = 50
const memoryGrowthMibMax = 64

interface Overload {
  readonly step: LoadStep
  readonly connections: number
  readonly seconds: number
  readonly resident: readonly Sample[]
  /** What `/health/ready` said, and how often. */
  readonly ready: ReadonlyMap<string, number>
}

async function askReady(url: string): Promise<string> {
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5000) })
  const { reasons, title } = (await answer.json()) as { reasons?: string[]; title?: string }
  return `${answer.status} ${reasons?.join('+') ?? title ?? ''}`.trim()
}

async function overload(
  loop: OpenLoop,
  service: MeasuredServer,
  load: { readonly rate: number; readonly seconds: number },
): Promise<Overload> {
  const connections = Math.min(overloadConnections, openFilesMax() - 1000)
  const ready = new Map<string, number>()
  const resident = sampleEvery(250, () => residentMib(service.pid))
  const asking = sampleEvery(250, async () => {
    const said = await askReady(service.url).catch((error: Error) => error.name)
    ready.set(said, (ready.get(said) ?? 0) + 1)
    return 0
  })
  try {
    const step = await runStep(loop, service, { ...load, connections })
    return { step, connections, seconds: load.seconds, resident: resident.samples, ready }
  } finally {
    await Promise.all([resident.stop(), asking.stop()])
  }
}

function stepTable(steps: readonly LoadStep[], saturated: number, seconds: number): TableData {
  const ms = (name: string) => ({ name, unit: 'ms', digits: 2 })
  return {
    title: `${stepConnections} connections, ${seconds} s a step; saturation is ${perSecond(saturated)}`,
    columns: [
      { name: 'load', unit: '% of saturation' },
      { name: 'offered', unit: 'packets/s' },
      { name: 'accepted', unit: 'packets/s' },
      ...['p50', 'p99', 'p99.9', 'max', 'commit p99', 'generator late p99'].map(ms),
      { name: 'unsent' },
      { name: 'not accepted' },
    ],
    rows: steps.map(({ rate, figures, commitP99Ms }) => {
      const { latencyMs, lateMs, accepted, unsent } = figures
      const { p50, p99, p999, max } = latencyMs
      const load = (rate / saturated) * 100
      return [
        load,
        rate,
        accepted / seconds,
        p50,
        p99,
        p999,
        max,
        commitP99Ms,
        lateMs.p99,
        unsent,
        mistakes(figures),
      ]
    }),
  }
}

function overloadTable({ step, connections, seconds, resident, ready }: Overload): TableData {
  const { figures, rate } = step
  const { p50, p99, p999 } = figures.serviceMs
  const row = (name: string, value: number | string, unit = '') => [name, value, unit]
  return {
    title: `overload: ${overloadFactor} × saturation over ${connections} connections, ${seconds} s`,
    columns: [{ name: '' }, { name: 'found', digits: 1 }, { name: 'unit' }],
    rows: [
      row('offered', rate, 'packets/s'),
      row('sent', (figures.offered - figures.unsent) / seconds, 'packets/s'),
      row('accepted', figures.accepted / seconds, 'packets/s'),
      row('503 with Retry-After', figures.refused),
      row('other answers, broken, unanswered', mistakes(figures) - figures.refused),
      row('accepted: p50 from when it was sent', p50, 'ms'),
      row('accepted: p99 from when it was sent', p99, 'ms'),
      row('accepted: p99.9 from when it was sent', p999, 'ms'),
      row('accepted: p99 from when it was due', figures.latencyMs.p99, 'ms'),
      row('generator late p99', figures.lateMs.p99, 'ms'),
      row('resident at the start', resident[0]?.value ?? Number.NaN, 'MiB'),
      row('resident at most', mostOf(resident), 'MiB'),
      row('/health/ready said', [...ready].map(([said, count]) => `${count} × ${said}`).join(', ')),
    ],
  }
}

function charts(steps: readonly LoadStep[], resident: readonly Sample[]): readonly ChartData[] {
  const load = { label: 'offered load, packets/s', scale: 'linear', from: 0 } as const
  const latency = (key: 'p50' | 'p99' | 'p999') =>
    steps.map(({ rate, figures }) => [rate, figures.latencyMs[key]] as const)
  return [
    {
      title: 'Latency against load, from when a packet was due',
      x: load,
      y: { label: 'latency, ms', scale: 'log' },
      series: [
        { name: 'p50', points: latency('p50') },
        { name: 'p99', points: latency('p99') },
        { name: 'p99.9', points: latency('p999') },
      ],
    },
    {
      title: `Memory at ${overloadFactor} × saturation`,
      x: { label: 'time, s', scale: 'linear' },
      y: { label: 'resident memory, MiB', scale: 'linear', from: 0 },
      series: [{ name: 'service', points: pointsOf(resident) }],
    },
  ]
}

/** The first quarter is left out: the connections are opened in it. */
function growthMib(resident: readonly Sample[]): number {
  const settled = resident.slice(resident.length >> 2)
  return mostOf(settled) - (settled[0]?.value ?? Number.NaN)
}

function checks({ step, resident, ready }: Overload): readonly Check[] {
  const { figures } = step
  const { p99 } = figures.serviceMs
  const refusesWell = figures.refused > 0 && mistakes(figures) === figures.refused
  const reasons = [...ready.keys()].filter((said) => said.startsWith('503'))
  const growth = growthMib(resident)
  const name = (what: string) => `overload, ${overloadFactor} × saturation: ${what}`
  return [
    {
      name: name('p99 of the accepted'),
      wanted: `≤ ${acceptedP99MsMax} ms`,
      found: `${p99.toFixed(1)} ms`,
      isMet: p99 <= acceptedP99MsMax,
    },
    {
      name: name('the rest'),
      wanted: 'only 503 with Retry-After',
      found: `${figures.refused} such, ${mistakes(figures) - figures.refused} others`,
      isMet: refusesWell,
    },
    {
      name: name('memory'),
      wanted: `grows by ≤ ${memoryGrowthMibMax} MiB`,
      found: `${growth.toFixed(0)} MiB`,
      isMet: growth <= memoryGrowthMibMax,
    },
    {
      name: name('/health/ready'),
      wanted: '503 with a reason',
      found: reasons.join(', ') || 'never 503',
      isMet: reasons.some((said) => said.length > 4),
    },
  ]
}

const percents = {
  quick: [10, 30, 50, 70, 80, 90, 100, 120],
  full: [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120],
}

async function run(context: Context): Promise<Report> {
  const { stage, seconds, isQuick, tell } = context
  const steps: LoadStep[] = []
  const { saturated, beyond } = await withHeadline(context, async ({ service }) => {
    const rate = await measureSaturation(context, service)
    const loop = startOpenLoop(stage)
    for (const percent of isQuick ? percents.quick : percents.full) {
      const step = await runStep(loop, service, {
        rate: (rate * percent) / 100,
        seconds,
        connections: stepConnections,
      })
      steps.push(step)
      tell(`${percent} % of ${perSecond(rate)}: p99 ${step.figures.latencyMs.p99.toFixed(1)} ms`)
    }
    const above = await overload(loop, service, { rate: rate * overloadFactor, seconds: seconds * 3 })
    loop.end()
    return { saturated: rate, beyond: above }
  })
  const doubted = steps.filter(({ figures }) => figures.unsent === 0 && generatorFault(figures) !== null)
  const { figures } = beyond.step
  return {
    tables: [stepTable(steps, saturated, seconds), overloadTable(beyond)],
    charts: charts(steps, beyond.resident),
    checks: checks(beyond),
    notes: [
      'the generator shares the cores: the service saturates earlier than with wrk, and beyond that point latency is queueing before a free connection, which counts',
      `steps at which the generator itself was late by more than 5 ms at p99: ${doubted.length}`,
      `at ${overloadFactor} × saturation the generator sent ${((1 - figures.unsent / figures.offered) * 100).toFixed(0)} % of what was due`,
      'a refused packet is sent again in place of a later one, as a PBX would',
    ],
  }
}

export const loadCurve: Scenario = {
  name: 'load-curve',
  title: 'Latency against load, and overload',
  summary: 'Latency from 10 % to 120 % of saturation, and what is answered, held and said at twice of it.',
  needsWrk: true,
  run,
}
