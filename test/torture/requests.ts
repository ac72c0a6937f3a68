/** One keep-alive connection of a PBX: a request at a time, and every way in which it can end. */
import { Agent, request } from 'node:http'

export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }
  /** Reset, refused, cut off in the middle of the answer, or none in time. */
  | { readonly kind: 'broken'; readonly reason: string }

interface Body {
  readonly text: string
  readonly contentType: string
}

const answerMsMax = 20_000

export class Connection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #port: number
  readonly #headers: Readonly<Record<string, string>>

  constructor(port: number, headers: Readonly<Record<string, string>> = {}) {
    this.#port = port
    this.#headers = headers
  }

  post(path: string, body: string, contentType = 'application/json'): Promise<Answer> {
    return this.#send('POST', path, { text: body, contentType })
  }

  get(path: string): Promise<Answer> {
    return this.#send('GET', path, null)
  }

  #send(method: string, path: string, body: Body | null): Promise<Answer> {
    return new Promise((resolve) => {
      const broken = (reason: string) => resolve({ kind: 'broken', reason })
      const headers =
        body === null
          ? this.#headers
          : {
              ...this.#headers,
              'content-type': body.contentType,
              'content-length': Buffer.byteLength(body.text),
            }
      const outgoing = request(
        { agent: this.#agent, host: '127.0.0.1', port: this.#port, method, path, headers },
        (incoming) => {
          const chunks: Buffer[] = []
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
          incoming.on('error', (error) => broken(`cut off: ${error.message}`))
          incoming.on('close', () => {
            const text = Buffer.concat(chunks).toString()
            if (incoming.complete) resolve({ kind: 'answered', status: incoming.statusCode ?? 0, text })
            else broken('cut off')
          })
        },
      )
      outgoing.setTimeout(answerMsMax, () => outgoing.destroy(new Error(`no answer in ${answerMsMax} ms`)))
      outgoing.on('error', (error: NodeJS.ErrnoException) => broken(error.code ?? error.message))
      outgoing.end(body?.text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
