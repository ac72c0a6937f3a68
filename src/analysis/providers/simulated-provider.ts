/**
 * A provider that needs no network: it takes a while, fails with 503 as often as it is told to, and answers with an
 * account of what it read. It says in every result that it is simulated.
 */
import type { AnalysisResult, Sentiment } from '../../protocol/analysis.js'
import { seededRandom } from '../../random.js'
import { type AnalysisProvider, type AnalysisRequest, ProviderUnavailable } from '../provider.js'

export interface SimulatedProviderOptions {
  /** 0 … 1 of the attempts fail with 503. */
  readonly failureRate: number
  readonly latencyMinMs: number
  readonly latencyMaxMs: number
  readonly seed: number
}

const sentiments: readonly Sentiment[] = ['positive', 'neutral', 'negative']

export class SimulatedProvider implements AnalysisProvider {
  readonly name = 'simulated'
  readonly #options: SimulatedProviderOptions
  readonly #random: () => number

  constructor(options: SimulatedProviderOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  async analyse(request: AnalysisRequest, signal: AbortSignal): Promise<AnalysisResult> {
    const { failureRate, latencyMinMs, latencyMaxMs } = this.#options
    const latencyMs = latencyMinMs + this.#random() * (latencyMaxMs - latencyMinMs)
    const fails = this.#random() < failureRate
    const sentiment = sentiments[Math.floor(this.#random() * sentiments.length)] as Sentiment
    const confidence = Math.round((0.5 + this.#random() / 2) * 100) / 100
    await sleep(latencyMs, signal)
    if (fails) throw new ProviderUnavailable('simulated provider: 503 Service Unavailable')

    let packets = 0
    let bytes = 0
    for (const track of request.tracks)
      for await (const page of track.packetPages()) {
        packets += page.length
        for (const { data } of page) bytes += data.length
      }
    const missing = request.missingCount === 0 ? 'none missing' : `${request.missingCount} missing`
    return {
      transcription: `Simulated transcription of ${packets} packets, ${bytes} bytes of data, ${missing}.`,
      sentiment,
      confidence,
    }
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        reject(signal.reason)
      },
      { once: true },
    )
  })
}
