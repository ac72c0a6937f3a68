/**
 * Supervisors that never read beside others that do (P10): ingest and the healthy ones do not notice, memory does not
 * grow, and who has stalled is closed soon after it has fallen too far behind. What somebody is told who reads again in
 * time is `slow-supervisors`.
 */

import type { Socket } from 'node:net'
import { limits } from '../../src/limits.js'
import { FeedClient } from '../support/feed-client.js'
import { connectUnread } from '../support/handshake.js'
import { readMetric } from '../support/metrics.js'
import { patience } from '../support/patience.js'
import type { Service } from '../support/service.js'
import { mebibytes, residentOf } from './memory.js'
import { PacedLoad, percentile } from './paced-load.js'
import { Connection } from './requests.js'
import { epochMs, killHard, type Stage, sleep } from './stage.js'
import { judgeStream } from './stream-oracle.js'
import type { Verdict } from './verdict.js'

export interface StalledPlan {
  readonly stalled: number
  readonly healthy: number
  readonly packetsPerSecond: number
  /** With healthy supervisors alone, before and after, for comparison. */
  readonly quietMs: number
  readonly loadMs: number
  /** Bulk requests besides: sockets are full sooner, and it is over once all that stalled are closed. */
  readonly floods: boolean
  /** Bounds of time mean something on a machine that does nothing else. */
  readonly judgesTimes: boolean
}

const healthyMsMax = 250
const closedMsMax = 15_000
const growthBytesMax = 64 * 1024 * 1024
const ingestGrowthMax = 1.2
/** What a p99 moves by between two runs that are the same. */
const ingestNoiseMs = 2

/** Takes no byte off its socket until it is told to. */
class StalledSocket {
  readonly socket: Socket
  bytes = 0

  constructor(stage: Stage, port: number) {
    this.socket = connectUnread(stage, { port })
  }

  /** Everything that the kernel had taken for it. Resolves when the other side has closed. */
  readOut(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.on('data', (bytes: Buffer) => {
        this.bytes += bytes.length
      })
      this.socket.once('close', () => resolve())
      this.socket.resume()
    })
  }
}

interface Sample {
  readonly at: number
  /** What each supervisor was told so far. */
  readonly toldBytes: number
  readonly connected: number
}

export async function runStalledSupervisors(stage: Stage, plan: StalledPlan): Promise<Verdict> {
  const service = await stage.service({ dataDir: stage.folder() })
  await fillRing(service.port)
  const healthy = Array.from({ length: plan.healthy }, () => new FeedClient(stage, service, { start: 'now' }))
  for (const client of healthy) await client.live()
  // A number left out between any two: after a second its events list a hundred missing numbers.
  const load = new PacedLoad(stage, {
    service,
    packetsPerSecond: plan.packetsPerSecond,
    lanes: 16,
    name: 'wordy',
    stride: 2,
  })
  await sleep(plan.quietMs)
  const quiet = load.takeLatencies()
  const quietEvents = healthy.map(({ messages }) => messages.length)
  const before = residentOf(service.child.pid as number).bytes
  const stalled = Array.from({ length: plan.stalled }, () => new StalledSocket(stage, service.port))
  const flood = plan.floods ? new Flood(service.port) : null
  const samples = await sampleFor(plan, service, healthy)
  const floodPackets = (await flood?.stop()) ?? 0
  const total = () => load.total + floodPackets
  const loaded = load.takeLatencies()
  const grownBytes = residentOf(service.child.pid as number).bytes - before
  // Once more without them: gaps, log and database have grown meanwhile, and that is not the supervisors' doing.
  if (plan.judgesTimes) await sleep(plan.quietMs)
  const after = load.takeLatencies()
  await load.stop()
  const dropped = await readMetric(service, 'voicestream_supervisors_dropped_total')
  await Promise.race([Promise.all(stalled.map((socket) => socket.readOut())), sleep(5000)])

  const findings: string[] = []
  if (dropped !== plan.stalled) findings.push(`${dropped} of ${plan.stalled} stalled sockets were closed`)
  const lateMs = closedAfterMs(samples, stalled, plan)
  if (lateMs > patience(closedMsMax))
    findings.push(`a stalled socket was closed ${Math.round(lateMs)} ms after its bound`)
  await Promise.all(
    healthy.map((client) => client.until(() => client.events.length >= total()).catch(() => {})),
  )
  for (const [i, client] of healthy.entries()) {
    const judged = judgeStream(
      client.messages.map(({ message }) => message),
      true,
    )
    findings.push(...judged.findings.map((finding) => `healthy supervisor ${i}: ${finding}`))
    if (client.events.length !== total())
      findings.push(`healthy supervisor ${i} was told of ${client.events.length} of ${total()} packets`)
  }
  const healthyP99 = percentile(
    healthy.flatMap(({ messages }, i) => messages.slice(quietEvents[i]).map(delayOf)),
    0.99,
  )
  const [quietP99, loadedP99, afterP99] = [quiet, loaded, after].map((of) => percentile(of, 0.99)) as [
    number,
    number,
    number,
  ]
  const alone = Math.max(quietP99, afterP99)
  if (plan.judgesTimes) {
    if (healthyP99 > patience(healthyMsMax))
      findings.push(`healthy supervisors are told after ${healthyP99} ms (p99)`)
    if (loadedP99 > alone * ingestGrowthMax && loadedP99 - alone > ingestNoiseMs)
      findings.push(`ingest takes ${loadedP99.toFixed(1)} ms (p99), and ${alone.toFixed(1)} without them`)
  }
  if (grownBytes > growthBytesMax) findings.push(`memory grew by ${mebibytes(grownBytes)} MiB`)
  for (const { client } of healthy) client.dispose()
  await killHard(service)
  return {
    counts: { stalled: plan.stalled, healthy: plan.healthy, packets: total(), dropped },
    notes: {
      quietP99Ms: round(quietP99),
      loadedP99Ms: round(loadedP99),
      afterP99Ms: round(afterP99),
      healthyP99Ms: round(healthyP99),
      closedAfterMs: Math.round(lateMs),
      grownMebibytes: mebibytes(grownBytes),
    },
    faults: dropped,
    findings,
  }
}

