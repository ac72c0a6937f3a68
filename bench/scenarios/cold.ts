/**
 * A cold start: a fresh process meets 6,000 packets a second of 1,024 new calls in its first second, as after every
 * restart, when PBXs send again what they held back.
 */
import { type OpenLoop, type OpenLoopFigures, startOpenLoop } from '../load/open-loop.js'
import { newCallSet } from '../load/saturate.js'
import { median } from '../measure/statistics.js'
import type { Context, Report, Scenario } from '../scenario.js'
import { type MeasuredServer, startBare, startService } from '../stage/server.js'
import { inTurn } from './headline.js'
import { mistakes } from './open-loop.js'

const rate = 6000
const seconds = 3
const connections = 256
const calls = 1024
const p99MsMax = 50

interface Cold {
  readonly p50: number
  /** Of the first second, and of the last one. */
  readonly firstP99: number
  readonly firstMax: number
  readonly lastP99: number
  readonly lateP99: number
  readonly mistakes: number
}

const coldOf = (figures: OpenLoopFigures): Cold => ({
  p50: figures.latencyMs.p50,
  firstP99: figures.bySecond[0]?.p99Ms ?? Number.NaN,
  firstMax: figures.bySecond[0]?.maxMs ?? Number.NaN,
  lastP99: figures.bySecond.at(-1)?.p99Ms ?? Number.NaN,
  lateP99: figures.lateMs.p99,
  mistakes: mistakes(figures) + figures.unsent,
})

const burst = (loop: OpenLoop, { port }: MeasuredServer) =>
  loop.run({ port, rate, seconds, connections, set: newCallSet(calls, 0), target: 'packet' })

async function measure({ stage }: Context, loop: OpenLoop, side: 'service' | 'bare'): Promise<Cold> {
  const folder = stage.newFolder('cold')
  const server = side === 'bare' ? await startBare(stage) : await startService(stage, folder)
  try {
    return coldOf(await burst(loop, server))
  } finally {
    await server.stop()
    stage.removeFolder(folder)
  }
}

/** The generator must not be cold itself. */
async function warmGenerator({ stage }: Context, loop: OpenLoop): Promise<void> {
  const bare = await startBare(stage)
  await burst(loop, bare)
  await bare.stop()
}

const rowOf = (name: string, runs: readonly Cold[]) => {
  const of = (key: keyof Cold) => median(runs.map((run) => run[key]))
  return [
    name,
    of('p50'),
    of('firstP99'),
    of('firstMax'),
    of('lastP99'),
    of('lateP99'),
    of('mistakes'),
  ] as const
}

function reportOf(service: readonly Cold[], bare: readonly Cold[]): Report {
  const ms = ['p50', 'first second p99', 'max', 'last second p99', 'generator late p99']
  const [, , p99, , , , failures] = rowOf('', service)
  return {
    tables: [
      {
        title: `${rate} packets/s of ${calls} new calls on a process that has just started, ${seconds} s`,
        columns: [
          { name: '' },
          ...ms.map((name) => ({ name, unit: 'ms', digits: 1 })),
          { name: 'not accepted' },
        ],
        rows: [rowOf('VoiceStream', service), rowOf('bare uWebSockets.js handler', bare)],
      },
    ],
    charts: [],
    checks: [
      {
        name: 'cold start: p99 of the first second',
        wanted: `below ${p99MsMax} ms, all accepted`,
        found: `${p99.toFixed(1)} ms, ${failures} not accepted`,
        isMet: p99 < p99MsMax && failures === 0,
      },
    ],
    notes: [
      'latency counts from the moment that a packet was due; the load begins within 0.1 s of `listening`',
    ],
  }
}

async function run(context: Context): Promise<Report> {
  const { stage, rounds, tell } = context
  const loop = startOpenLoop(stage)
  const found: { service: Cold[]; bare: Cold[] } = { service: [], bare: [] }
  try {
    await warmGenerator(context, loop)
    for (let round = 1; round <= rounds; round++) {
      for (const side of inTurn(round, ['service', 'bare'] as const))
        found[side].push(await measure(context, loop, side))
      tell(
        `round ${round} of ${rounds}: p99 ${found.service.at(-1)?.firstP99.toFixed(1)} ms, bare ${found.bare.at(-1)?.firstP99.toFixed(1)}`,
      )
    }
  } finally {
    loop.end()
  }
  return reportOf(found.service, found.bare)
}

export const cold: Scenario = {
  name: 'cold',
  title: 'Cold start',
  summary: 'Latency in the first second of a process, when 1,024 new calls come at 6,000 packets/s.',
  needsWrk: false,
  run,
}
