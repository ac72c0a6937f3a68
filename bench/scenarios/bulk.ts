/** Whole trunks in one request: packets a second next to single packets, and how long a big request holds the loop. */
import { bulkBytesMax, sendBulk, warmCalls } from '../load/bulk.js'
import { type OpenLoop, type OpenLoopFigures, startOpenLoop } from '../load/open-loop.js'
import { type CallSet, endlessLines } from '../load/packets.js'
import { newCallSet, saturate } from '../load/saturate.js'
import { type Readings, readMetrics } from '../measure/metrics-text.js'
import { median, mediansOf } from '../measure/statistics.js'
import type { Check, Context, Report, Scenario, TableData } from '../scenario.js'
import type { MeasuredServer } from '../stage/server.js'
import { assertSeen, perSecond, withHeadline } from './headline.js'

const connections = 4
const calls = 1024
const probesPerSecond = 200
const loopHeldMsMax = 10
const bodies = [
  { name: 'bulk, 4 MiB a request', bytes: bulkBytesMax },
  { name: 'bulk, 256 KiB a request', bytes: 256 * 1024 },
] as const
/** The service's own look at its loop comes every 10 ms, and the lag that it counts includes that. */
const lagResolutionMs = 10

interface BulkRound {
  readonly rate: number
  readonly requestsPerSecond: number
  readonly refused: number
  readonly liveP99: number
  readonly liveMax: number
  readonly packetP99: number
  readonly packetMax: number
  readonly lagMax: number
  readonly lateMax: number
}

async function probe(
  loop: OpenLoop,
  port: number,
  seconds: number,
  set: CallSet,
): Promise<OpenLoopFigures[]> {
  const plan = { port, rate: probesPerSecond, seconds, connections: 16, set } as const
  return Promise.all([loop.run({ ...plan, target: 'live' }), loop.run({ ...plan, target: 'packet' })])
}

async function measure(
  service: MeasuredServer,
  loop: OpenLoop,
  bodyBytesMax: number,
  seconds: number,
): Promise<BulkRound> {
  const { url, port } = service
  const set = newCallSet(calls)
  const probed = newCallSet(64)
  await warmCalls(url, set)
  await warmCalls(url, probed)
  // A look resets what the service knows of its loop's lag.
  await readMetrics(url)
  const lanes = Array.from({ length: connections }, (_, lane) => endlessLines(set, lane, connections))
  const [bulk, probes] = await Promise.all([
    sendBulk({ url, lanes, bodyBytesMax, seconds }),
    probe(loop, port, seconds, probed),
  ])
  const lagMax = loopLagMs(await readMetrics(url))
  const [live, packet] = probes
  if (live === undefined || packet === undefined) throw new Error('a probe is missing')
  return {
    rate: (bulk.accepted * 1000) / bulk.elapsedMs,
    requestsPerSecond: (bulk.requests * 1000) / bulk.elapsedMs,
    refused: bulk.refused,
    liveP99: live.latencyMs.p99,
    liveMax: live.latencyMs.max,
    packetP99: packet.latencyMs.p99,
    packetMax: packet.latencyMs.max,
    lagMax,
    lateMax: Math.max(live.lateMs.max, packet.lateMs.max),
  }
}

/**
 * How long the loop is held while requests of 4 MiB come one at a time: with nothing else to do, the thread seldom waits
 * for a core, which the service's lag would count too.
 */
async function measureHold({ url }: MeasuredServer, seconds: number): Promise<number> {
  const set = newCallSet(calls)
  await warmCalls(url, set)
  await readMetrics(url)
  const { requests } = await sendBulk({
    url,
    lanes: [endlessLines(set, 0, 1)],
    bodyBytesMax: bulkBytesMax,
    seconds,
  })
  if (requests === 0) throw new Error('no request of 4 MiB was answered')
  return loopLagMs(await readMetrics(url))
}

function loopLagMs(readings: Readings): number {
  const seconds = readings.get('voicestream_nodejs_eventloop_lag_max_seconds') ?? Number.NaN
  return seconds * 1000 - lagResolutionMs
}

const keys = ['rate', 'requestsPerSecond', 'liveP99', 'liveMax', 'packetP99', 'packetMax', 'lagMax'] as const

