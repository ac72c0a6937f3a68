/** How long a crashed service takes until it serves again, and whether it says 202 to anything before that. */

import { statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { sendRange } from '../load/bulk.js'
import { AnswerReader } from '../load/connection.js'
import { packetBody } from '../load/packets.js'
import { readMetrics } from '../measure/metrics-text.js'
import { median } from '../measure/statistics.js'
import type { Context, Report, Scenario } from '../scenario.js'
import { startService } from '../stage/server.js'
import { inTurn } from './headline.js'

interface Case {
  readonly name: string
  readonly calls: number
  readonly packets: number
  readonly readyMsMax: number
}

const cases: readonly Case[] = [
  { name: '1,000 open calls, 100,000 packets', calls: 1000, packets: 100_000, readyMsMax: 2000 },
  { name: '10,000 open calls, 1,000,000 packets', calls: 10_000, packets: 1_000_000, readyMsMax: 10_000 },
]
const pollMs = 5
const checkedCalls = 20

interface Crashed extends Case {
  readonly folder: string
  readonly tailMib: number
  readonly walMib: number
}

/** Fills a service and kills it: what it has not folded yet stays in the journal's tail, and the WAL as it is. */
async function crash({ stage, tell }: Context, one: Case): Promise<Crashed> {
  const folder = stage.newFolder('crashed')
  const service = await startService(stage, folder)
  try {
    const { accepted } = await sendRange(service.url, 'open', one.calls, {
      from: 0,
      through: one.packets / one.calls - 1,
    })
    if (accepted !== one.packets) throw new Error(`${accepted} of ${one.packets} packets were stored`)
    const tailBytes = (await readMetrics(service.url)).get('voicestream_journal_tail_bytes') ?? Number.NaN
    tell(`${one.name}: stored, killing it`)
    await service.kill()
    const walMib = statSync(join(folder, 'voicestream.db-wal')).size / 2 ** 20
    return { ...one, folder, tailMib: tailBytes / 2 ** 20, walMib }
  } finally {
    await service.kill()
  }
}

/** One request on a connection of its own: its status, or how it failed. */
function tryRequest(port: number, request: string): Promise<number | 'refused' | 'broken'> {
  return new Promise((resolve) => {
    const reader = new AnswerReader()
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    const end = (outcome: number | 'refused' | 'broken') => {
      socket.destroy()
      resolve(outcome)
    }
    socket.setTimeout(5000, () => end('broken'))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? 'refused' : 'broken'),
    )
    socket.on('close', () => resolve('broken'))
    socket.on('connect', () => socket.write(request, 'latin1'))
    socket.on('data', (chunk) => {
      const answer = reader.take(chunk.toString('latin1'))
      if (answer !== null) end(answer.status)
    })
  })
}