const floodLines = 1000
const ringLines = 20_000
/** About what an event with a hundred missing numbers weighs. */
const wordyWeight = 1000

async function postWordy(connection: Connection, call: string, first: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ call_id: call, sequence: 2 * (first + i), data: 'x', timestamp: 1_700_000_000 }),
  )
  const answer = await connection.post('/v1/packets', lines.join('\n'), 'application/x-ndjson')
  if (answer.kind !== 'answered' || answer.status !== 202)
    throw new Error(`a bulk request was answered ${JSON.stringify(answer).slice(0, 200)}`)
}

/** What is held for everybody has its bound whoever listens: it must not be taken for what slow readers cost. */
async function fillRing(port: number): Promise<void> {
  const connection = new Connection(port)
  for (let sent = 0; sent * wordyWeight <= limits.feedBytesMax; sent += ringLines)
    await postWordy(connection, 'ring', sent, ringLines)
  connection.close()
}

/** A call of many missing numbers, in bulk, one request after the other: 0.8 KB an event. */
class Flood {
  #isStopped = false
  readonly #sent: Promise<number>

  constructor(port: number) {
    this.#sent = this.#run(port)
    // It is told at `stop`, and is nothing where the scenario has ended without one.
    this.#sent.catch(() => {})
  }

  /** Resolves with the packets that were acknowledged. */
  stop(): Promise<number> {
    this.#isStopped = true
    return this.#sent
  }

  async #run(port: number): Promise<number> {
    const connection = new Connection(port)
    let count = 0
    for (; !this.#isStopped; count += floodLines) {
      await postWordy(connection, 'flood', count, floodLines)
      // The healthy ones keep up with that on two cores, and it is more than a stalled one's bound within seconds.
      await sleep(200)
    }
    connection.close()
    return count
  }
}

/** For as long as the plan says; where it floods, until all that stalled are closed. */
async function sampleFor(
  { loadMs, floods, healthy: count }: StalledPlan,
  service: Service,
  healthy: readonly FeedClient[],
): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  const told = () => healthy[0]?.receivedBytes ?? 0
  const first = told()
  for (const until = epochMs() + loadMs; epochMs() < until; ) {
    await sleep(250)
    const connected = await readMetric(service, 'voicestream_supervisors')
    samples.push({ at: epochMs(), toldBytes: told() - first, connected: connected - count })
    // Not before they were there.
    if (floods && connected === count && samples.some((sample) => sample.connected > 0)) break
  }
  return samples
}

/** From when the last of them was over its bound to when it was gone. */
function closedAfterMs(
  samples: readonly Sample[],
  stalled: readonly StalledSocket[],
  { loadMs }: StalledPlan,
): number {
  const taken = Math.max(...stalled.map(({ bytes }) => bytes))
  const over = samples.find(({ toldBytes }) => toldBytes - taken > limits.supervisorLagBytesMax)
  const gone = samples.find(({ connected, toldBytes }) => connected <= 0 && toldBytes > 0)
  if (gone === undefined) return loadMs
  return over === undefined ? 0 : Math.max(0, gone.at - over.at)
}

/** From when the service took a packet to when a supervisor heard of it. */
function delayOf({ message, at }: FeedClient['messages'][number]): number {
  return performance.timeOrigin + at - Date.parse(message.at)
}

const round = (value: number) => Math.round(value * 10) / 10
