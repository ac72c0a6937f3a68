/**
 * The load: closed-loop keep-alive connections that send what a packet source plans, and an account of every attempt in
 * a file of the driver's own, written before the send and after the answer. It goes on over many runs of the service.
 */

import { join } from 'node:path'
import { patience } from '../support/patience.js'
import { AttemptLog, contentHash, type History, type Outcome, readHistory } from './attempts.js'
import { bulkOutcomes, type Ending, outcomeOf, unreadable } from './outcomes.js'
import {
  PacketSource,
  type PlannedCompletion,
  type PlannedPacket,
  type SourceOptions,
} from './packet-source.js'
import type { Random } from './random.js'
import { type Answer, Connection } from './requests.js'
import { epochMs, sleep } from './stage.js'

export interface DriverOptions extends SourceOptions {
  readonly connections: number
  /** All connections together; null: as fast as the answers come. */
  readonly packetsPerSecond: number | null
  /** Packets in one request of `POST /v1/packets`; null: a request each. */
  readonly bulkPackets: number | null
}

export const ordinaryLoad: DriverOptions = {
  connections: 12,
  packetsPerSecond: null,
  bulkPackets: null,
  calls: 50,
  packetsPerCall: null,
  completes: false,
  dataBytes: 216,
  skipShare: 0.02,
  resendShare: 0.03,
  conflictShare: 0.01,
  prefix: 'call-',
}

/** After a failure: the service may be gone, or its disk full. */
const pauseMs = 20

export class LoadDriver {
  readonly #options: DriverOptions
  readonly #source: PacketSource
  readonly #log: AttemptLog
  readonly #counts: Record<Outcome, number> = { accepted: 0, duplicate: 0, refused: 0, unknown: 0 }
  #inFlight = 0
  #isHalted = true
  #loops: readonly Promise<void>[] = []

  /** `folder` must not be the service's. */
  constructor(folder: string, options: DriverOptions, random: Random) {
    this.#options = options
    this.#source = new PacketSource(options, random)
    this.#log = new AttemptLog(join(folder, 'attempts.ndjson'))
  }

  get counts(): Readonly<Record<Outcome, number>> {
    return this.#counts
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get acknowledged(): number {
    return this.#counts.accepted + this.#counts.duplicate
  }

  start(port: number): void {
    this.#isHalted = false
    this.#loops = Array.from({ length: this.#options.connections }, () => this.#loop(new Connection(port)))
  }

  /** Sends nothing more; resolves when every attempt has ended, one way or the other. */
  async halt(): Promise<void> {
    this.#isHalted = true
    await Promise.all(this.#loops)
  }

  async #loop(connection: Connection): Promise<void> {
    const { connections, packetsPerSecond } = this.#options
    const paceMs = packetsPerSecond === null ? 0 : (1000 * connections) / packetsPerSecond
    let due = performance.now()
    while (!this.#isHalted) {
      due += paceMs
      const waitMs = due - performance.now()
      if (waitMs > 1) await sleep(waitMs)
      if (this.#isHalted) break
      const outcome = await this.#sendNext(connection)
      if (outcome === 'unknown') await sleep(pauseMs)
    }
    connection.close()
  }

  async #sendNext(connection: Connection): Promise<Outcome> {
    const { bulkPackets } = this.#options
    const planned = this.#source.next()
    if (planned.kind === 'completion') return this.#complete(connection, planned.completion)
    if (bulkPackets === null) return this.#sendPacket(connection, planned.packet)
    const packets = [planned.packet]
    while (packets.length < bulkPackets) {
      const next = this.#source.next()
      if (next.kind === 'completion') await this.#complete(connection, next.completion)
      else packets.push(next.packet)
    }
    return this.#sendBulk(connection, packets)
  }

  /** All lines have one answer; an unknown one is unknown for each of them. */
  async #sendBulk(connection: Connection, packets: readonly PlannedPacket[]): Promise<Outcome> {
    const ids = packets.map(({ call, sequence, data, timestamp }) =>
      this.#log.packet(call, sequence, contentHash(data, timestamp)),
    )
    const lines = packets.map(({ call, ...body }) => JSON.stringify({ call_id: call, ...body }))
    const path = '/v1/packets'
    const answer = await this.#during(connection.post(path, lines.join('\n'), 'application/x-ndjson'))
    const outcomes = bulkOutcomes(answer, ids.length)
    for (const [i, id] of ids.entries()) this.#record(id, outcomes[i] ?? unreadable)
    return outcomes[0]?.outcome ?? 'unknown'
  }

