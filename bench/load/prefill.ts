/**
 * A database with a past: `packets` packets of 1,024 archived calls, sent through `POST /v1/packets`, completed and
 * analysed, then closed cleanly. It is built once a run and copied for each scenario, so that all start from the same.
 * The calls are archived because an open one would reach its idle timeout in the middle of a later scenario.
 */
import { readMetrics } from '../measure/metrics-text.js'
import { startService } from '../stage/server.js'
import type { Stage } from '../stage/stage.js'
import { sendRange } from './bulk.js'

const calls = 1024
const archiveMsMax = 120_000
const prefix = 'stored'
/** Only for building: nothing of it is measured. */
const quickLife = {
  'grace-period-ms': 0,
  'ai-simulated-failure-rate': 0,
  'ai-simulated-latency-min-ms': 0,
  'ai-simulated-latency-max-ms': 0,
}

async function completeAll(url: string, totalPackets: number): Promise<void> {
  const body = JSON.stringify({ total_packets: totalPackets })
  for (let first = 0; first < calls; first += 64)
    await Promise.all(
      Array.from({ length: Math.min(64, calls - first) }, async (_, index) => {
        const answer = await fetch(`${url}/v1/call/complete/${prefix}-${first + index}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
          signal: AbortSignal.timeout(15_000),
        })
        if (answer.status !== 202) throw new Error(`a completion was answered ${answer.status}`)
      }),
    )
}

async function untilArchived(url: string): Promise<void> {
  const until = performance.now() + archiveMsMax
  for (;;) {
    const archived = (await readMetrics(url)).get('voicestream_calls{state="ARCHIVED"}') ?? 0
    if (archived === calls) return
    if (performance.now() > until) throw new Error(`only ${archived} of ${calls} stored calls are archived`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

export class Prefill {
  readonly #stage: Stage
  readonly #packets: number
  #built: Promise<string> | null = null

  constructor(stage: Stage, packets: number) {
    this.#stage = stage
    this.#packets = packets
  }

  /** As many as were asked for, rounded to whole calls. */
  get packets(): number {
    return Math.ceil(this.#packets / calls) * calls
  }

  /** A fresh copy, not yet opened by anybody. */
  async copy(name: string): Promise<string> {
    this.#built ??= this.#build().catch((error: unknown) => {
      // The next scenario tries again.
      this.#built = null
      throw error
    })
    return this.#stage.copyFolder(await this.#built, name)
  }

  async #build(): Promise<string> {
    const folder = this.#stage.newFolder('stored')
    const perCall = this.packets / calls
    const service = await startService(this.#stage, folder, quickLife)
    try {
      const { accepted } = await sendRange(service.url, prefix, calls, { from: 0, through: perCall - 1 })
      if (accepted !== this.packets) throw new Error(`${accepted} of ${this.packets} packets were stored`)
      await completeAll(service.url, perCall)
      await untilArchived(service.url)
    } finally {
      await service.stop()
    }
    return folder
  }
}
