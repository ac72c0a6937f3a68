/** Requests to Asterisk over the socket on which it tells its events: each with its answer, and none for ever. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../clock.js'
import { limits } from '../../limits.js'

export class AriRefused extends Error {
  override readonly name = 'AriRefused'
}

export class AriRequests {
  readonly #clock: Clock
  readonly #send: (text: string) => void
  #isClosed = false
  readonly #waiting = new Map<string, (status: number, body: unknown) => void>()

  constructor(clock: Clock, send: (text: string) => void) {
    this.#clock = clock
    this.#send = send
  }

  /** `path` without a slash in front. Rejects with `AriRefused` for a status from 400 on, and without an answer in time. */
  ask(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    query: Readonly<Record<string, string>> = {},
    body: object | null = null,
  ): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new AriRefused(`${method} ${path}: the connection is gone`))
    if (this.#waiting.size >= limits.ariRequestsMax)
      return Promise.reject(new AriRefused(`${method} ${path}: too many requests have no answer`))
    const id = randomUUID()
    const request = {
      type: 'RESTRequest',
      transaction_id: 'voicestream',
      request_id: id,
      method,
      uri: path,
      query_strings: Object.entries(query).map(([name, value]) => ({ name, value })),
      ...(body === null ? {} : { content_type: 'application/json', message_body: JSON.stringify(body) }),
    }
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(limits.ariAnswerMs, () => {
        this.#waiting.delete(id)
        reject(new AriRefused(`${method} ${path}: no answer`))
      })
      this.#waiting.set(id, (status, answer) => {
        cancel()
        this.#waiting.delete(id)
        if (status >= 200 && status < 300) resolve(answer)
        else reject(new AriRefused(`${method} ${path}: ${status}`))
      })
      this.#send(JSON.stringify(request))
    })
  }

  /** What is gone already is as it should be. */
  forgive(method: 'DELETE', path: string): void {
    this.ask(method, path).catch(() => {})
  }

  answered(id: string, status: number, body: unknown): void {
    this.#waiting.get(id)?.(status, body)
  }

  /** The socket is gone: nobody answers any more. */
  close(): void {
    this.#isClosed = true
    for (const told of [...this.#waiting.values()]) told(0, null)
  }
}
