/**
 * A connection to the NATS servers, which are the engine of the shared log. The only file that knows the client's package.
 *
 * JetStream is asked over its documented requests. The client's own library for it is not used: its ordered consumer asks for
 * more whether or not anybody has taken what came, so nothing would bound what waits here.
 *
 * A connection that is lost is made anew for ever, unless a server refuses its credentials twice. Nothing is sent meanwhile: the
 * client would keep it, without a bound.
 */
import { connect, credsAuthenticator, headers, type Msg, type NatsConnection } from '@nats-io/transport-node'
import type { Millis } from '../../../clock.js'
import { messageOf } from '../../../errors.js'

export interface EngineOptions {
  /** Like `nats://host:4222`; `tls://` asks for TLS. */
  readonly servers: readonly string[]
  /** How the servers call this connection in their reports. */
  readonly name: string
  /** Text of a file with credentials, as NATS writes them. */
  readonly credentials?: string
  /** Certificates (PEM) that vouch for the servers. */
  readonly authorities?: string
}

export interface EngineMessage {
  readonly subject: string
  readonly reply: string
  readonly body: Uint8Array
  /** Of a status, which has no body; 0 for a message. */
  readonly code: number
  readonly description: string
  header(name: string): string
}

export interface ServerFacts {
  readonly version: string
  readonly name: string
  readonly maxPayload: number
}

/** JetStream's answer to a request that it refuses. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** Nobody answers now; somebody may later. */
export class EngineUnreachable extends Error {
  override readonly name = 'EngineUnreachable'
}

const requestMs: Millis = 2000
const reconnectMs: Millis = 100
/** A server that stands still is left after three of these. */
const pingMs: Millis = 2000

export class Engine {
  readonly #connection: NatsConnection
  #losses = 0
  #isConnected = true

  private constructor(connection: NatsConnection) {
    this.#connection = connection
    void this.#watch()
  }

  /** Throws `EngineUnreachable` where no server takes the connection. */
  static async connect({ servers, name, credentials, authorities }: EngineOptions): Promise<Engine> {
    try {
      const connection = await connect({
        servers: [...servers],
        name,
        timeout: requestMs,
        maxReconnectAttempts: -1,
        reconnectTimeWait: reconnectMs,
        reconnectJitter: reconnectMs,
        reconnectJitterTLS: reconnectMs,
        pingInterval: pingMs,
        noAsyncTraces: true,
        ...(credentials === undefined
          ? {}
          : { authenticator: credsAuthenticator(new TextEncoder().encode(credentials)) }),
        // The client would go on without TLS where the server does not offer it.
        ...(servers.some((url) => url.startsWith('tls://')) || authorities !== undefined
          ? { tls: authorities === undefined ? {} : { ca: authorities } }
          : {}),
      })
      return new Engine(connection)
    } catch (error) {
      throw new EngineUnreachable(
        `no server of ${servers.join(', ')} takes a connection: ${messageOf(error)}`,
      )
    }
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') {
        this.#isConnected = false
        this.#losses++
      }
      if (type === 'reconnect') this.#isConnected = true
    }
  }

  get isConnected(): boolean {
    return this.#isConnected && !this.#connection.isClosed()
  }

  /** So many connections were lost: what was subscribed to before may have missed something. */
  get losses(): number {
    return this.#losses
  }

  /** Resolves when there will be no connection any more, with the reason; null after `close`. */
  async closed(): Promise<Error | null> {
    return (await this.#connection.closed()) ?? null
  }

  /** Of the server that has the connection now. */
  get server(): ServerFacts {
    const info = this.#connection.info
    return {
      version: info?.version ?? '',
      name: info?.server_name ?? '',
      maxPayload: info?.max_payload ?? 0,
    }
  }

  /** Rejects with `EngineUnreachable` where no answer comes in time; what was sent may still be done. */
  async request(
    subject: string,
    body: Uint8Array,
    fields: Readonly<Record<string, string>> = {},
    timeoutMs: Millis = requestMs,
  ): Promise<Uint8Array> {
    if (!this.isConnected) throw new EngineUnreachable('there is no connection to a server')
    const sent = headers()
    for (const [name, value] of Object.entries(fields)) sent.set(name, value)
    try {
      const options = { timeout: timeoutMs, ...(Object.keys(fields).length === 0 ? {} : { headers: sent }) }
      return (await this.#connection.request(subject, body, options)).data
    } catch (error) {
      throw new EngineUnreachable(messageOf(error))
    }
  }

  /** A request to JetStream itself. Throws `EngineError` for what it refuses. */
  async api<Answer>(path: string, question: unknown = {}): Promise<Answer> {
    const answer = await this.request(`$JS.API.${path}`, new TextEncoder().encode(JSON.stringify(question)))
    const { error, ...rest } = JSON.parse(new TextDecoder().decode(answer)) as {
      error?: { err_code?: number; description?: string }
    }
    if (error !== undefined)
      throw new EngineError(error.err_code ?? 0, error.description ?? 'no reason given')
    return rest as Answer
  }

  /** Sends without waiting for anything. */
  tell(subject: string, body: Uint8Array, reply: string): void {
    if (this.isConnected) this.#connection.publish(subject, body, { reply })
  }

  /** Each message to the subject, until the returned function is called. */
  listen(subject: string, hear: (message: EngineMessage) => void): () => void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) hear(plain(message))
      },
    })
    return () => subscription.unsubscribe()
  }

  /** Settles once the server has taken all that was sent before, or the connection is lost. */
  taken(): Promise<void> {
    return this.#connection.flush().catch(() => {})
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

function plain(message: Msg): EngineMessage {
  return {
    subject: message.subject,
    reply: message.reply ?? '',
    body: message.data,
    code: message.headers?.code ?? 0,
    description: message.headers?.description ?? '',
    header: (name) => message.headers?.get(name) ?? '',
  }
}
