/** A server with the shape of OpenAI's API: it keeps what it is sent, and answers or misbehaves as a script says. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
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
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  script: Script = wellBehaved

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response))
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(script: Script = wellBehaved): Promise<OpenAiServer> {
    const server = new OpenAiServer()
    server.script = script
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`
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
    play(this.script(received, this.requests.length - 1), response)
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

function play(reply: Reply, response: ServerResponse): void {
  switch (reply.kind) {
    case 'answer': {
      const isText = typeof reply.body === 'string'
      response.writeHead(reply.status ?? 200, {
        'Content-Type': isText ? 'text/plain' : 'application/json',
        ...reply.headers,
      })
      response.end(isText ? reply.body : JSON.stringify(reply.body))
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
    case 'flood':
      response.writeHead(200, { 'Content-Type': 'application/json' })
      response.end(`{"text":"${'a'.repeat(reply.bytes)}"}`)
  }
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
  return { path: request.url ?? '', headers: request.headers, body, fields, file, fileName }
}
