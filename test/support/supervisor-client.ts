/** A supervisor: keeps every event in the order in which it came, each checked against its schema. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { WebSocket } from 'ws'
import type { SupervisorEvent } from '../../src/protocol/event.js'
import { toldMessage } from './told-messages.js'
import { Watch } from './watch.js'

export type Received = SupervisorEvent & {
  /** `performance.now()` at its arrival. */
  readonly arrivedAt: number
}

export class SupervisorClient {
  readonly socket: WebSocket
  readonly events: Received[] = []
  receivedBytes = 0
  #problem: Error | null = null
  readonly #watch = new Watch()

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (message: Buffer, isBinary) => this.#take(message, isBinary))
    socket.on('error', () => {})
    socket.on('close', () => this.#watch.changed())
  }

  static async connect(
    t: Pick<TestContext, 'after'>,
    service: { readonly port: number },
    headers: Readonly<Record<string, string>> = {},
  ): Promise<SupervisorClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${service.port}/ws/supervisor`, { headers })
    t.after(() => socket.terminate())
    const client = new SupervisorClient(socket)
    await once(socket, 'open')
    return client
  }

  /** The events of one call. */
  of(callId: string): readonly Received[] {
    return this.events.filter((event) => event.call_id === callId)
  }

  /** Resolves once `isDone`; rejects when an event breaks its schema, the socket closes or `msMax` is over. */
  until(isDone: () => boolean, msMax = 10_000): Promise<void> {
    const look = () => {
      if (this.#problem !== null) throw this.#problem
      if (isDone()) return true
      if (this.socket.readyState !== WebSocket.OPEN) throw new Error('the socket was closed')
      return false
    }
    return this.#watch.until(look, msMax, () => `${this.events.length} events have come`)
  }

  #take(message: Buffer, isBinary: boolean): void {
    this.receivedBytes += message.length
    try {
      assert.equal(isBinary, false, 'an event is a text message')
      const event = toldMessage(message.toString('utf8')) as SupervisorEvent
      this.events.push({ ...event, arrivedAt: performance.now() })
    } catch (error) {
      this.#problem ??= error as Error
    }
    this.#watch.changed()
  }
}

/** Fails unless the positions follow each other without a hole: one epoch, each offset one higher. */
export function assertContiguous(events: readonly SupervisorEvent[]): void {
  assert(events.length > 1, 'positions are compared')
  const places = events.map(({ position }) => {
    const [epoch = '', offset = ''] = position.split('.')
    return { epoch, offset: Number.parseInt(offset, 36) }
  })
  for (let i = 1; i < places.length; i++) {
    assert.equal(places[i]?.epoch, places[0]?.epoch)
    assert.equal(places[i]?.offset, (places[i - 1]?.offset ?? 0) + 1, `after event ${i} of ${places.length}`)
  }
}