function ingestRequest(sequence: number): string {
  const body = packetBody(sequence)
  return `POST /v1/call/stream/polled HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}
const readyRequest = 'GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

interface Watched {
  readonly readyMs: number
  /** Answers to packets before it was ready. */
  readonly refused: number
  readonly unavailable: number
  readonly broken: number
  /** Accepted although it was not ready: a false promise. */
  readonly tooEarly: number
}

/** Asks in turn, so that a 202 can be held against what `/health/ready` says right after it. */
async function watch(port: number, startedAt: number, msMax: number): Promise<Watched> {
  const seen = { refused: 0, unavailable: 0, broken: 0, tooEarly: 0 }
  for (let sequence = 0; performance.now() < startedAt + msMax; sequence++) {
    const ingest = await tryRequest(port, ingestRequest(sequence))
    const ready = await tryRequest(port, readyRequest)
    const readyMs = performance.now() - startedAt
    if (ready === 200) return { ...seen, readyMs }
    if (ingest === 202) seen.tooEarly++
    else if (ingest === 503) seen.unavailable++
    else seen[ingest === 'refused' ? 'refused' : 'broken']++
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  throw new Error(`not ready after ${msMax} ms`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function assertKept(url: string, { calls, packets }: Case): Promise<void> {
  for (let i = 0; i < checkedCalls; i++) {
    const call = Math.floor((i * calls) / checkedCalls)
    const answer = await fetch(`${url}/v1/call/open-${call}`, { signal: AbortSignal.timeout(15_000) })
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(`call ${call} was answered ${answer.status}: ${text}`)
    const { total_received, missing_count } = JSON.parse(text) as {
      total_received: number
      missing_count: number
    }
    if (total_received !== packets / calls || missing_count !== 0)
      throw new Error(`call ${call} has ${total_received} of ${packets / calls} packets after the crash`)
  }
}

async function restart({ stage }: Context, crashed: Crashed): Promise<Watched> {
  const folder = stage.copyFolder(crashed.folder, 'restart')
  const port = await freePort()
  const startedAt = performance.now()
  const starting = startService(stage, folder, { port })
  const watching = watch(port, startedAt, crashed.readyMsMax * 5)
  // It is awaited below; until then its failure must not count as nobody's.
  watching.catch(() => {})
  const service = await starting
  try {
    const watched = await watching
    await assertKept(service.url, crashed)
    return watched
  } finally {
    await service.kill()
    await watching.catch(() => {})
    stage.removeFolder(folder)
  }
}

function reportOf(
  found: readonly { readonly crashed: Crashed; readonly rounds: readonly Watched[] }[],
): Report {
  const sum = (rounds: readonly Watched[], key: keyof Watched) =>
    rounds.reduce((total, round) => total + round[key], 0)
  const ready = (rounds: readonly Watched[]) => median(rounds.map(({ readyMs }) => readyMs))
  return {
    tables: [
      {
        title: 'from SIGKILL to ready',
        columns: [
          { name: 'left behind' },
          { name: 'unfolded tail', unit: 'MiB' },
          { name: 'WAL', unit: 'MiB' },
          { name: 'ready after', unit: 'ms' },
          { name: 'slowest', unit: 'ms' },
          ...['refused', '503', 'broken', '202 too early'].map((name) => ({
            name: `packets before: ${name}`,
          })),
        ],
        rows: found.map(({ crashed, rounds }) => [
          crashed.name,
          crashed.tailMib,
          crashed.walMib,
          ready(rounds),
          Math.max(...rounds.map(({ readyMs }) => readyMs)),
          ...(['refused', 'unavailable', 'broken', 'tooEarly'] as const).map((key) => sum(rounds, key)),
        ]),
      },
    ],
    charts: [],
    checks: found.flatMap(({ crashed, rounds }) => [
      {
        name: `restart: ready with ${crashed.name}`,
        wanted: `≤ ${crashed.readyMsMax.toLocaleString('en')} ms`,
        found: `${ready(rounds).toFixed(0)} ms`,
        isMet: ready(rounds) <= crashed.readyMsMax,
      },
      {
        name: `restart: 202 before ready, ${crashed.name}`,
        wanted: '0',
        found: String(sum(rounds, 'tooEarly')),
        isMet: sum(rounds, 'tooEarly') === 0,
      },
    ]),
    notes: [
      'each round starts from a copy of what the killed process left; the copy is in the page cache, as after a crash of the process (not of the machine)',
      `the time counts from the spawn, so it holds the start of Node; ${checkedCalls} calls were compared with what was acknowledged`,
    ],
  }
}

async function run(context: Context): Promise<Report> {
  const found: { crashed: Crashed; rounds: Watched[] }[] = []
  for (const one of cases) found.push({ crashed: await crash(context, one), rounds: [] })
  for (let round = 1; round <= context.rounds; round++) {
    for (const { crashed, rounds } of inTurn(round, found)) rounds.push(await restart(context, crashed))
    context.tell(
      `round ${round}: ready after ${found.map(({ rounds }) => `${rounds.at(-1)?.readyMs.toFixed(0)} ms`).join(', ')}`,
    )
  }
  for (const { crashed } of found) context.stage.removeFolder(crashed.folder)
  return reportOf(found)
}

export const restartScenario: Scenario = {
  name: 'restart',
  title: 'Start after a crash',
  summary: 'From spawn to ready on what a SIGKILL left, with packets offered meanwhile.',
  needsWrk: false,
  run,
}
