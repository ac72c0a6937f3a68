/** Readers beside a load, and the long calls that they read. */
import { Helper } from '../stage/helper.js'
import { readersProgram } from '../stage/paths.js'
import type { MeasuredServer } from '../stage/server.js'
import type { Stage } from '../stage/stage.js'
import { sendBulk } from './bulk.js'
import type { ReaderCounts } from './readers-process.js'

/** Whoever ends waits for pictures that were begun. */
const answerMsMax = 30_000
const analysedMsMax = 180_000
const words = [
  'I am not happy with this bill at all.',
  'Thank you for waiting, I can see it here.',
  'That is great, you have been very helpful.',
  'It does not work and nobody calls back.',
]

export class Readers {
  readonly #helper: Helper

  constructor(stage: Stage) {
    this.#helper = new Helper(stage, readersProgram)
  }

  begin({ port }: MeasuredServer, calls: readonly string[]): Promise<void> {
    return this.#helper.ask('begin', { port, calls }, answerMsMax)
  }

  end(): Promise<ReaderCounts> {
    return this.#helper.ask('end', null, answerMsMax)
  }

  stop(): void {
    this.#helper.end()
  }
}

/** Calls of so many text packets that are completed and analysed (`ai-provider` is `local`). Returns their ids. */
export async function storeLongCalls(
  server: MeasuredServer,
  count: number,
  packets: number,
): Promise<readonly string[]> {
  const calls = Array.from({ length: count }, (_, index) => `long-${index}`)
  const post = async (path: string, body: string) => {
    const answer = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    if (answer.status !== 202) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  }
  for (const call of calls) await post(`/v1/call/start/${call}`, '{"media":{"encoding":"text"}}')
  await sendBulk({ url: server.url, lanes: calls.map((call) => textLines(call, packets)) })
  for (const call of calls) await post(`/v1/call/complete/${call}`, `{"total_packets":${packets}}`)
  for (const call of calls) await archived(server, call)
  return calls
}

function* textLines(call: string, packets: number): Generator<string> {
  for (let sequence = 0; sequence < packets; sequence++)
    yield `{"call_id":"${call}","sequence":${sequence},"data":"${words[sequence % words.length]}","timestamp":${1_700_000_000 + sequence}}\n`
}

async function archived(server: MeasuredServer, call: string): Promise<void> {
  const until = Date.now() + analysedMsMax
  for (;;) {
    const answer = await fetch(`${server.url}/v1/call/${call}`)
    const { state } = (await answer.json()) as { readonly state: string }
    if (state === 'ARCHIVED') return
    if (state === 'FAILED' || Date.now() > until) throw new Error(`call ${call} is ${state}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
