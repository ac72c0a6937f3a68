/** Packets of many calls at a fixed rate through `POST /v1/packets`: a tenth of a second in a request. */
import { packetLine } from './packets.js'

const turnsPerSecond = 10

export class BulkPacer {
  readonly #url: string
  readonly #calls: number
  #next = 0

  constructor(url: string, calls: number) {
    this.#url = url
    this.#calls = calls
  }

  /** Resolves with the packets a second that were accepted; what could not be sent in time is not made up for. */
  async run(rate: number, seconds: number): Promise<number> {
    const startedAt = performance.now()
    let accepted = 0
    for (let turn = 0; turn < seconds * turnsPerSecond; turn++) {
      const dueAt = startedAt + (turn * 1000) / turnsPerSecond
      const waitMs = dueAt - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
      accepted += await this.#send(Math.round(rate / turnsPerSecond))
      if (performance.now() - startedAt > seconds * 1000) break
    }
    return accepted / ((performance.now() - startedAt) / 1000)
  }

  async #send(count: number): Promise<number> {
    const lines: string[] = []
    for (let index = 0; index < count; index++, this.#next++)
      lines.push(packetLine(`call-${this.#next % this.#calls}`, Math.floor(this.#next / this.#calls)))
    const answer = await fetch(`${this.#url}/v1/packets`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.join(''),
    })
    const result = (await answer.json()) as { readonly accepted?: number }
    return result.accepted ?? 0
  }
}
