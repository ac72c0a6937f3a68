/**
 * What does a commit cost on the shared log, beside one in the local file? Three NATS servers on this machine, which sync each
 * message; one message in flight, as a node appends; a follower takes everything, as a node does.
 *
 * Alternating rounds on one disk. A message holds so many packets of 216 bytes, as their records and facts.
 *
 * - local:  the same bytes as one row of a local file (`synchronous=FULL`), on the thread that measures
 * - log:    the service's adapter, whose client is on a thread of its own
 * - inline: the same client on the thread that measures, which is why it is not there
 *
 *   NATS_SERVER=FOLDER/nats-server node build/bench/shared-log.js [--rounds 5] [--seconds 1]
 *
 * All servers and the file share the cores and the disk of one machine: the ratios are what is worth reading.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { systemClock } from '../src/clock.js'
import { Appends } from '../src/store/cluster/jetstream/appends.js'
import { Engine } from '../src/store/cluster/jetstream/engine.js'
import { Following } from '../src/store/cluster/jetstream/following.js'
import { JetStreamLog } from '../src/store/cluster/jetstream/jetstream-log.js'
import { createStream } from '../src/store/cluster/jetstream/stream.js'
import type { AppendOutcome, LogAppend, LogMessage } from '../src/store/log.js'
import { NatsServers } from '../test/support/nats-servers.js'
import { temporaryFolder } from '../test/support/service.js'
import { median, quantile } from './measure/statistics.js'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '1' } },
})
const rounds = Number(values.rounds)
const roundMs = Number(values.seconds) * 1000
const packetsOfMessages = [1, 16, 128, 1024]
/** Record and fact of a packet. */
const packetBytes = 268
const stream = 'VS'

interface Round {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Of the measuring thread, a commit. */
  readonly busyMicros: number
}

async function round(commit: () => Promise<void> | void): Promise<Round> {
  const times: number[] = []
  const before = performance.eventLoopUtilization()
  const startedAt = performance.now()
  for (let now = startedAt; now - startedAt < roundMs; ) {
    await commit()
    const after = performance.now()
    times.push(after - now)
    now = after
  }
  const elapsedMs = performance.now() - startedAt
  const { active } = performance.eventLoopUtilization(before)
  times.sort((a, b) => a - b)
  return {
    perSecond: (times.length * 1000) / elapsedMs,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    busyMicros: (active * 1000) / times.length,
  }
}

function localCommits(folder: string): (body: Uint8Array) => void {
  const db = new Database(join(folder, 'local.db'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE batches(id INTEGER PRIMARY KEY, records BLOB NOT NULL) STRICT')
  const insert = db.prepare('INSERT INTO batches(records) VALUES (?)')
  return (body) => insert.run(body)
}

type Append = (attempt: LogAppend) => Promise<AppendOutcome>

/** The same subject for both ways to it: each message expects the last one, whoever sent it. */
function chain(trim: (through: number) => Promise<void>) {
  let last = 0
  let sent = 0
  const next = async (append: Append, body: Uint8Array): Promise<void> => {
    const outcome = await append({ subject: 'vs.log.bench', expected: last, id: `bench.${++sent}`, body })
    assert(outcome.kind === 'stored', JSON.stringify(outcome))
    last = outcome.at
    // The log must not grow over its rounds.
    if (last % 1000 === 0) await trim(last - 500)
  }
  return { next, last: () => last }
}

async function open(servers: NatsServers) {
  const options = { servers: servers.urls, name: 'bench' }
  const engine = await Engine.connect(options)
  await createStream(engine, { name: stream, base: 'bench', bytesMax: 3 * 1024 ** 3 })
  const onFailed = (error: Error) => {
    throw error
  }
  const log = await JetStreamLog.open({ engine: options, stream, onFailed })
  const appends = new Appends(engine, stream)
  const { next, last } = chain((through) => log.trim(through))
  const inThread: Append = (attempt) => new Promise((settled) => log.append(attempt, settled))
  const inline: Append = (attempt) => appends.append(attempt)
  return {
    /** Only the side that is measured follows. */
    log: { append: (body: Uint8Array) => next(inThread, body), follow: () => log.follow(last(), ignored) },
    inline: { append: (body: Uint8Array) => next(inline, body), follow: () => followInline(engine, last()) },
    close: () => Promise.all([log.close(), engine.close()]),
  }
}

const ignored = { take: () => {}, trimmed: () => {}, lost: () => {} }

function followInline(engine: Engine, after: number): () => void {
  const taker = {
    message: ({ body }: LogMessage) => following.taken(body.byteLength),
    trimmed: () => {},
    lost: () => {},
  }
  const following = new Following({ engine, clock: systemClock, stream, after, taker })
  return () => following.end()
}

async function main(t: TestContext): Promise<void> {
  const local = localCommits(temporaryFolder(t))
  const ways = await open(await NatsServers.start(t))
  for (const packets of packetsOfMessages) {
    const body = Buffer.alloc(packets * packetBytes, 'x')
    const measured = { local: [] as Round[], log: [] as Round[], inline: [] as Round[] }
    for (let n = 0; n < rounds; n++) {
      measured.local.push(await round(() => local(body)))
      for (const side of ['log', 'inline'] as const) {
        const unfollow = ways[side].follow()
        measured[side].push(await round(() => ways[side].append(body)))
        unfollow()
      }
    }
    for (const [side, list] of Object.entries(measured)) console.log(line(packets, side, list))
    const ratios = measured.log.map(
      (each, n) => each.perSecond / (measured.local[n]?.perSecond ?? Number.NaN),
    )
    const listed = ratios.map((each) => each.toFixed(2)).join(', ')
    console.log(`              log ÷ local ${median(ratios).toFixed(2)} (${listed})`)
  }
  await ways.close()
}

function line(packets: number, side: string, list: readonly Round[]): string {
  const of = (key: keyof Round) => median(list.map((each) => each[key]))
  const rate = of('perSecond')
  return [
    `${String(packets).padStart(4)} packets`,
    side.padEnd(6),
    `${rate.toFixed(0).padStart(5)} commits/s`,
    `${(rate * packets).toFixed(0).padStart(6)} packets/s`,
    `p50 ${of('p50').toFixed(2)} ms`,
    `p99 ${of('p99').toFixed(2)} ms`,
    `${of('busyMicros').toFixed(0)} µs of this thread a commit`,
  ].join('  ')
}

const cleanups: (() => unknown)[] = []
try {
  await main({ after: (cleanup: () => unknown) => cleanups.push(cleanup) } as unknown as TestContext)
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup()
}
