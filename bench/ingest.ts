/**
 * The latency gate: autocannon drives 64 connections of unique in-order packets over 1,024 calls into the service with
 * its default configuration, next to a bare uWebSockets.js handler in the same run. Fails when p99 ≥ 50 ms.
 *
 *   npm run bench [-- --rounds 5 --seconds 8 --dir FOLDER]
 *
 * FOLDER must be on a real disk: a tmpfs hides what an fsync costs.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import autocannon from 'autocannon'
import Table from 'cli-table3'
import { startServer } from './child.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '8' },
    dir: { type: 'string', default: tmpdir() },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const connections = 64
const callsPerConnection = 16
const p99MsMax = 50
const data = 'x'.repeat(216)

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
async function drive(url: string, round: number): Promise<Figures> {
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
            const path = `/v1/call/stream/bench-${round}-${first + (sent % callsPerConnection)}`
            const sequence = Math.floor(sent++ / callsPerConnection)
            const timestamp = 1_700_000_000 + sequence / 50
            return {
              ...request,
              path,
              body: `{"sequence":${sequence},"data":"${data}","timestamp":${timestamp}}`,
            }
          },
        },
      ])
    },
  })
  const { latency, requests } = result
  const answered = result.statusCodeStats?.['202']?.count ?? 0
  const errors = result.errors + result.timeouts + result.non2xx + requests.total - answered
  return {
    rate: requests.average,
    p50: latency.p50,
    p99: latency.p99,
    p999: latency.p99_9,
    max: latency.max,
    errors,
    answered,
  }
}

/** A load of duplicates, or of something else than packets, would be measured just as happily. */
async function assertAccepted(url: string, answered: number): Promise<void> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const count = (status: string) =>
    Number(
      new RegExp(`^voicestream_packets_total\\{status="${status}"\\} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0,
    )
  assert(
    answered > 0 && count('accepted') >= answered && count('duplicate') === 0,
    'every answer was for a new packet',
  )
}

const median = (numbers: readonly number[]) =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

function medians(all: readonly Figures[]): Figures {
  const of = (key: keyof Figures) => median(all.map((figures) => figures[key]))
  const errors = all.reduce((sum, figures) => sum + figures.errors, 0)
  const answered = all.reduce((sum, figures) => sum + figures.answered, 0)
  return {
    rate: of('rate'),
    p50: of('p50'),
    p99: of('p99'),
    p999: of('p999'),
    max: of('max'),
    errors,
    answered,
  }
}

const folder = mkdtempSync(join(values.dir, 'voicestream-bench-'))
const service = await startServer(['dist/main.js'], {
  VOICESTREAM_PORT: '0',
  VOICESTREAM_DATA_DIR: folder,
  VOICESTREAM_LOG_LEVEL: 'info',
})
const bare = await startServer(['build/bench/bare-handler.js'])
const measured: Record<'service' | 'bare', Figures[]> = { service: [], bare: [] }
try {
  for (let round = 1; round <= rounds; round++) {
    measured.service.push(await drive(service.url, round))
    measured.bare.push(await drive(bare.url, round))
    console.log(
      `round ${round} of ${rounds}: service ${measured.service.at(-1)?.rate.toFixed(0)}/s, bare handler ${measured.bare.at(-1)?.rate.toFixed(0)}/s`,
    )
  }
  await assertAccepted(service.url, medians(measured.service).answered)
} finally {
  await service.stop()
  await bare.stop()
  rmSync(folder, { recursive: true, force: true })
}

const table = new Table({
  head: ['', 'requests/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'errors'],
  colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [] },
})
for (const [name, all] of Object.entries(measured)) {
  const { rate, p50, p99, p999, max, errors } = medians(all)
  table.push([
    name === 'service' ? 'VoiceStream, fsync before 202' : 'bare uWebSockets.js handler',
    rate.toFixed(0),
    p50,
    p99,
    p999,
    max.toFixed(1),
    errors,
  ])
}
console.log(
  `${connections} connections, ${connections * callsPerConnection} calls, medians of ${rounds} alternating rounds of ${seconds} s`,
)
console.log(table.toString())
const found = medians(measured.service)
console.log(
  `ratio to the bare handler: ${(found.rate / medians(measured.bare).rate).toFixed(2)} (autocannon itself tops out near 20,000/s a core)`,
)
if (found.errors > 0 || !(found.p99 < p99MsMax)) {
  console.error(`failed: p99 ${found.p99} ms (must be below ${p99MsMax}), ${found.errors} errors`)
  process.exitCode = 1
}
