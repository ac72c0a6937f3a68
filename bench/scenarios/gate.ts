/**
 * The latency gate: autocannon drives 64 connections of unique in-order packets over 1,024 calls into the service with
 * its default configuration, next to a bare uWebSockets.js handler in the same run. Fails when p99 ≥ 50 ms.
 */
import autocannon from 'autocannon'
import { packetBody } from '../load/packets.js'
import { assertAccepted } from '../load/saturate.js'
import { readMetrics } from '../measure/metrics-text.js'
import { median, mediansOf } from '../measure/statistics.js'
import type { Context, Report, Scenario } from '../scenario.js'
import { startBare, startService } from '../stage/server.js'
import { inTurn, perSecond } from './headline.js'

const connections = 64
const callsPerConnection = 16
const p99MsMax = 50

interface Figures {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly errors: number
  /** Answers of 202. */
  readonly answered: number
}

/** Each connection plays its own calls in turn, so the packets of every call arrive in order. */
async function drive(url: string, round: number, seconds: number): Promise<Figures> {
  let connection = 0
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    setupClient: (client) => {
      const first = connection++ * callsPerConnection
      let sent = 0
      client.setRequests([
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          setupRequest: (request) => {
            const path = `/v1/call/stream/gate-${round}-${first + (sent % callsPerConnection)}`
            const sequence = Math.floor(sent++ / callsPerConnection)
            return { ...request, path, body: packetBody(sequence) }
          },
        },
      ])
    },
  })
  const { latency, requests } = result
  const answered = result.statusCodeStats?.['202']?.count ?? 0
  return {
    rate: requests.average,
    p50: latency.p50,
    p99: latency.p99,
    p999: latency.p99_9,
    max: latency.max,
    errors: result.errors + result.timeouts + result.non2xx + requests.total - answered,
    answered,
  }
}

function reportOf(service: readonly Figures[], bare: readonly Figures[]): Report {
  const row = (name: string, figures: readonly Figures[]) => {
    const { rate, p50, p99, p999, max } = mediansOf(figures, ['rate', 'p50', 'p99', 'p999', 'max'])
    const errors = figures.reduce((sum, one) => sum + one.errors, 0)
    return [name, rate, p50, p99, p999, max, errors] as const
  }
  const found = row('VoiceStream, fsync before 202', service)
  const ratio = median(service.map(({ rate }, round) => rate / (bare[round]?.rate ?? Number.NaN)))
  const units = ['p50', 'p99', 'p99.9', 'max'].map((name) => ({ name, unit: 'ms', digits: 1 }))
  return {
    tables: [
      {
        title: `autocannon, ${connections} connections, ${connections * callsPerConnection} calls`,
        columns: [{ name: '' }, { name: 'rate', unit: 'requests/s' }, ...units, { name: 'errors' }],
        rows: [found, row('bare uWebSockets.js handler', bare)],
      },
    ],
    charts: [],
    checks: [
      {
        name: 'gate: p99 with 64 connections',
        wanted: `below ${p99MsMax} ms, no errors`,
        found: `${found[3]} ms at ${perSecond(found[1])}, ${found[6]} errors`,
        isMet: found[3] < p99MsMax && found[6] === 0,
        isGate: true,
      },
    ],
    notes: [
      `ratio to the bare handler: ${ratio.toFixed(2)}; autocannon itself tops out near 20,000/s a core, so both sides are bound by it`,
    ],
  }
}

async function run({ stage, rounds, seconds, tell }: Context): Promise<Report> {
  const folder = stage.newFolder('gate')
  const service = await startService(stage, folder)
  const bare = await startBare(stage)
  const sides = { service: [] as Figures[], bare: [] as Figures[] }
  try {
    const before = await readMetrics(service.url)
    for (let round = 1; round <= rounds; round++) {
      for (const side of inTurn(round, ['service', 'bare'] as const))
        sides[side].push(await drive(side === 'service' ? service.url : bare.url, round, seconds))
      tell(
        `round ${round} of ${rounds}: ${perSecond(sides.service.at(-1)?.rate ?? 0)}, bare ${perSecond(sides.bare.at(-1)?.rate ?? 0)}`,
      )
    }
    const answers = sides.service.reduce((sum, { answered }) => sum + answered, 0)
    assertAccepted(before, await readMetrics(service.url), { answers, inFlightMax: connections * rounds })
  } finally {
    await bare.stop()
    await service.stop()
    stage.removeFolder(folder)
  }
  return reportOf(sides.service, sides.bare)
}

export const gate: Scenario = {
  name: 'gate',
  title: 'Latency gate',
  summary: 'Latency with 64 closed-loop connections of autocannon, next to a bare handler.',
  needsWrk: false,
  run,
}
