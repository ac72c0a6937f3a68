/** A supervisor that writes down what it is told, over as many connections as the service has runs. */
import { once } from 'node:events'
import WebSocket from 'ws'
import { toldMessage } from '../support/told-messages.js'
import type { StateChange } from './lifecycle-oracle.js'
import { epochMs, type Stage } from './stage.js'

export interface ToldEvent {
  readonly event: string
  readonly position: string
  readonly call_id: string
  readonly sequence?: number
  readonly at: string
  readonly from_state?: StateChange['from'] | null
  readonly to_state?: StateChange['to']
  readonly reason?: string
  /** When it came here. */
  readonly toldAt: number
}

export class Supervisor {
  readonly events: ToldEvent[] = []
  /** The close code of each connection that has ended. */
  readonly closeCodes: number[] = []
  #socket: WebSocket | null = null
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async connect(port: number): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/supervisor`)
    this.#socket = socket
    this.#stage.after(() => socket.terminate())
    socket.on('message', (data) => {
      this.events.push({ ...(toldMessage(String(data)) as ToldEvent), toldAt: epochMs() })
    })
    socket.on('close', (code) => this.closeCodes.push(code))
    socket.on('error', () => {
      // A kill of the service resets the connection; `close` follows and counts it.
    })
    await once(socket, 'open')
  }

  /** Takes no more bytes off its socket. */
  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  async closed(): Promise<void> {
    if (this.#socket !== null && this.#socket.readyState !== WebSocket.CLOSED)
      await once(this.#socket, 'close')
  }

  get changes(): readonly StateChange[] {
    return this.events.flatMap(({ call_id, from_state, to_state }) =>
      from_state && to_state ? [{ call: call_id, from: from_state, to: to_state }] : [],
    )
  }
}
