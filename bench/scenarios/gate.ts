/**
 * The latency gate: autocannon drives 64 connections of unique in-order packets over 1,024 calls into the service, without
 * readers and with them in turn, next to a bare uWebSockets.js handler in the same run. Fails when either p99 ≥ 50 ms.
 *
 * The readers: a dashboard that connects every 2 s (picture, floor, reads of the page), transcripts of long calls in a
 * loop, and a socket that asks for the picture and is never read. Nobody waits for a reader (V11).
 */
import autocannon from 'autocannon'
import { packetBody } from '../load/packets.js'
import { Readers, storeLongCalls } from '../load/readers.js'
import type { ReaderCounts } from '../load/readers-process.js'
import { assertAccepted } from '../load/saturate.js'
import { storeCalls } from '../load/stored-calls.js'
import { readMetrics } from '../measure/metrics-text.js'
import { median, mediansOf } from '../measure/statistics.js'
import type { Check, Context, Report, Scenario } from '../scenario.js'
import { type MeasuredServer, startBare, startService } from '../stage/server.js'
import { inTurn, perSecond } from './headline.js'

const connections = 64
const callsPerConnection = 16
const p99MsMax = 50
/** Half of them are live: the picture is larger than the kernel's buffers, so a socket that is not read does stall. */
const storedCalls = 30_000
const storedCallsQuick = 20_000
const longCalls = 4
const longPackets = 20_000
const longPacketsQuick = 5000

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
async function drive(url: string, load: string, seconds: number): Promise<Figures> {
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
            const path = `/v1/call/stream/gate-${load}-${first + (sent % callsPerConnection)}`
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

interface Sides {
  readonly service: Figures[]
  readonly readers: Figures[]
  readonly bare: Figures[]
}

const row = (name: string, figures: readonly Figures[]) => {
  const { rate, p50, p99, p999, max } = mediansOf(figures, ['rate', 'p50', 'p99', 'p999', 'max'])
  return [name, rate, p50, p99, p999, max, figures.reduce((sum, { errors }) => sum + errors, 0)] as const
}

const check = (name: string, [, rate, , p99, , , errors]: ReturnType<typeof row>): Check => ({
  name,
  wanted: `below ${p99MsMax} ms, no errors`,
  found: `${p99} ms at ${perSecond(rate)}, ${errors} errors`,
  isMet: p99 < p99MsMax && errors === 0,
  isGate: true,
})

/** The median over the rounds of what one side has to the other in the same round. */
const ratioOf = (one: readonly Figures[], other: readonly Figures[], key: 'rate' | 'p99') =>
  median(one.map((figures, round) => figures[key] / (other[round]?.[key] ?? Number.NaN))).toFixed(2)

function reportOf(sides: Sides, counts: readonly ReaderCounts[], seconds: number): Report {
  const alone = row('VoiceStream, fsync before 202', sides.service)
  const read = row('VoiceStream beside readers', sides.readers)
  const units = ['p50', 'p99', 'p99.9', 'max'].map((name) => ({ name, unit: 'ms', digits: 1 }))
  const sum = (
    key: 'pictures' | 'late' | 'pageReads' | 'transcripts' | 'transcriptBytes' | 'stalled' | 'refused',
  ) => counts.reduce((total, one) => total + one[key], 0)
  const inAll = seconds * counts.length
  const pictureMs = Math.round(median(counts.flatMap((one) => one.pictureMs)))
  const mebibytes = Math.round(sum('transcriptBytes') / 2 ** 20)
  return {
    tables: [
      {
        title: `autocannon, ${connections} connections, ${connections * callsPerConnection} calls`,
        columns: [{ name: '' }, { name: 'rate', unit: 'requests/s' }, ...units, { name: 'errors' }],
        rows: [alone, read, row('bare uWebSockets.js handler', sides.bare)],
      },
    ],
    charts: [],
    checks: [
      check('gate: p99 with 64 connections', alone),
      check('gate: p99 with 64 connections beside readers', read),
    ],
    notes: [
      `with readers to without, in the same round: rate ${ratioOf(sides.readers, sides.service, 'rate')}, p99 ${ratioOf(sides.readers, sides.service, 'p99')}`,
      `in ${inAll} s the readers took ${sum('pictures')} pictures (${pictureMs} ms each, ${sum('late')} more were not whole after 10 s), ${sum('pageReads')} reads of the page, ${sum('transcripts')} transcripts of ${mebibytes} MiB in all; ${sum('stalled')} sockets were never read, ${sum('refused')} reads were refused for the moment`,
      `rate to the bare handler: ${ratioOf(sides.service, sides.bare, 'rate')}; autocannon itself tops out near 20,000/s a core, so both sides are bound by it`,
    ],
  }
}

/** Throws when somebody did not read, or met what is no answer: the figures would be those of a service without readers. */
function assertRead(counts: readonly ReaderCounts[]): void {
  const failures = counts.flatMap((one) => one.failures)
  if (failures.length > 0) throw new Error(`readers met ${failures.length} failures: ${failures[0]}`)
  for (const key of ['pictures', 'pageReads', 'transcripts', 'stalled'] as const)
    if (counts.every((one) => one[key] === 0)) throw new Error(`there were no ${key}`)
}

async function run({ stage, rounds, seconds, isQuick, tell }: Context): Promise<Report> {
  const folder = stage.newFolder('gate')
  tell('storing calls to read')
  await storeCalls(folder, isQuick ? storedCallsQuick : storedCalls)
  const service = await startService(stage, folder, { 'ai-provider': 'local', 'grace-period-ms': 100 })
  const readers = new Readers(stage)
  const bare = await startBare(stage)
  try {
    const calls = await storeLongCalls(service, longCalls, isQuick ? longPacketsQuick : longPackets)
    const sides: Sides = { service: [], readers: [], bare: [] }
    const counts: ReaderCounts[] = []
    const before = await readMetrics(service.url)
    for (let round = 1; round <= rounds; round++) {
      for (const side of inTurn(round, ['service', 'readers', 'bare'] as const)) {
        const server: MeasuredServer = side === 'bare' ? bare : service
        if (side === 'readers') await readers.begin(service, calls)
        sides[side].push(await drive(server.url, `${side}-${round}`, seconds))
        if (side === 'readers') counts.push(await readers.end())
      }
      const [alone, read, without] = [sides.service, sides.readers, sides.bare].map((figures) =>
        figures.at(-1),
      )
      tell(
        `round ${round} of ${rounds}: ${perSecond(alone?.rate ?? 0)} p99 ${alone?.p99} ms, beside readers ${perSecond(read?.rate ?? 0)} p99 ${read?.p99} ms, bare ${perSecond(without?.rate ?? 0)}`,
      )
    }
    const answers = [...sides.service, ...sides.readers].reduce((sum, { answered }) => sum + answered, 0)
    assertAccepted(before, await readMetrics(service.url), { answers, inFlightMax: 2 * connections * rounds })
    assertRead(counts)
    return reportOf(sides, counts, seconds)
  } finally {
    readers.stop()
    await bare.stop()
    await service.stop()
    stage.removeFolder(folder)
  }
}

export const gate: Scenario = {
  name: 'gate',
  title: 'Latency gate',
  summary:
    'Latency with 64 closed-loop connections of autocannon, without readers and with them, next to a bare handler.',
  needsWrk: false,
  run,
}
