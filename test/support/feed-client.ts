/** The typed client on a real socket of `ws`, with every message checked against its schema and kept. */
import { WebSocket } from 'ws'
import {
  type ClientSocket,
  type SocketConstructor,
  SupervisorClient,
  type SupervisorClientOptions,
  type SupervisorStatus,
} from '../../src/client/supervisor-client.js'
import type { SupervisorEvent } from '../../src/protocol/event.js'
import type { FeedMessage, FloorMessage, ResetMessage, SnapshotMessage } from '../../src/protocol/feed.js'
import { toldMessage } from './told-messages.js'
import { Watch } from './watch.js'

export class FeedClient {
  readonly client: SupervisorClient
  readonly events: SupervisorEvent[] = []
  readonly resets: ResetMessage[] = []
  readonly snapshots: SnapshotMessage[] = []
  readonly floors: FloorMessage[] = []
  readonly statuses: SupervisorStatus[] = []
  /** Everything that came, in order, with the time of its arrival. */
  readonly messages: { readonly message: FeedMessage; readonly at: number }[] = []
  readonly sockets: WebSocket[] = []
  receivedBytes = 0
  /** When each connection was upgraded. */
  readonly openedAt: number[] = []
  #problem: Error | null = null
  readonly #watch = new Watch()

  constructor(
    t: { after(undo: () => void): void },
    /** Asked for its port at each connection: a restarted service has another one. */
    service: { readonly port: number },
    options: Partial<SupervisorClientOptions> = {},
  ) {
    const { sockets, openedAt } = this
    const received = (text: string) => this.#received(text)
    class CheckedSocket extends WebSocket {
      constructor(url: string) {
        super(url.replace(/:\d+\//, `:${service.port}/`))
        sockets.push(this)
        this.on('open', () => openedAt.push(performance.now()))
        this.on('message', (data) => received(String(data)))
      }
    }
    this.client = new SupervisorClient({
      url: `http://127.0.0.1:${service.port}`,
      firstWaitMs: 20,
      longestWaitMs: 200,
      ...options,
      // Its handlers take more than the client hands over, which the types of `ws` do not allow for.
      WebSocket: CheckedSocket as unknown as new (url: string) => ClientSocket as SocketConstructor,
      onEvent: (event) => this.#keep(this.events, event),
      onReset: (reset) => this.#keep(this.resets, reset),
      onSnapshot: (snapshot) => this.#keep(this.snapshots, snapshot),
      onFloor: (floor) => this.#keep(this.floors, floor),
      onStatus: (status) => this.#keep(this.statuses, status),
    })
    t.after(() => this.client.dispose())
  }

  get isLive(): boolean {
    return this.client.status.kind === 'live'
  }

  /** Resolves once `isDone`; rejects when a message breaks its schema or `msMax` is over. */
  until(isDone: () => boolean, msMax = 15_000): Promise<void> {
    const look = () => {
      if (this.#problem !== null) throw this.#problem
      return isDone()
    }
    return this.#watch.until(look, msMax, () => {
      const { status } = this.client
      return `${this.messages.length} messages have come, ${JSON.stringify(status)}`
    })
  }

  live(): Promise<void> {
    return this.until(() => this.isLive)
  }

  /** The connection breaks, as a network does it. */
  cut(): void {
    this.sockets.at(-1)?.terminate()
  }

  #received(text: string): void {
    this.receivedBytes += text.length
    try {
      this.messages.push({ message: toldMessage(text), at: performance.now() })
    } catch (error) {
      this.#problem ??= error as Error
    }
    this.#watch.changed()
  }

  #keep<T>(list: T[], item: T): void {
    list.push(item)
    this.#watch.changed()
  }
}