  /** Logged before it is sent: what the account does not hold was never on the wire. */
  async #sendPacket(connection: Connection, packet: PlannedPacket): Promise<Outcome> {
    const { call, ...body } = packet
    const id = this.#log.packet(call, body.sequence, contentHash(body.data, body.timestamp))
    return this.#ended(
      id,
      await this.#during(connection.post(`/v1/call/stream/${call}`, JSON.stringify(body))),
    )
  }

  async #complete(connection: Connection, { call, totalPackets }: PlannedCompletion): Promise<Outcome> {
    const id = this.#log.completion(call, totalPackets)
    const body = JSON.stringify({ total_packets: totalPackets })
    return this.#ended(id, await this.#during(connection.post(`/v1/call/complete/${call}`, body)))
  }

  async #during(answer: Promise<Answer>): Promise<Answer> {
    this.#inFlight++
    try {
      return await answer
    } finally {
      this.#inFlight--
    }
  }

  #ended(id: number, answer: Answer): Outcome {
    return this.#record(id, outcomeOf(answer))
  }

  #record(id: number, { outcome, detail }: Ending): Outcome {
    this.#log.end(id, outcome, detail)
    this.#counts[outcome]++
    return outcome
  }

  /**
   * Sends every packet whose fate is unknown again, as a PBX would, until it is acknowledged or refused; likewise every
   * completion. Returns how many there were.
   */
  async settleUnknown(port: number, msMax = 20_000): Promise<number> {
    const until = epochMs() + patience(msMax)
    const connection = new Connection(port)
    let settled = 0
    try {
      for (;;) {
        const { packets, completions } = unsettled(this.history())
        if (packets.length + completions.length === 0) return settled
        if (epochMs() > until)
          throw new Error(`${packets.length} packets are still unknown after ${msMax} ms`)
        for (const { call, sequence } of packets) {
          await this.#sendPacket(connection, this.#source.packet(call, sequence, 0))
          settled++
        }
        for (const completion of completions) await this.#complete(connection, completion)
        await sleep(pauseMs)
      }
    } finally {
      connection.close()
    }
  }

  /** After `halt`: completes every call that is open. */
  async completeOpen(port: number): Promise<void> {
    const connection = new Connection(port)
    for (const completion of this.#source.completions()) await this.#complete(connection, completion)
    connection.close()
  }

  history(): History {
    return readHistory(this.#log.path)
  }

  close(): void {
    this.#log.close()
  }
}

function unsettled(history: History): {
  packets: readonly { call: string; sequence: number }[]
  completions: readonly PlannedCompletion[]
} {
  const settled = new Set<string>()
  for (const { call, sequence, outcome } of history.packets)
    if (outcome !== 'unknown') settled.add(`${call} ${sequence}`)
  const packets = new Map<string, { call: string; sequence: number }>()
  for (const { call, sequence } of history.packets) {
    const key = `${call} ${sequence}`
    if (!settled.has(key)) packets.set(key, { call, sequence })
  }
  const completed = new Set(
    history.completions.flatMap(({ call, outcome }) => (outcome === 'unknown' ? [] : [call])),
  )
  const completions = new Map(
    history.completions
      .filter(({ call }) => !completed.has(call))
      .map(({ call, totalPackets }) => [call, { call, totalPackets }]),
  )
  return { packets: [...packets.values()], completions: [...completions.values()] }
}
