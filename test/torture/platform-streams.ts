/** Sockets as Twilio opens them, a call each, at a real-time pace. A packet says whose it is, of which leg, and where. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Stage } from './stage.js'

export const frameMs = 20
const turnsMax = 5

export interface StreamsPlan {
  readonly count: number
  readonly packetBytes: number
  /** Sent together every 20 ms. */
  readonly packetsAtOnce?: number
}

export function streamPacket(stream: number, leg: number, index: number, bytes = 160): Buffer {
  const data = Buffer.alloc(bytes, (stream * 31 + leg * 13 + index) & 0xff)
  data.writeUInt16LE(stream, 0)
  data.writeUInt16LE(leg, 2)
  data.writeUInt32LE(index, 4)
  return data
}

export class PlatformStreams {
  readonly calls: readonly string[]
  /** Of the leg that is under way, by stream. */
  readonly sent: number[]
  readonly #port: number
  readonly #plan: StreamsPlan
  #sockets: WebSocket[] = []
  #leg = -1
  #pump: NodeJS.Timeout | undefined
  /** Closed by the other side, and not because we asked for it. */
  closed = 0

  constructor(stage: Stage, port: number, plan: StreamsPlan) {
    this.#port = port
    this.#plan = plan
    this.calls = Array.from({ length: plan.count }, (_, stream) => `CA${String(stream).padStart(32, '0')}`)
    this.sent = this.calls.map(() => 0)
    stage.after(() => {
      this.pause()
      for (const socket of this.#sockets) socket.terminate()
    })
  }

  /** A new socket for each call; resolves once all are open and send. */
  async begin(): Promise<void> {
    this.#leg++
    this.#sockets = await Promise.all(this.calls.map((call, stream) => this.#open(call, stream)))
    this.sent.fill(0)
    let dueAt = performance.now()
    this.#pump = setInterval(() => {
      // What the timer is late is made up for, as a platform does, within reason: a busy machine never comes to an end of it.
      for (let turn = 0; turn < turnsMax && dueAt <= performance.now(); turn++, dueAt += frameMs)
        this.#sendAll()
      dueAt = Math.max(dueAt, performance.now() - turnsMax * frameMs)
    }, frameMs / 2)
  }

  pause(): void {
    clearInterval(this.#pump)
  }

  stop(): void {
    for (const [stream, socket] of this.#sockets.entries())
      socket.send(JSON.stringify({ ...this.#head('stop', stream, (this.sent[stream] ?? 0) + 2), stop: {} }))
  }

  async #open(call: string, stream: number): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/v1/media/twilio`)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed++
    })
    await once(socket, 'open')
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 }
    const start = {
      streamSid: this.#sid(stream),
      accountSid: 'AC1',
      callSid: call,
      tracks: ['inbound'],
      mediaFormat,
    }
    socket.send(JSON.stringify({ ...this.#head('start', stream, 1), start }))
    return socket
  }

  #sendAll(): void {
    const { packetBytes, packetsAtOnce = 1 } = this.#plan
    for (const [stream, socket] of this.#sockets.entries()) {
      if (socket.readyState !== WebSocket.OPEN) continue
      for (let packet = 0; packet < packetsAtOnce; packet++) {
        const index = this.sent[stream] as number
        const payload = streamPacket(stream, this.#leg, index, packetBytes).toString('base64')
        const media = {
          track: 'inbound',
          chunk: String(index + 1),
          timestamp: String(index * frameMs),
          payload,
        }
        socket.send(JSON.stringify({ ...this.#head('media', stream, index + 2), media }))
        this.sent[stream] = index + 1
      }
    }
  }

  #head(event: string, stream: number, sequenceNumber: number): object {
    return { event, sequenceNumber: String(sequenceNumber), streamSid: this.#sid(stream) }
  }

  #sid(stream: number): string {
    return `MZ${this.#leg}-${stream}`
  }
}
