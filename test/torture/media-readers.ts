/** Readers beside media streams (V11): supervisors that never read, and somebody who reads transcripts, lists and packets in a loop. */
import type { Socket } from 'node:net'
import { connectUnread } from '../support/handshake.js'
import { Connection } from './requests.js'
import { type Stage, sleep } from './stage.js'

const stalledSockets = 2
const spoken = 'spoken-before'
const pauseMs = 5

export class MediaReaders {
  readonly #stage: Stage
  readonly #service: () => { readonly port: number }
  #stalled: Socket[] = []
  #reads = 0
  #isStopped = false
  readonly #loop: Promise<void>

  /** `service` is asked again and again: a restarted one has another port. */
  constructor(stage: Stage, service: () => { readonly port: number }) {
    this.#stage = stage
    this.#service = service
    stage.after(() => this.stop())
    this.#loop = this.#run()
  }

  /** Whole answers. */
  get reads(): number {
    return this.#reads
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#loop
    for (const socket of this.#stalled) socket.destroy()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const { port } = this.#service()
      const connection = new Connection(port)
      for (const socket of this.#stalled) socket.destroy()
      this.#stalled = Array.from({ length: stalledSockets }, () => connectUnread(this.#stage, { port }))
      await this.#speak(connection)
      for (let at = 0; !this.#isStopped && this.#service().port === port; at++) {
        const answer = await connection.get(paths[at % paths.length] as string)
        if (answer.kind === 'answered' && answer.status === 200) this.#reads++
        else if (answer.kind === 'broken') break
        await sleep(pauseMs)
      }
      connection.close()
      await sleep(pauseMs)
    }
  }

  /** A call with a transcript; there already after the first time. */
  async #speak(connection: Connection): Promise<void> {
    const body = JSON.stringify({ sequence: 0, data: 'a word', timestamp: 1_700_000_000 })
    await connection.post(`/v1/call/stream/${spoken}`, body)
    await connection.post(`/v1/call/complete/${spoken}`, '{"total_packets":1}')
  }
}

const paths = [
  `/v1/call/${spoken}/transcript`,
  '/v1/calls?limit=50',
  '/v1/calls?q=transcription',
  `/v1/call/${spoken}/packets?limit=1000`,
]
