/** A server with the shape of OpenAI's API: it keeps what it is sent, and answers or misbehaves as a script says. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

export interface ReceivedRequest {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Of a multipart form; the file is apart. */
  readonly fields: ReadonlyMap<string, string>
  /** The WAV file of a transcription. */
  readonly file: Buffer | null
  readonly fileName: string | null
  readonly receivedAt: number
  /** Of its answer, once that has ended or was broken off. */
  closedAt: number | null
  /** Of the answer, so far as the socket took them. */
  bytesWritten: number
}

/** What a request meets: an answer, or one of the ways in which servers fail. */
export type Reply =
  | {
      readonly kind: 'answer'
      readonly status?: number
      readonly headers?: Record<string, string>
      readonly body: unknown
    }
  /** Neither head nor body. */
  | { readonly kind: 'silence' }
  /** The head and the first bytes, then nothing. */
  | { readonly kind: 'stall'; readonly body: string }
  /** The connection breaks, before the head or within the body. */
  | { readonly kind: 'reset'; readonly after?: string }
  /** A byte now and then, for ever. */
  | { readonly kind: 'drip'; readonly everyMs: number }
  /** More than anybody asked for. */
  | { readonly kind: 'flood'; readonly bytes: number }

export type Script = (request: ReceivedRequest, index: number) => Reply

export const answer = (body: unknown, status = 200, headers: Record<string, string> = {}): Reply => ({
  kind: 'answer',
  status,
  headers,
  body,
})

export const findings = {
  sentiment: 'positive',
  score: 0.5,
  confidence: 0.9,
  turns: [{ turn: 0, sentiment: 'positive', score: 0.5 }],
  summary: 'Somebody was helped.',
  topics: ['support'],
  action_items: ['send a mail'],
}

export const chatAnswer = (content: unknown): Reply =>
  answer({
    choices: [
      {
        finish_reason: 'stop',
        message: {
          role: 'assistant',
          content: typeof content === 'string' ? content : JSON.stringify(content),
        },
      },
    ],
    usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
  })

/** Hears one segment a second, as long as the file says, and finds the call positive. */
export const wellBehaved: Script = (request) => {
  if (request.file === null) return chatAnswer(findings)
  const seconds = (request.file.length - 44) / (request.file.readUInt32LE(28) || 1)
  const segments = Array.from({ length: Math.max(1, Math.floor(seconds)) }, (_, id) => ({
    id,
    start: id,
    end: Math.min(id + 1, seconds),
    text: ` Second ${id}.`,
    avg_logprob: -0.2,
    compression_ratio: 1.2,
    no_speech_prob: 0.01,
  }))
  return answer({ task: 'transcribe', language: 'english', duration: seconds, text: 'all of it', segments })
}

export class OpenAiServer {
  readonly requests: ReceivedRequest[] = []
  /** Once a request is answered. What a call of hours sends is more than a test wants in memory. */
  keepsBodies = true
  readonly #server: Server
  readonly #scheme: string
  /** Connections that came, those included on which no request was made. */
  connections = 0
  readonly #sockets = new Set<Socket>()
  script: Script = wellBehaved

  private constructor(tls: { readonly cert: Buffer; readonly key: Buffer } | null) {
    this.#scheme = tls === null ? 'http' : 'https'
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response)
    this.#server = tls === null ? createServer(serve) : createTlsServer(tls, serve)
    this.#server.on('connection', (socket: Socket) => {
      this.connections++
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  /** With TLS where there is a certificate. */
  static async start(
    script: Script = wellBehaved,
    tls: { readonly cert: Buffer; readonly key: Buffer } | null = null,
  ): Promise<OpenAiServer> {
    const server = new OpenAiServer(tls)
    server.script = script
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  /** What makes a service ask this server, without a key. */
  get settings() {
    return {
      AI_PROVIDER: 'openai',
      AI_BASE_URL: this.baseUrl,
      AI_TRANSCRIPTION_MODEL: 'whisper-1',
      AI_CHAT_MODEL: 'gpt-4o-mini',
    }
  }

  /** A connection that nobody uses is closed after so long. */
  set keepAliveMs(ms: number) {
    this.#server.keepAliveTimeout = ms
  }

  get baseUrl(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`
  }

  get openSockets(): number {
    return this.#sockets.size
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Whoever asks may go at any time.
    response.on('error', () => {})
    const parts: Buffer[] = []
    try {
      for await (const part of request) parts.push(part as Buffer)
    } catch {
      return
    }
    const received = await describe(request, Buffer.concat(parts))
    this.requests.push(received)
    const { socket } = response
    const before = socket?.bytesWritten ?? 0
    response.once('close', () => {
      received.closedAt = performance.now()
      received.bytesWritten = (socket?.bytesWritten ?? 0) - before
    })
    play(this.script(received, this.requests.length - 1), response)
    if (!this.keepsBodies)
      this.requests[this.requests.indexOf(received)] = Object.assign(received, {
        body: Buffer.alloc(0),
        file: received.file?.subarray(0, 0) ?? null,
      })
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

function play(reply: Reply, response: ServerResponse): void {
  switch (reply.kind) {
    case 'answer': {
      const isText = typeof reply.body === 'string' || Buffer.isBuffer(reply.body)
      response.writeHead(reply.status ?? 200, {
        'Content-Type': isText ? 'text/plain' : 'application/json',
        ...reply.headers,
      })
      response.end(isText ? (reply.body as string | Buffer) : JSON.stringify(reply.body))
      return
    }
    case 'silence':
      return
    case 'stall':
      response.writeHead(200, { 'Content-Type': 'application/json' })
      response.write(reply.body)
      return
    case 'reset':
      if (reply.after === undefined) response.destroy()
      else response.write(reply.after, () => response.destroy())
      return
    case 'drip': {
      response.writeHead(200, { 'Content-Type': 'application/json' })
      const timer = setInterval(() => response.write('a'), reply.everyMs)
      response.once('close', () => clearInterval(timer))
      return
    }
    case 'flood':
      response.writeHead(200, { 'Content-Type': 'application/json' })
      flood(response, reply.bytes)
  }
}

/** No faster than it is taken. */
function flood(response: ServerResponse, bytes: number): void {
  const part = 'a'.repeat(64 * 1024)
  let left = bytes
  const write = (): void => {
    while (left > 0) {
      left -= part.length
      if (!response.write(part)) return void response.once('drain', write)
    }
    response.end('"}')
  }
  response.write('{"text":"')
  write()
}

async function describe(request: IncomingMessage, body: Buffer): Promise<ReceivedRequest> {
  const fields = new Map<string, string>()
  let file: Buffer | null = null
  let fileName: string | null = null
  const contentType = request.headers['content-type'] ?? ''
  if (contentType.startsWith('multipart/'))
    for (const [key, value] of await new Response(body, {
      headers: { 'content-type': contentType },
    }).formData())
      if (typeof value === 'string') fields.set(key, value)
      else {
        file = Buffer.from(await value.arrayBuffer())
        fileName = value.name
      }
  return {
    path: request.url ?? '',
    headers: request.headers,
    body,
    fields,
    file,
    fileName,
    receivedAt: performance.now(),
    closedAt: null,
    bytesWritten: 0,
  }
}
