/** Packets at a steady rate: some calls, each sent by a lane of its own, in order, again until it is acknowledged. */
import { type Answer, Connection } from './requests.js'
import { epochMs, type Stage, sleep } from './stage.js'

export interface PacedPlan {
  /** Asked for its port again and again: a restarted service has another one. */
  readonly service: { readonly port: number }
  readonly packetsPerSecond: number
  readonly lanes: number
  /** Of each call id. */
  readonly name: string
  /** Sequences go up by so much: 2 leaves a gap between any two, so that events list missing numbers. */
  readonly stride?: number
  readonly firstSequence?: number
}

const retryMs = 20

export class PacedLoad {
  readonly #plan: PacedPlan
  readonly #sent = new Map<string, number>()
  #latenciesMs: number[] = []
  #isStopped = false
  /** The service may be gone: nothing is waited for. */
  #isAbandoned = false
  readonly #lanes: Promise<void>[]

  constructor(stage: Stage, plan: PacedPlan) {
    this.#plan = plan
    stage.after(() => {
      this.#isAbandoned = true
      return this.stop()
    })
    this.#lanes = Array.from({ length: plan.lanes }, (_, lane) => this.#run(`${plan.name}-${lane}`, lane))
  }

  /** So many packets of each call are acknowledged. */
  get acknowledged(): ReadonlyMap<string, number> {
    return this.#sent
  }

  get total(): number {
    return [...this.#sent.values()].reduce((sum, count) => sum + count, 0)
  }

  /** The time of each answer since the last look. */
  takeLatencies(): number[] {
    const taken = this.#latenciesMs
    this.#latenciesMs = []
    return taken
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#lanes)
  }

  async #run(call: string, lane: number): Promise<void> {
    const { service, packetsPerSecond, lanes, stride = 1, firstSequence = 0 } = this.#plan
    let { port } = service
    let connection = new Connection(port)
    const everyMs = (1000 * lanes) / packetsPerSecond
    let dueAt = epochMs() + (everyMs * lane) / lanes
    for (let count = 0; !this.#isStopped; count++) {
      const body = JSON.stringify({
        sequence: firstSequence + count * stride,
        data: `packet ${count} of ${call}`,
        timestamp: 1_700_000_000 + count / 50,
      })
      await sleep(Math.max(0, dueAt - epochMs()))
      // Stopped with an answer, so that every packet that was sent is accounted for.
      while (!(await this.#deliver(connection, call, body)) && !this.#isAbandoned) {
        await sleep(retryMs)
        if (service.port === port) continue
        connection.close()
        port = service.port
        connection = new Connection(port)
      }
      this.#sent.set(call, count + 1)
      // What a kill held up is not made up for: that would be a burst.
      dueAt = Math.max(dueAt + everyMs, epochMs())
    }
    connection.close()
  }

  async #deliver(connection: Connection, call: string, body: string): Promise<boolean> {
    const startedAt = epochMs()
    const answer: Answer = await connection.post(`/v1/call/stream/${call}`, body)
    this.#latenciesMs.push(epochMs() - startedAt)
    if (answer.kind === 'answered' && answer.status < 500 && answer.status !== 202)
      throw new Error(`a packet of ${call} was answered ${answer.status}: ${answer.text}`)
    return answer.kind === 'answered' && answer.status === 202
  }
}

/** What a packet may take beside a crowd, in milliseconds: the promise, or on a busy machine twice what it took alone in the same run. */
export function besideMsMax(aloneMs: readonly number[]): number {
  return Math.max(50, 2 * percentile(aloneMs, 0.99))
}

/** A second of warm-up, then four that count. */
export async function latenciesAlone(load: PacedLoad): Promise<readonly number[]> {
  await sleep(1000)
  load.takeLatencies()
  await sleep(4000)
  return load.takeLatencies()
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