function table(
  single: readonly number[],
  bulk: readonly BulkRound[][],
  ratios: readonly number[],
): TableData {
  const ms = (name: string) => ({ name, unit: 'ms', digits: 1 })
  const rows = bulk.map((rounds, index) => {
    const { rate, requestsPerSecond, ...probes } = mediansOf(rounds, keys)
    const refused = rounds.reduce((sum, round) => sum + round.refused, 0)
    const { liveP99, liveMax, packetP99, packetMax, lagMax } = probes
    const latencies = [liveP99, liveMax, packetP99, packetMax, lagMax]
    return [bodies[index]?.name ?? '', rate, ratios[index] ?? null, requestsPerSecond, ...latencies, refused]
  })
  return {
    title: `${connections} connections of bulk requests; single packets by wrk; ${probesPerSecond} probes a second of each kind`,
    columns: [
      { name: '' },
      { name: 'rate', unit: 'packets/s' },
      { name: 'to single', digits: 2 },
      { name: 'requests/s', digits: 1 },
      ...['/health/live p99', 'max', 'packet p99', 'max', 'loop lag max'].map(ms),
      { name: '503' },
    ],
    rows: [['single packets', median(single), 1, null, null, null, null, null, null, null], ...rows],
  }
}

function checks(heldMs: number, ratios: readonly number[]): readonly Check[] {
  return [
    ...ratios.map((ratio, index) => ({
      name: `${bodies[index]?.name}: to single packets`,
      wanted: '≥ 5',
      found: ratio.toFixed(2),
      isMet: ratio >= 5,
    })),
    {
      name: 'bulk, requests of 4 MiB one at a time: the loop is held at most',
      wanted: `≤ ${loopHeldMsMax} ms`,
      found: `${heldMs.toFixed(1)} ms`,
      isMet: heldMs <= loopHeldMsMax,
    },
  ]
}

function reportOf(single: readonly number[], bulk: readonly BulkRound[][], held: readonly number[]): Report {
  const ratioOf = (rounds: readonly BulkRound[]) =>
    median(rounds.map(({ rate }, round) => rate / (single[round] ?? Number.NaN)))
  const ratios = bulk.map(ratioOf)
  const late = median(bulk.flat().map(({ lateMax }) => lateMax))
  return {
    tables: [table(single, bulk, ratios)],
    charts: [],
    checks: checks(median(held), ratios),
    notes: [
      `how long the loop is held by requests of 4 MiB one at a time, the longest of each round: ${held.map((ms) => ms.toFixed(1)).join(', ')} ms. In the table it also counts four requests at once and threads that wait for a core`,
      'a packet probe also waits for the commit that holds it, next to megabytes of bulk packets',
      `the generator of the probes was late by up to ${late.toFixed(1)} ms (median of the rounds’ maxima)`,
    ],
  }
}

async function run(context: Context): Promise<Report> {
  const { stage, rounds, seconds, tell } = context
  const single: number[] = []
  const bulk: BulkRound[][] = bodies.map(() => [])
  const held: number[] = []
  await withHeadline(context, async ({ service, supervisor }) => {
    const loop = startOpenLoop(stage)
    let stored = 0
    for (let round = 1; round <= rounds; round++) {
      const one = await saturate(stage, service, { seconds, set: newCallSet(calls) })
      stored += one.stored
      single.push(one.wrk.rate)
      for (const [index, { bytes }] of bodies.entries())
        bulk[index]?.push(await measure(service, loop, bytes, seconds))
      held.push(await measureHold(service, seconds))
      const rates = bulk.map((rounds_) => perSecond(rounds_.at(-1)?.rate ?? 0))
      tell(`round ${round} of ${rounds}: single ${perSecond(one.wrk.rate)}, bulk ${rates.join(', ')}`)
    }
    loop.end()
    await assertSeen(supervisor, stored)
  })
  return reportOf(single, bulk, held)
}

export const bulk: Scenario = {
  name: 'bulk',
  title: 'Many packets a request',
  summary: 'POST /v1/packets against single packets, and what a request of 4 MiB does to everybody else.',
  needsWrk: true,
  run,
}
