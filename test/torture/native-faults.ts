/**
 * A gateway's trunk of native streams, while the service is killed or the network is cut, again and again: everything that the
 * gateway handed over is stored once, with its bytes, in the end. The account is the gateway's own.
 */
import { WebSocket } from 'ws'
import { IngestClient, ingestProtocol } from '../../src/client/ingest-client.js'
import { freePort } from '../support/asterisk.js'
import { startCutProxy } from '../support/cut-proxy.js'
import type { Service } from '../support/service.js'
import { MediaReaders } from './media-readers.js'
import { randomOf } from './random.js'
import { packetsOf } from './read-media.js'
import { epochMs, killHard, type Stage, sleep, within } from './stage.js'
import type { Verdict } from './verdict.js'

export interface NativePlan {
  readonly seed: number
  readonly streams: number
  readonly fault: 'kill' | 'cut'
  readonly faults: number
}

const packetBytes = 160
const blockPackets = 5
/** The streams take turns: a block each 300 ms, which is a third of real time, so that all of it can be read back. */
const turns = 60
const turnMs = 5
const underWayMsMax = 500
const faultAfterMs = { first: 100, last: 900 }
const cutForMs = { first: 1, last: 150 }
/** Some seconds of them all. */
const ringBytes = 8 * 1024 * 1024
const settleMsMax = 60_000
const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }

/** Says whose it is and where. */
export function nativePacket(stream: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(packetBytes, (stream * 31 + sequence) & 0xff)
  bytes.writeUInt16LE(stream, 0)
  bytes.writeUInt32LE(sequence, 2)
  return bytes
}

export async function runNativeFaults(stage: Stage, plan: NativePlan): Promise<Verdict> {
  const random = randomOf(plan.seed)
  const options = { dataDir: stage.folder(), settings: { PORT: await freePort(), LOG_LEVEL: 'info' } }
  let service = await stage.service(options)
  const line = await startCutProxy(stage, service.port)
  const readers = new MediaReaders(stage, () => service)
  const trunk = new Trunk(stage, line.port, plan.streams)
  let underLoad = 0
  for (let fault = 0; fault < plan.faults; fault++) {
    await sleep(random.integer(faultAfterMs.first, faultAfterMs.last))
    if (trunk.acknowledgedBytes > 0 && (await trunk.underWay())) underLoad++
    if (plan.fault === 'kill') {
      await killHard(service)
      service = await stage.service(options)
    } else {
      line.cut()
      await sleep(random.integer(cutForMs.first, cutForMs.last))
      line.mend()
    }
  }
  const findings = await trunk.end()
  const stored = await verify(service, trunk)
  await readers.stop()
  await killHard(service)
  return {
    counts: {
      streams: plan.streams,
      packets: trunk.packets,
      stored: stored.packets,
      connections: trunk.connections,
      reads: readers.reads,
    },
    notes: { notTaken: trunk.notTaken },
    faults: underLoad,
    findings: [
      ...findings,
      ...stored.findings,
      ...(underLoad * 2 >= plan.faults
        ? []
        : [`only ${underLoad} of ${plan.faults} faults met blocks under way`]),
    ],
  }
}

class Trunk {
  readonly client: IngestClient
  readonly streams: readonly number[]
  /** Packets that the client has taken, by stream. */
  readonly sent: number[]
  readonly #refused = new Map<string, number>()
  readonly #pump: NodeJS.Timeout
  readonly #beganAt = performance.now()
  #turn = 0
  connections = 0
  notTaken = 0

  constructor(stage: Stage, port: number, streams: number) {
    this.client = new IngestClient({
      connect: () => new WebSocket(`ws://127.0.0.1:${port}/v1/media/native`, ingestProtocol),
      firstWaitMs: 10,
      longestWaitMs: 100,
      ringBytes,
      onStatus: (status) => {
        if (status === 'connected') this.connections++
      },
      onRefused: ({ code }) => this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1),
    })
    stage.after(() => this.client.dispose())
    this.streams = Array.from({ length: streams }, (_, stream) =>
      this.client.open({ callId: `native-${stream}`, start: { media }, packetBytes }),
    )
    this.sent = this.streams.map(() => 0)
    this.#pump = setInterval(() => this.#sendTurn(), turnMs)
    stage.after(() => clearInterval(this.#pump))
  }

  get packets(): number {
    return this.sent.reduce((sum, count) => sum + count, 0)
  }

  get acknowledgedBytes(): number {
    return this.packets * packetBytes - this.client.waitingBytes
  }

  /** Resolves while something is not acknowledged, or when that takes too long. */
  async underWay(): Promise<boolean> {
    const until = epochMs() + underWayMsMax
    while (this.client.waitingBytes === 0 && epochMs() < until)
      await new Promise((resolve) => setImmediate(resolve))
    return this.client.waitingBytes > 0
  }

  #sendTurn(): void {
    // What the timer is late is made up for.
    const due = Math.floor((performance.now() - this.#beganAt) / turnMs)
    for (; this.#turn < due; this.#turn++) this.#sendBlocks(this.#turn % turns)
  }

  #sendBlocks(turn: number): void {
    for (const [index, stream] of this.streams.entries()) {
      if (index % turns !== turn) continue
      const first = this.sent[index] as number
      const packets = Array.from({ length: blockPackets }, (_, at) => nativePacket(index, first + at))
      if (this.client.send(stream, Buffer.concat(packets))) this.sent[index] = first + blockPackets
      else this.notTaken++
    }
  }

  /** Closes all streams, and is told what is missing of them. */
  async end(): Promise<readonly string[]> {
    clearInterval(this.#pump)
    const ended = await within(
      settleMsMax,
      Promise.all(this.streams.map((stream) => this.client.close(stream))),
    )
    if (ended === null)
      return [`after ${settleMsMax} ms ${this.client.waitingBytes} bytes are not acknowledged`]
    const missing = ended.value.reduce((sum, count) => sum + count, 0)
    return [
      ...(missing > 0 ? [`${missing} packets were acknowledged and are missing`] : []),
      ...[...this.#refused].map(([code, count]) => `${count} blocks or streams were refused: ${code}`),
    ]
  }
}

async function verify(
  { port }: Service,
  { sent }: Trunk,
): Promise<{ readonly packets: number; readonly findings: readonly string[] }> {
  const findings: string[] = []
  let packets = 0
  for (const [stream, count] of sent.entries()) {
    let next = 0
    let wrong = 0
    for await (const { sequence, data } of packetsOf(port, `native-${stream}`)) {
      packets++
      if (sequence !== next || !data.equals(nativePacket(stream, sequence))) wrong++
      next = sequence + 1
    }
    if (wrong > 0 || next !== count)
      findings.push(
        `native-${stream}: ${count} packets were handed over, ${next} are stored, ${wrong} not as they were`,
      )
  }
  return { packets, findings }
}
