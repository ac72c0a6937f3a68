/**
 * Requests as a PBX sends them: keep-alive connections of one's own, many at once, and the path and the body exactly
 * as they are given (`fetch` would mend `..` and add headers).
 */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import type { TestContext } from 'node:test'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Parsed when it is JSON, else an empty object. */
  readonly body: Record<string, unknown>
}

export interface Target {
  readonly port: number
}

type Headers = Readonly<Record<string, string | number | readonly string[]>>

export class HttpClient {
  readonly #agent: Agent
  readonly #port: number

  constructor(t: Pick<TestContext, 'after'>, service: Target, connections = 64) {
    this.#port = service.port
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
    t.after(() => this.#agent.destroy())
  }

  /** JSON of `body`, or text and bytes as they are. */
  post(path: string, body: unknown, headers: Headers = {}): Promise<Answer> {
    const bytes = body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body)
    return this.send('POST', path, { 'content-type': 'application/json', ...headers }, bytes)
  }

  packet(callId: string, packet: unknown): Promise<Answer> {
    return this.post(`/v1/call/stream/${callId}`, packet)
  }

  complete(callId: string, totalPackets: number): Promise<Answer> {
    return this.post(`/v1/call/complete/${callId}`, { total_packets: totalPackets })
  }

  bulk(body: string | Uint8Array): Promise<Answer> {
    return this.post('/v1/packets', body, { 'content-type': 'application/x-ndjson' })
  }

  get(path: string): Promise<Answer> {
    return this.send('GET', path, {})
  }

  call(callId: string): Promise<Answer> {
    return this.get(`/v1/call/${callId}`)
  }

  send(method: string, path: string, headers: Headers, body?: string | Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
      const asked = request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port: this.#port,
          method,
          path,
          headers: { ...length, ...headers },
        },
        (answer) => {
          const parts: Buffer[] = []
          answer.on('data', (part: Buffer) => parts.push(part))
          answer.on('error', reject)
          answer.on('end', () => {
            const text = Buffer.concat(parts).toString('utf8')
            const isJson = /^application\/(problem\+)?json/.test(answer.headers['content-type'] ?? '')
            const parsed: Record<string, unknown> = isJson && text !== '' ? JSON.parse(text) : {}
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, body: parsed })
          })
        },
      )
      asked.on('error', reject)
      asked.end(body)
    })
  }
}
